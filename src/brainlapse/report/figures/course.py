"""The course of one region of one person: predicted, with the usual error, and as it came."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from brainlapse.report.style import ACCENT, INK, MUTED, as_svg, new_figure


def draw(predicted: pd.DataFrame, true: pd.DataFrame, error_after: Callable[[float], float] | None) -> str:
    """Change in percent against years: a line, a band of `error_after` percent, bars of the draws, crosses.

    `predicted` and `true` have `interval_years` and `value` (percent), the
    first one also `half_width` of the interval of its draws, or NaN.
    """
    figure = new_figure(2.3, 1.8)
    axes = figure.subplots()
    years = np.array([0.0, *predicted["interval_years"]])
    change = np.array([0.0, *predicted["value"]])
    if error_after is not None:
        fine = np.linspace(0, years.max(), 60)
        off = np.array([error_after(year) for year in fine])
        middle = np.interp(fine, years, change)
        axes.fill_between(fine, middle - off, middle + off, color=ACCENT, alpha=0.15, linewidth=0)
    axes.axhline(0, color=MUTED, linewidth=0.6)
    axes.plot(years, change, "o-", color=ACCENT, markersize=3.5)
    axes.errorbar(years[1:], change[1:], predicted["half_width"], fmt="none", color=ACCENT, capsize=2.5)
    axes.scatter(true["interval_years"], true["value"], marker="x", color=INK, s=28, zorder=3)
    axes.set_xlabel("years", fontsize=8)
    axes.set_ylabel("%", fontsize=8, rotation=0, labelpad=8)
    return as_svg(figure)
