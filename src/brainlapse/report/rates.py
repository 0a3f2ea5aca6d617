"""Does a model follow how fast each region of a person changes? Tables of rates a year, by region."""

import pandas as pd

from brainlapse.report.study import FLOORS, Study
from brainlapse.report.table import PageTable, Row, cell, numbers_of, only
from brainlapse.report.words import number

REGIONS = ("ventricles", "hippocampi", "brain", "grey", "white")
METRICS = (
    "true_volume_rate_percent_per_year", "volume_rate_percent_per_year", "volume_rate_bias_percent_per_year",
    "volume_rate_error_percent_per_year", "volume_rate_pearson", "volume_rate_slope", "volume_retest_percent",
)  # fmt: skip
HEAD = ["true, % a year", "predicted", "bias", "mean error ↓", "r over people ↑", "slope (1)", "rescan, %"]
_SHOWN = METRICS[:-1]


def by_region(study: Study, cohort: str, model: str) -> PageTable | None:
    """One row a region, for one model; the last column is what a scan of the same day would show."""
    found = _rows(study, cohort)
    own = found[found["model"] == model]
    rows = []
    for region in REGIONS:
        part = own[own["region"] == region]
        if part.empty:
            continue
        cells = [cell(only(part, metric=metric), "value", 2) for metric in _SHOWN]
        retest = only(found, region=region, metric="volume_retest_percent")
        rows.append(Row(region, [*cells, cell(retest, "value", 2)]))
    if not rows:
        return None
    return PageTable(
        f"Change of volume a year of {model}, by region. Bias is predicted minus true; slope and r are of "
        f"the "
        "predicted on the true rate, over people. The last column is the change that a simulated second "
        "scan of "
        "the same day shows: less cannot be told from noise in one person.",
        HEAD, rows, "region", numbers_of(own), "6_evaluate/comparisons.tsv",
    )  # fmt: skip


def by_model(study: Study, cohort: str, models: list[str], region: str) -> PageTable | None:
    """One row a model, for one region; floors have no rate but none."""
    found = _rows(study, cohort)
    part = found[found["region"] == region]
    rows = []
    for model in models:
        own = part[part["model"] == model]
        if model in FLOORS or own.empty:
            continue
        kind = "primary" if model == models[0] else "model"
        rows.append(Row(model, [cell(only(own, metric=metric), "value", 2) for metric in _SHOWN], kind))
    if not rows:
        return None
    return PageTable(
        f"The same of the {region}, for every model.", HEAD[:-1], rows, "model", numbers_of(part),
        "6_evaluate/comparisons.tsv",
    )  # fmt: skip


def _rows(study: Study, cohort: str) -> pd.DataFrame:
    rows = study.comparisons
    return rows[(rows["cohort"] == cohort) & rows["metric"].isin(METRICS)]


def retest_sentence(study: Study, cohort: str) -> str:
    """How large noise is beside the true change of the ventricles in the study; empty without a rescan."""
    found = _rows(study, cohort)
    retest = only(found, region="ventricles", metric="volume_retest_percent")
    true = only(found, region="ventricles", metric="true_volume_rate_percent_per_year")
    if retest is None or true is None:
        return ""
    return (
        f"Two scans of one day differ by {number(retest['value'], 1)} % in the measured volume of the "
        f"ventricles; "
        f"the true change here is {number(true['value'], 1)} % a year on average."
    )
