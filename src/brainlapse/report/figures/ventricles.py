"""Predicted against true change of the ventricles."""

import numpy as np
import pandas as pd

from brainlapse.report.figures.panels import colour, limits, panels
from brainlapse.report.study import FLOORS
from brainlapse.report.style import FAINT, as_svg
from brainlapse.report.words import number


def draw(scores: pd.DataFrame, comparisons: pd.DataFrame, models: list[str]) -> str | None:
    """Predicted against true change of the ventricles, a panel a model, a dot a follow-up."""
    wide = _changes(scores)
    models = [m for m in models if m not in FLOORS and m in wide.index.get_level_values("model")]
    if not models:
        return None
    slopes = comparisons[comparisons["metric"].isin(["volume_change_slope", "volume_change_pearson"])]
    slopes = slopes[slopes["region"] == "ventricles"].set_index(["model", "metric"])["value"]
    bounds = limits(np.concatenate([wide["true"], wide.loc[models[0], "predicted"]]))
    figure, axes_of_each = panels(models)
    for axes, model in zip(axes_of_each, models, strict=True):
        dots = wide.loc[model]
        people = dots.groupby("subject").mean()
        axes.plot(bounds, bounds, color=FAINT, linewidth=1, zorder=0)
        ink = colour(model, models)
        axes.scatter(dots["true"], dots["predicted"], s=9, color=ink, alpha=0.3, linewidths=0)
        axes.scatter(people["true"], people["predicted"], s=22, color=ink, linewidths=0)
        outside = int(((dots["predicted"] < bounds[0]) | (dots["predicted"] > bounds[1])).sum())
        axes.set(xlim=bounds, ylim=bounds, aspect="equal")
        slope, r = (slopes.get((model, f"volume_change_{name}")) for name in ("slope", "pearson"))
        note = f"{model}\nslope {number(slope, 2)}, r {number(r, 2)}"
        axes.set_title(note + (f"\n{outside} outside" if outside else ""), loc="left")
    figure.supxlabel("true change of ventricle volume, %", fontsize=9)
    figure.supylabel("predicted, %", fontsize=9)
    return as_svg(figure)


def _changes(scores: pd.DataFrame) -> pd.DataFrame:
    """Columns `true` and `predicted` (percent, ventricles), indexed by model, subject, request."""
    names = {"true_volume_change_percent": "true", "volume_change_percent": "predicted"}
    rows = scores[(scores["region"] == "ventricles") & scores["metric"].isin(names)]
    wide = rows.pivot_table(index=["model", "subject", "request"], columns="metric", values="value")
    return wide.rename(columns=names).reindex(columns=list(names.values())).dropna()
