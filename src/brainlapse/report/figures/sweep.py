"""How the ventricles respond to the years asked for."""

import numpy as np
import pandas as pd

from brainlapse.report.figures.panels import colour, limits, panels
from brainlapse.report.study import FLOORS
from brainlapse.report.style import FAINT, MUTED, as_svg


def draw(swept: pd.DataFrame, judged: pd.DataFrame, models: list[str]) -> str | None:
    """Change of ventricle volume against the years asked for: a faint line a person, the median strong."""
    rows = swept[(swept["metric"] == "volume_change_percent") & (swept["region"] == "ventricles")]
    models = [model for model in models if model not in FLOORS and model in set(rows["model"])]
    if not models:
        return None
    true = judged[(judged["metric"] == "true_volume_change_percent") & (judged["region"] == "ventricles")]
    true = true.drop_duplicates("request")
    low, high = limits(np.concatenate([true["value"], rows.loc[rows["model"] == models[0], "value"]]))
    figure, axes_of_each = panels(models)
    for axes, model in zip(axes_of_each, models, strict=True):
        axes.scatter(true["interval_years"], true["value"], s=10, marker="x", color=FAINT, linewidths=0.8)
        own = rows[rows["model"] == model]
        wide = own.pivot_table(index="interval_years", columns="subject", values="value")
        wide.loc[0.0] = 0.0
        wide = wide.sort_index()
        ink = colour(model, models)
        axes.plot(wide.index, wide, color=ink, alpha=0.2, linewidth=0.8)
        axes.plot(wide.index, wide.median(axis=1), "o-", color=ink, linewidth=2.2, markersize=3.5)
        axes.axhline(0, color=MUTED, linewidth=0.6)
        axes.set_title(model, loc="left")
        axes.set(ylim=(low, high), xlim=(0, None))
    figure.supxlabel("years asked for", fontsize=9)
    figure.supylabel("change of ventricle volume, %", fontsize=9)
    return as_svg(figure)
