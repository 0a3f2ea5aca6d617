"""For whom it works, over how many years, and on whom it was not trained: tables of subgroups and cohorts."""

import pandas as pd

from brainlapse.report.study import Study
from brainlapse.report.table import PageTable, Row, cell, in_order, numbers_of, only
from brainlapse.report.words import number

# `by` → how the page calls it. The years have a figure of their own.
PARTS = {
    "diagnosis": "diagnosis at the source", "sex": "sex", "age_years": "age at the source, years",
    "field_strength_t": "field strength, T", "history_scans": "earlier scans",
}  # fmt: skip
YEARS = "interval_years"
# (region, metric, heading, digits, value or gain)
SHOWN = (
    ("brain", "ssim_brain", "SSIM in the brain over copy ↑", 4, "gain"),
    ("changed", "mae_changed", "error where it changed ↓", 3, "value"),
    ("brain", "change_correlation", "correlation of change ↑", 2, "value"),
    ("ventricles", "true_volume_rate_percent_per_year", "ventricles: true, % a year", 1, "value"),
    ("ventricles", "volume_rate_percent_per_year", "predicted", 1, "value"),
)
EXTERNAL = (
    ("brain", "ssim_brain", "SSIM in the brain over copy ↑", 4),
    ("changed", "mae_changed", "error where it changed, over copy ↓", 3),
    ("brain", "change_correlation", "correlation of change ↑", 2),
)


def subgroups(study: Study, cohort: str, model: str) -> PageTable | None:
    """One row a level of each part of the cohort's people, for one model."""
    found = _of(study, cohort, model)
    found = found[found["by"].isin(PARTS)]
    rows = [
        Row(f"{PARTS[by]}: {level}", [_count(part), *(_shown(part, *what) for what in SHOWN)])
        for (by, level), part in found.groupby(["by", "level"], sort=False)
    ]
    if not rows:
        return None
    return PageTable(
        f"{model} by what is known at the source scan. To find out, not to prove: the groups are small and "
        f"nothing "
        "is corrected for their number.",
        ["people, follow-ups", *(heading for _, _, heading, _, _ in SHOWN)], rows, "group", numbers_of(found),
        "6_evaluate/subgroups.tsv",
    )  # fmt: skip


def by_years(study: Study, cohort: str, model: str) -> PageTable | None:
    """One row a range of intervals, for one model."""
    found = _of(study, cohort, model)
    found = found[found["by"] == YEARS]
    rows = [
        Row(str(level), [_count(part), *(_shown(part, *what) for what in SHOWN)])
        for level, part in found.groupby("level", sort=False)
    ]
    if not rows:
        return None
    return PageTable(
        f"{model} by the years between source and follow-up.",
        ["people, follow-ups", *(heading for _, _, heading, _, _ in SHOWN)], rows, "years", numbers_of(found),
        "6_evaluate/subgroups.tsv",
    )  # fmt: skip


def external(study: Study, models: list[str]) -> PageTable | None:
    """Each cohort that nothing was trained on against the test people of one that was, for every model."""
    found = study.external
    rows = []
    for (cohort, other), part in found.groupby(["cohort", "other"], sort=False):
        for model in in_order(part["model"]):
            if model not in models:
                continue
            own = part[part["model"] == model]
            cells = []
            for region, metric, _, digits in EXTERNAL:
                row = only(own, region=region, metric=metric)
                what = "difference" if metric == "change_correlation" else "gain_difference"
                cells.append(cell(row, what, digits, sign=True))
            people = own[["subjects", "other_subjects"]].max()
            rows.append(
                Row(f"{model}: {cohort} − {other}", [(f"{people.iloc[0]}, {people.iloc[1]}", ""), *cells])
            )
    if not rows:
        return None
    return PageTable(
        "A cohort that was not trained on minus the test people of one that was. Other people and other "
        "scanners: "
        "both sides are resampled. Below 0 of ↑ the model does worse there.",
        ["people, others", *(heading for _, _, heading, _ in EXTERNAL)], rows, "model: cohort − cohort",
        numbers_of(found), "6_evaluate/cohorts.tsv",
    )  # fmt: skip


def _of(study: Study, cohort: str, model: str) -> pd.DataFrame:
    rows = study.subgroups
    rows = rows[(rows["cohort"] == cohort) & (rows["model"] == model)]
    return rows.assign(level=rows["level"].fillna("not known"))


def _count(part: pd.DataFrame) -> tuple[str, str]:
    return f"{int(part['subjects'].max())}, {int(part['requests'].max())}", ""


def _shown(
    part: pd.DataFrame, region: str, metric: str, _heading: str, digits: int, what: str
) -> tuple[str, str]:
    row = only(part, region=region, metric=metric)
    if row is None or pd.isna(row[what]):
        return number(float("nan")), ""
    return cell(row, what, digits, sign=what == "gain")
