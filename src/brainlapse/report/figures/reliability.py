"""Whether voxels that a model calls uncertain are the ones where it errs."""

import numpy as np
import pandas as pd

from brainlapse.report.figures.panels import colour, panels
from brainlapse.report.style import FAINT, as_svg

_METRICS = ("bin_spread", "bin_error", "bin_voxels")


def draw(judged: pd.DataFrame, models: list[str]) -> str | None:
    """The error that was made against the error that was foretold, a panel a model; the line is right.

    Each dot is a range of foretold errors; its size grows with its number of voxels.
    """
    rows = judged[judged["metric"].isin(_METRICS)]
    models = [model for model in models if model in set(rows["model"])]
    if not models:
        return None
    figure, axes_of_each = panels(models, height_in=2.6)
    for axes, model in zip(axes_of_each, models, strict=True):
        bars = _bars(rows[rows["model"] == model])
        most = float(bars[["spread", "error"]].max(axis=None)) * 1.08
        axes.plot([0, most], [0, most], color=FAINT, linewidth=1, zorder=0)
        sizes = 10 + 90 * np.sqrt(bars["voxels"] / bars["voxels"].max())
        axes.plot(bars["spread"], bars["error"], color=colour(model, models), linewidth=0.8)
        axes.scatter(bars["spread"], bars["error"], s=sizes, color=colour(model, models), alpha=0.8)
        axes.set(xlim=(0, most), ylim=(0, most), aspect="equal")
        axes.set_title(model, loc="left")
    figure.supxlabel("error that the draws foretell, intensity on [0, 1]", fontsize=9)
    figure.supylabel("error of their mean", fontsize=9)
    return as_svg(figure)


def _bars(rows: pd.DataFrame) -> pd.DataFrame:
    """Columns `spread`, `error` (root mean squares over the voxels of all requests) and `voxels`."""
    wide = rows.pivot_table(index=["region", "request"], columns="metric", values="value").dropna()
    voxels = wide["bin_voxels"]
    total = voxels.groupby("region").sum()
    bars = {
        name: np.sqrt((wide[f"bin_{name}"] ** 2 * voxels).groupby("region").sum() / total)
        for name in ("spread", "error")
    }
    return pd.DataFrame(bars | {"voxels": total}).sort_values("spread")
