"""Does a model follow how fast each region of a person changes? Tables of rates a year, by region."""

import pandas as pd

from brainlapse.report.study import FLOORS, Study
from brainlapse.report.table import Cell, PageTable, Row, numbers_of
from brainlapse.report.words import number

REGIONS = ("ventricles", "hippocampi", "brain", "grey", "white")
RETEST = "volume_retest_percent"
_HEADINGS = {
    "true_volume_rate_percent_per_year": "true, % a year",
    "volume_rate_percent_per_year": "predicted",
    "volume_rate_bias_percent_per_year": "bias",
    "volume_rate_error_percent_per_year": "mean error ↓",
    "volume_rate_pearson": "r over people ↑",
    "volume_rate_slope": "slope (1)",
}


def by_region(study: Study, cohort: str, model: str) -> PageTable | None:
    """One row a region, for one model; the last column is what a scan of the same day would show."""
    found = _rows(study, cohort)
    own = found[found["model"] == model]
    retests = found[found["metric"] == RETEST]
    rows = [
        Row(region, [*_cells(own, region), Cell("", region, RETEST, 2).of(retests)])
        for region in REGIONS
        if region in set(own["region"])
    ]
    if not rows:
        return None
    return PageTable(
        f"Change of volume a year of {model}, by region. Bias is predicted minus true; slope and r are of "
        "the predicted on the true rate, over people. The last column is the change that a simulated second "
        "scan of the same day shows: less cannot be told from noise in one person.",
        [*_HEADINGS.values(), "rescan, %"], rows, "region", numbers_of(own), "6_evaluate/comparisons.tsv",
    )  # fmt: skip


def by_model(study: Study, cohort: str, models: list[str], region: str) -> PageTable | None:
    """One row a model, for one region; the floors foretell no rate."""
    found = _rows(study, cohort)
    part = found[(found["region"] == region) & ~found["model"].isin(FLOORS)]
    of_models = dict(list(part.groupby("model")))
    rows = [
        Row(model, _cells(of_models[model], region), "primary" if model == models[0] else "model")
        for model in models
        if model in of_models
    ]
    if not rows:
        return None
    return PageTable(
        f"The same of the {region}, for every model.", list(_HEADINGS.values()), rows, "model",
        numbers_of(part), "6_evaluate/comparisons.tsv",
    )  # fmt: skip


def _cells(own: pd.DataFrame, region: str) -> list[tuple[str, str]]:
    return [Cell(heading, region, metric, 2).of(own) for metric, heading in _HEADINGS.items()]


def _rows(study: Study, cohort: str) -> pd.DataFrame:
    rows = study.comparisons
    return rows[(rows["cohort"] == cohort) & rows["metric"].isin([*_HEADINGS, RETEST])]


def retest_sentence(study: Study, cohort: str) -> str:
    """How large noise is beside the true change of the ventricles in the study; empty without a rescan."""
    found = _rows(study, cohort)
    retest = Cell("", "ventricles", RETEST, 1).row_of(found)
    true = Cell("", "ventricles", "true_volume_rate_percent_per_year", 1).row_of(found)
    if retest is None or true is None:
        return ""
    return (
        f"Two scans of one day differ by {number(retest['value'], 1)} % in the measured volume of the "
        f"ventricles; the true change here is {number(true['value'], 1)} % a year on average."
    )
