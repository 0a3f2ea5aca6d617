"""The regions' volumes of a sample and of the truth: millilitres, and percent of change from the source."""

from collections.abc import Iterator

from brainlapse.evaluate.case import Case
from brainlapse.evaluate.volumetry import REGIONS, Ruler, Tissues

Score = tuple[str, str, float]  # region, metric, value


def regional_scores(case: Case, ruler: Ruler, tissues: Tissues | None, years: float) -> Iterator[Score]:
    """Rows of scores; those of the truth only where the case has one. `years` is the interval."""
    before = ruler.volumes_ml(case.source, case.brain, tissues)
    after = ruler.volumes_ml(case.sample, case.brain, tissues)
    true = None if case.truth is None else ruler.volumes_ml(case.truth, case.brain, tissues)
    for region in REGIONS:
        change = _percent(after[region], before[region])
        yield region, "volume_ml", after[region]
        yield region, "volume_change_percent", change
        if true is not None:
            true_change = _percent(true[region], before[region])
            yield region, "true_volume_ml", true[region]
            yield region, "true_volume_change_percent", true_change
            yield region, "volume_rate_error_percent_per_year", abs(change - true_change) / years


def _percent(after: float, before: float) -> float:
    return 100 * (after - before) / before if before > 0 else float("nan")
