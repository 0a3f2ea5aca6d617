"""Predicted against true change a year, a panel a region, of one model."""

import numpy as np
import pandas as pd

from brainlapse.report.figures.panels import limits, panels
from brainlapse.report.rates import REGIONS
from brainlapse.report.style import ACCENT, FAINT, MUTED, as_svg
from brainlapse.report.words import number

_NAMES = {"true_volume_rate_percent_per_year": "true", "volume_rate_percent_per_year": "predicted"}


def draw(scores: pd.DataFrame, comparisons: pd.DataFrame, model: str) -> str | None:
    """A dot a person (strong) and a follow-up (faint); the band is what a scan of the same day would show."""
    found = scores[(scores["model"] == model) & scores["metric"].isin(_NAMES)]
    wide = found.pivot_table(index=["region", "subject", "request"], columns="metric", values="value")
    wide = wide.rename(columns=_NAMES).reindex(columns=["true", "predicted"]).dropna()
    regions = [region for region in REGIONS if region in wide.index.get_level_values("region")]
    if not regions:
        return None
    told = comparisons.set_index(["model", "region", "metric"])["value"]
    figure, axes_of_each = panels(regions, shared=False)
    for axes, region in zip(axes_of_each, regions, strict=True):
        dots = wide.loc[region]
        people = dots.groupby("subject").mean()
        bounds = limits(np.concatenate([dots["true"], people["predicted"]]))
        noise = told.get(("rescan", region, "volume_retest_percent"), np.nan)
        if np.isfinite(noise):
            axes.axvspan(-noise, noise, color=FAINT, alpha=0.4, linewidth=0, zorder=0)
        axes.plot(bounds, bounds, color=MUTED, linewidth=1, zorder=1)
        axes.scatter(dots["true"], dots["predicted"], s=9, color=ACCENT, alpha=0.3, linewidths=0)
        axes.scatter(people["true"], people["predicted"], s=22, color=ACCENT, linewidths=0)
        axes.set(xlim=bounds, ylim=bounds, aspect="equal")
        slope, r = (told.get((model, region, f"volume_rate_{name}")) for name in ("slope", "pearson"))
        axes.set_title(f"{region}\nslope {number(slope, 2)}, r {number(r, 2)}", loc="left")
    figure.supxlabel("true change, % a year", fontsize=9)
    figure.supylabel("predicted, % a year", fontsize=9)
    return as_svg(figure)
