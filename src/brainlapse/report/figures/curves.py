"""Training curves."""

import numpy as np
import pandas as pd

from brainlapse.report.figures.panels import panels
from brainlapse.report.style import ACCENT, FAINT, as_svg

_LINES = ("-", "--", ":", "-.")


def draw(journals: dict[str, pd.DataFrame]) -> str | None:
    """Training loss against steps, a panel a model: losses of different targets have no common scale.

    Where two players train against each other each has its line, named in the panel.
    """
    drawn = {model: journal.dropna() for model, journal in journals.items() if len(journal.dropna())}
    if not drawn:
        return None
    figure, axes_of_each = panels(list(drawn), height_in=1.7, shared=False)
    for axes, (model, journal) in zip(axes_of_each, drawn.items(), strict=True):
        thinned = journal.groupby(np.arange(len(journal)) * 400 // max(len(journal), 400)).mean()
        losses = thinned.drop(columns="step")
        for (name, loss), line in zip(losses.items(), _LINES, strict=False):
            smooth = loss.rolling(max(1, len(thinned) // 20), center=True, min_periods=1).median()
            axes.plot(thinned["step"], loss, color=FAINT, linewidth=0.7)
            axes.plot(thinned["step"], smooth, line, color=ACCENT, linewidth=1.4, label=name)
        if losses.shape[1] > 1:
            axes.legend(fontsize=7, frameon=False)
        axes.set_title(model, loc="left")
        low, high = losses.min(axis=None), losses.max(axis=None)
        if low > 0 and high > 10 * low:
            axes.set_yscale("log")
        axes.tick_params(labelsize=7.5, which="both")
    figure.supxlabel("step", fontsize=9)
    figure.supylabel("loss", fontsize=9)
    return as_svg(figure)
