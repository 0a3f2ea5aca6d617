"""For whom it works, over how many years, and on whom it was not trained: tables of subgroups and cohorts."""

import pandas as pd

from brainlapse.report.study import Study
from brainlapse.report.table import Cell, PageTable, Row, headings, numbers_of

# `by` → how the page calls it. The years have a figure of their own.
PARTS = {
    "diagnosis": "diagnosis at the source", "sex": "sex", "age_years": "age at the source, years",
    "field_strength_t": "field strength, T", "history_scans": "earlier scans",
}  # fmt: skip
YEARS = "interval_years"
CELLS = (
    Cell("SSIM in the brain over copy ↑", "brain", "ssim_brain", 4, "gain"),
    Cell("error where it changed ↓", "changed", "mae_changed", 3),
    Cell("correlation of change ↑", "brain", "change_correlation", 2),
    Cell("ventricles: true, % a year", "ventricles", "true_volume_rate_percent_per_year", 1),
    Cell("predicted", "ventricles", "volume_rate_percent_per_year", 1),
)
EXTERNAL = (
    Cell("SSIM in the brain over copy ↑", "brain", "ssim_brain", 4, "gain_difference"),
    Cell("error where it changed, over copy ↓", "changed", "mae_changed", 3, "gain_difference"),
    Cell("correlation of change ↑", "brain", "change_correlation", 2, "difference"),
)


def subgroups(study: Study, cohort: str, model: str) -> PageTable | None:
    """One row a level of each part of the cohort's people, for one model."""
    found = _of(study, cohort, model)
    return _table(
        found[found["by"].isin(PARTS)],
        f"{model} by what is known at the source scan. To find out, not to prove: the groups are small and "
        "nothing is corrected for their number.",
        "group",
    )


def by_years(study: Study, cohort: str, model: str) -> PageTable | None:
    """One row a range of intervals, for one model."""
    found = _of(study, cohort, model)
    caption = f"{model} by the years between source and follow-up."
    return _table(found[found["by"] == YEARS], caption, "years")


def external(study: Study, models: list[str]) -> PageTable | None:
    """Each cohort that nothing was trained on against the test people of one that was, for every model."""
    found = study.external[study.external["model"].isin(models)]
    rows = []
    for (cohort, other, model), part in found.groupby(["cohort", "other", "model"], sort=False):
        people = f"{part['subjects'].max()}, {part['other_subjects'].max()}"
        rows.append(
            Row(f"{model}: {cohort} − {other}", [(people, ""), *(cell.of(part) for cell in EXTERNAL)])
        )
    if not rows:
        return None
    return PageTable(
        "A cohort that was not trained on minus the test people of one that was. Other people and other "
        "scanners: both sides are resampled. Below 0 of ↑ the model does worse there.",
        ["people, others", *headings(EXTERNAL)], rows, "model: cohort − cohort", numbers_of(found),
        "6_evaluate/cohorts.tsv",
    )  # fmt: skip


def _of(study: Study, cohort: str, model: str) -> pd.DataFrame:
    rows = study.subgroups
    rows = rows[(rows["cohort"] == cohort) & (rows["model"] == model)]
    return rows.assign(level=rows["level"].fillna("not known"))


def _table(found: pd.DataFrame, caption: str, first: str) -> PageTable | None:
    """One row a part and level, with how many people and follow-ups it has."""
    rows = []
    for (by, level), part in found.groupby(["by", "level"], sort=False):
        counts = f"{int(part['subjects'].max())}, {int(part['requests'].max())}"
        name = f"{PARTS[by]}: {level}" if by in PARTS else str(level)
        rows.append(Row(name, [(counts, ""), *(cell.of(part) for cell in CELLS)]))
    if not rows:
        return None
    heads = ["people, follow-ups", *headings(CELLS)]
    return PageTable(caption, heads, rows, first, numbers_of(found), "6_evaluate/subgroups.tsv")
