"""The regions' volumes of a sample and of the truth, their change, and the change a year."""

from collections.abc import Iterator

Score = tuple[str, str, float]  # region, metric, value
Volumes = dict[str, float]  # region → millilitres


def regional_scores(before: Volumes, after: Volumes, true: Volumes | None, years: float) -> Iterator[Score]:
    """Rows of scores from the volumes of the source, of the sample and, where there is one, of the truth.

    Changes are in percent of the source's volume; rates are changes over `years`, the interval, and are
    left out where it is 0.
    """
    for region in before:
        change = _percent(after[region], before[region])
        yield region, "volume_ml", after[region]
        yield region, "volume_change_percent", change
        if years > 0:
            yield region, "volume_rate_percent_per_year", change / years
        if true is not None:
            true_change = _percent(true[region], before[region])
            yield region, "true_volume_ml", true[region]
            yield region, "true_volume_change_percent", true_change
            yield region, "true_volume_rate_percent_per_year", true_change / years
            yield region, "volume_rate_error_percent_per_year", abs(change - true_change) / years


def _percent(after: float, before: float) -> float:
    return 100 * (after - before) / before if before > 0 else float("nan")
