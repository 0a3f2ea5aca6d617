"""Which of a study's scans are used: one a visit, people with two visits; and the funnel that says so.

The closed list of reasons, in the order in which a scan can be lost, is STEPS.
"""

import numpy as np
import pandas as pd

FAR_APART_DAYS = 30  # dates of one image that differ by more cannot both be right

UNSAFE = "unsafe member of an archive"
SIDE_FILE = "side file that cannot be read"
NO_TABLE_ROW = "file without a table row"
NO_IDENTIFIER = "no valid subject or image id"
CONFLICT = "what is said of one image disagrees"
NO_FILE = "no image file"
TWO_FILES = "two different files of one image"
UNREADABLE = "image cannot be unpacked or converted"
NOT_MRI = "not MRI"
NOT_T1 = "not a T1-weighted structural scan"
NOT_ORIGINAL = "processed, not original"
NOT_PROCESSED = "original, not processed"
NO_SESSION = "no session"
NO_DATE = "no acquisition date"
IMPOSSIBLE_DATE = "impossible acquisition date"
DATES_DISAGREE = "dates of one image are over 30 days apart"
NOT_CHOSEN = "another scan of the same date was chosen"
SAME_VISIT = "an earlier scan of the same visit was chosen"
ONE_VISIT = "the person's only usable visit"

# What is left after each step, and the reasons that take scans away in it.
STEPS = {
    "rows of the tables, and files without one": (),
    "images, each with one valid row": (UNSAFE, SIDE_FILE, NO_TABLE_ROW, NO_IDENTIFIER, CONFLICT),
    "image file found": (NO_FILE, TWO_FILES, UNREADABLE),
    "MRI": (NOT_MRI,),
    "T1-weighted": (NOT_T1,),
    "original (or processed, as asked)": (NOT_ORIGINAL, NOT_PROCESSED),
    "dated": (NO_SESSION, NO_DATE, IMPOSSIBLE_DATE, DATES_DISAGREE),
    "one a visit": (NOT_CHOSEN, SAME_VISIT),
    "at least two visits": (ONE_VISIT,),
}
STEP_OF = {reason: step for step, reasons in STEPS.items() for reason in reasons}
REASONS = tuple(STEP_OF)


def select(rows: pd.DataFrame, same_visit_days: int) -> pd.DataFrame:
    """Return the rows with `reason` filled in for those not chosen and `days` for those chosen.

    Of several scans of a person on one date the first is taken when sorted by
    repeat (repeats last), by the number of the person's dates that share field
    strength and manufacturer (most first), and by the number in the image id.
    Of several dates of one field strength within `same_visit_days` the first
    is taken: ADNI's screening scan is its baseline. The order of the rows does
    not matter. Rows that have a reason already are left as they are.
    """
    rows = rows.copy()
    rows["reason"] = rows["reason"].astype(object)
    when = _when(rows)
    _reject(rows, _second_of_a_date(rows, when), NOT_CHOSEN)
    _reject(rows, _again_within(rows, when, same_visit_days), SAME_VISIT)
    usable = rows[rows["reason"].isna()]
    visits = usable.groupby("subject")["scan"].transform("size")
    _reject(rows, visits.index[visits < 2], ONE_VISIT)
    usable = rows[rows["reason"].isna()]
    days = when[usable.index] - when[usable.index].groupby(usable["subject"]).transform("min")
    return rows.assign(days=days.astype("Int64").reindex(rows.index))


def funnel(rows: pd.DataFrame, cohort: str) -> pd.DataFrame:
    """Return the scans and people left after each of STEPS (tables.FUNNEL).

    The first step counts table rows, of which several may speak of one image;
    all others count images.
    """
    left, steps = rows, []
    for step, reasons in STEPS.items():
        left = left[~left["reason"].isin(reasons)]
        count = len(left) if steps else int(rows["table_rows"].clip(lower=1).sum())
        steps.append({"cohort": cohort, "step": step, "rows": count, "subjects": left["subject"].nunique()})
    return pd.DataFrame(steps)


def _reject(rows: pd.DataFrame, index: pd.Index, reason: str) -> None:
    rows.loc[index, "reason"] = reason


def _when(rows: pd.DataFrame) -> pd.Series:
    """Days on a clock of the cohort's own: the date, or where there is none the study's day."""
    dates = pd.to_datetime(rows["acquired"], format="%Y-%m-%d", errors="coerce")
    ordinals = (dates - pd.Timestamp("1900-01-01")) / pd.Timedelta(days=1)
    return ordinals.where(ordinals.notna(), pd.to_numeric(rows["day"], errors="coerce"))


def _usable(rows: pd.DataFrame, when: pd.Series) -> pd.DataFrame:
    """The rows without a reason, with their day. pandas would fill an empty frame with all of `when`."""
    usable = rows[rows["reason"].isna()]
    return usable.assign(when=when.loc[usable.index])


def _second_of_a_date(rows: pd.DataFrame, when: pd.Series) -> pd.Index:
    usable = _usable(rows, when)
    usable["field"], usable["vendor"] = _field(usable), usable["manufacturer"].fillna("").str.lower()
    usable["alike"] = -usable.groupby(["subject", "field", "vendor"])["when"].transform("nunique")
    usable["number"] = pd.to_numeric(usable["scan"].str.extract(r"(\d+)", expand=False), errors="coerce")
    usable["repeat"] = usable["repeat"].fillna(False).astype(bool)
    ranked = usable.sort_values(["repeat", "alike", "number", "scan"])
    return ranked.index[ranked.duplicated(["subject", "when"])]


def _again_within(rows: pd.DataFrame, when: pd.Series, days: int) -> pd.Index:
    """The scans that follow a chosen one of the same person and field strength too soon.

    A field strength that is not known is the same as any.
    """
    usable = _usable(rows, when).assign(field=_field).sort_values(["subject", "when", "scan"])
    again, person, chosen = [], None, {}
    for subject, field, day in zip(usable["subject"], usable["field"], usable["when"], strict=True):
        if subject != person:
            person, chosen = subject, {}
        alike = [last for other, last in chosen.items() if field in (other, 0) or other == 0]
        again.append(any(day - last <= days for last in alike))
        if not again[-1]:
            chosen[field] = day
    return usable.index[np.array(again, bool)]


def _field(rows: pd.DataFrame) -> pd.Series:
    """Field strength as scanners are sold, 1.5 T or 3 T; 0 where it is not known."""
    return (pd.to_numeric(rows["field_strength_t"], errors="coerce") * 2).round().fillna(0) / 2
