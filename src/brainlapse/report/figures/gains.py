"""What each model gains over copying the source."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from brainlapse.report.study import FLOORS
from brainlapse.report.style import ACCENT, INK, MUTED, as_svg, new_figure
from brainlapse.report.words import number

GAINS = (
    ("ssim_brain", "SSIM in the brain\nabove copy's", +1, 3),
    ("mae_changed", "error where the brain changed\nbelow copy's", -1, 3),
    ("change_correlation", "correlation of predicted\nand true change", +1, 2),
)
# A model this many times further off than the better ones is named at the edge, not drawn to scale.
_OFF_SCALE = 2.5
_MOST_TICKS = 5  # more labels would touch


def draw(comparisons: pd.DataFrame, models: list[str]) -> str | None:
    """Dots and 95 % intervals of the gain over copying; right of the line is better than copying."""
    models = [model for model in models if model not in FLOORS]
    rows = comparisons[comparisons["model"].isin(models)]
    if rows.empty:
        return None
    figure = new_figure(9.2, 1.25 + 0.34 * len(models))
    for axes, (metric, label, better, digits) in zip(
        figure.subplots(1, len(GAINS), sharey=True), GAINS, strict=True
    ):
        found = rows[rows["metric"] == metric].set_index("model").reindex(models)
        _dots(axes, found, models, better, digits)
        axes.set_title(label)
    return as_svg(figure)


def _dots(axes: Axes, found: pd.DataFrame, models: list[str], better: int, digits: int) -> None:
    bounds = better * found[["gain", "gain_low", "gain_high"]].to_numpy(float)
    reach = _reach(bounds)
    for row, (value, *ends) in enumerate(bounds):
        colour = ACCENT if row == 0 else INK
        if abs(value) > reach:
            _off_scale(axes, row, value, reach, digits)
        elif np.isfinite(value):
            axes.plot(np.clip(ends, -reach, reach), [row, row], color=colour, linewidth=1.6)
            axes.plot(value, row, "o", color=colour, markersize=6)
    axes.axvline(0, color=MUTED, linewidth=0.8, zorder=0)
    axes.set(yticks=range(len(models)), yticklabels=models, xlim=(-1.12 * reach, 1.12 * reach))
    axes.set_ylim(len(models) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=7.5)
    axes.xaxis.set_major_locator(MaxNLocator(_MOST_TICKS))


def _reach(bounds: np.ndarray) -> float:
    """Half the axis: room for the first model with its interval and for the nearer half of the others."""
    sizes = np.sort(np.abs(bounds[:, 0][np.isfinite(bounds[:, 0])]))
    nearer = sizes[: max(1, len(sizes) // 2)]
    first = np.abs(bounds[0][np.isfinite(bounds[0])])
    return max([0.01, *(_OFF_SCALE * nearer), *(1.15 * first)])


def _off_scale(axes: Axes, row: int, value: float, reach: float, digits: int) -> None:
    side = np.sign(value)
    axes.plot(side * reach * 1.05, row, marker="<" if side < 0 else ">", color=MUTED, markersize=5)
    axes.text(
        side * reach * 0.96, row, number(value, digits, sign=True),
        ha="left" if side < 0 else "right", va="center", fontsize=8, color=MUTED,
    )  # fmt: skip
