"""Which of a study's scans are used: one a date, people with two visits; and the funnel that says so.

The closed list of reasons, in the order in which a scan can be lost, is STEPS.
"""

import pandas as pd

NO_TABLE_ROW = "file without a table row"
NO_IDENTIFIER = "no valid subject or image id"
REPEATED_ROW = "the same row again"
CONFLICT = "rows of one image disagree"
NO_FILE = "no image file"
DICOM = "DICOM series, not NIfTI"
NOT_T1 = "not a T1-weighted structural scan"
NOT_ORIGINAL = "processed, not original"
NO_DATE = "no acquisition date"
DATES_DISAGREE = "folder and table date are over 30 days apart"
NOT_CHOSEN = "another scan of the same date was chosen"
ONE_VISIT = "the person's only usable date"

# What is left after each step, and the reasons that take scans away in it.
STEPS = {
    "rows of the tables": (NO_TABLE_ROW,),
    "one valid row an image": (NO_IDENTIFIER, REPEATED_ROW, CONFLICT),
    "image file found": (NO_FILE, DICOM),
    "T1-weighted": (NOT_T1,),
    "original": (NOT_ORIGINAL,),
    "dated": (NO_DATE, DATES_DISAGREE),
    "one a date": (NOT_CHOSEN,),
    "at least two visits": (ONE_VISIT,),
}
REASONS = tuple(reason for reasons in STEPS.values() for reason in reasons)


def select(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with `reason` filled in for those not chosen and `days` for those chosen.

    Of several scans of a person on one date the first is taken when sorted by
    repeat (repeats last), then by the number in the image id: the order of the
    rows does not matter.
    """
    rows = rows.copy()
    rows["reason"] = rows["reason"].astype(object)
    usable = rows["reason"].isna()
    order = pd.DataFrame(
        {
            "repeat": rows["description"].str.contains("repeat|_rpt", case=False, na=False),
            "number": pd.to_numeric(rows["scan"].str.extract(r"(\d+)", expand=False), errors="coerce"),
            "scan": rows["scan"],
        }
    )
    ranked = rows[usable].loc[order[usable].sort_values(["repeat", "number", "scan"]).index]
    second = ranked[ranked.duplicated(["subject", "acquired"])].index
    rows.loc[second, "reason"] = NOT_CHOSEN
    usable = rows["reason"].isna()
    dates = rows[usable].groupby("subject")["acquired"].transform("size")
    rows.loc[dates[dates < 2].index, "reason"] = ONE_VISIT
    return rows.assign(days=_days_since_first(rows))


def funnel(rows: pd.DataFrame, cohort: str) -> pd.DataFrame:
    """Return the scans and people left after each of STEPS (tables.FUNNEL)."""
    left, steps = rows, []
    for step, reasons in STEPS.items():
        left = left[~left["reason"].isin(reasons)]
        steps.append(
            {"cohort": cohort, "step": step, "rows": len(left), "subjects": left["subject"].nunique()}
        )
    return pd.DataFrame(steps)


def _days_since_first(rows: pd.DataFrame) -> pd.Series:
    usable = rows[rows["reason"].isna()]
    dates = pd.to_datetime(usable["acquired"], format="%Y-%m-%d")
    first = dates.groupby(usable["subject"]).transform("min")
    return (dates - first).dt.days.astype("Int64").reindex(rows.index)
