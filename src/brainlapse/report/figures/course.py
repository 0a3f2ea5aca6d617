"""The course of one person's volumes: foretold, with the usual error, and as it came."""

import pandas as pd

from brainlapse.report.figures.panels import panels
from brainlapse.report.style import ACCENT, INK, MUTED, as_svg


def draw(foretold: pd.DataFrame, true: pd.DataFrame, errors: dict[str, float]) -> str | None:
    """A panel a region: change in percent against years.

    `foretold` and `true` have `region`, `interval_years` and `value` (percent);
    `errors` is by region the mean error of the rate, percent a year.
    """
    regions = [region for region in errors if region in set(foretold["region"])]
    if not regions:
        return None
    figure, axes_of_each = panels(regions, height_in=2.4, shared=False)
    for axes, region in zip(axes_of_each, regions, strict=True):
        line = foretold[foretold["region"] == region].sort_values("interval_years")
        years = [0.0, *line.loc[line["interval_years"] > 0, "interval_years"]]
        change = [0.0, *line.loc[line["interval_years"] > 0, "value"]]
        off = [errors[region] * year for year in years]
        low, high = ([c + sign * o for c, o in zip(change, off, strict=True)] for sign in (-1, 1))
        axes.fill_between(years, low, high, color=ACCENT, alpha=0.15, linewidth=0)
        axes.plot(years, change, "o-", color=ACCENT, markersize=3.5)
        dots = true[true["region"] == region]
        axes.scatter(dots["interval_years"], dots["value"], marker="x", color=INK, s=28, zorder=3)
        axes.axhline(0, color=MUTED, linewidth=0.6)
        axes.set_title(region, loc="left")
    figure.supxlabel("years after the source scan", fontsize=9)
    figure.supylabel("change of volume, %", fontsize=9)
    return as_svg(figure)
