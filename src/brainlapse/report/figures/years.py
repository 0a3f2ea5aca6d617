"""How the error grows with the years between source and follow-up."""

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from brainlapse.report.figures.panels import limits
from brainlapse.report.parts import YEARS
from brainlapse.report.style import ACCENT, INK, MUTED, as_svg, new_figure

SHOWN = (
    ("changed", "mae_changed", "error where the brain changed ↓"),
    ("brain", "change_correlation", "correlation of predicted\nand true change ↑"),
    ("ventricles", "volume_rate_error_percent_per_year", "error of the ventricles’ rate ↓,\n% a year"),
)
MODELS_SHOWN = 5
# Told apart in grey too, by marker and line.
_LOOKS = (("o", "-"), ("s", "--"), ("^", ":"), ("D", "-."), ("v", (0, (5, 1, 1, 1, 1, 1))))


def draw(subgroups: pd.DataFrame, models: list[str]) -> str | None:
    """Means over people with 95 % intervals against ranges of years, a line a model.

    The scale is that of the better half of the models; what is far off it is cut.
    """
    rows = subgroups[subgroups["by"] == YEARS]
    rows = rows.assign(level=rows["level"].fillna("not known"))
    models = [model for model in models if model in set(rows["model"])][:MODELS_SHOWN]
    levels = list(dict.fromkeys(rows["level"]))
    if not models or len(levels) < 2:
        return None
    figure = new_figure(9.2, 2.9)
    for axes, (region, metric, label) in zip(figure.subplots(1, len(SHOWN)), SHOWN, strict=True):
        found = rows[(rows["region"] == region) & (rows["metric"] == metric)]
        for number, (model, (marker, line)) in enumerate(zip(models, _LOOKS, strict=False)):
            own = found[found["model"] == model].set_index("level").reindex(levels)
            place = np.arange(len(levels)) + 0.08 * (number - (len(models) - 1) / 2)
            colour = ACCENT if number == 0 else INK if number < 3 else MUTED
            axes.plot(
                place, own["value"], marker=marker, linestyle=line, color=colour, markersize=4, label=model
            )
            axes.vlines(place, own["value_low"], own["value_high"], color=colour, linewidth=0.9)
        axes.set_ylim(*_reach(found, models))
        axes.set_xticks(range(len(levels)), levels)
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.set_title(label, loc="left")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=len(models),
                  frameon=False, fontsize=8)  # fmt: skip
    figure.supxlabel("years between source and follow-up", fontsize=9)
    return as_svg(figure)


def _reach(found: pd.DataFrame, models: list[str]) -> tuple[float, float]:
    better = found[found["model"].isin(models[: max(1, len(models) // 2 + 1)])]
    return limits(better[["value", "value_low", "value_high"]].to_numpy(float).ravel())
