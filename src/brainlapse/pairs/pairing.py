"""All earlier → later scans of a person whose interval lies within limits and whose scanners are alike."""

from collections.abc import Iterator

import pandas as pd

from brainlapse import tables

DAYS_PER_YEAR = 365.25
ABOUT_THE_SOURCE = ("age_years", "sex", "diagnosis")


def pair_up(
    scans: pd.DataFrame,
    min_interval_years: float,
    max_interval_years: float,
    history: int,
    field_strength: str = "same",
) -> pd.DataFrame:
    """Return the columns of tables.PAIRS but `split`, sorted by cohort, subject, source and target.

    A pair never runs backwards or within one day, and its interval comes from
    `days` alone. With `field_strength` `same`, a 1.5 T scan and a 3 T scan make
    no pair, nor is one the other's history; a scan whose field strength is not
    known goes with all; `any` asks nothing. `history` lists at most that many
    scans before the source, newest first, `history_years` how long before it they were made.
    """
    field = field_of(scans["field_strength_t"]) if field_strength == "same" else float("nan")
    rows = [
        row
        for _, visits in scans.assign(field=field).groupby(["cohort", "subject"], sort=True)
        for row in _pairs_of(visits.sort_values(["days", "scan"]), history)
        if min_interval_years <= row["interval_years"] <= max_interval_years
    ]
    return pd.DataFrame(rows, columns=[name for name in tables.PAIRS.names if name != "split"])


def field_of(tesla: pd.Series) -> pd.Series:
    """Field strength as scanners are sold, in steps of 0.5 T: headers say 1.494 or 2.89. NaN: not known."""
    rounded = (tesla.astype("float64") * 2).round() / 2
    return rounded.where(rounded > 0)


def _pairs_of(visits: pd.DataFrame, history: int) -> Iterator[dict]:
    visits = list(visits.itertuples())
    for i, source in enumerate(visits):
        earlier = [visit for visit in visits[:i][::-1] if _may_pair(visit, source)][:history]
        years_before = [f"{(source.days - visit.days) / DAYS_PER_YEAR:.4f}" for visit in earlier]
        for target in visits[i + 1 :]:
            if not _may_pair(source, target):
                continue
            yield {
                "pair": f"{source.cohort}_{source.scan}_{target.scan}",
                "cohort": source.cohort,
                "subject": source.subject,
                "source_scan": source.scan,
                "target_scan": target.scan,
                **{name: getattr(source, name) for name in ABOUT_THE_SOURCE},
                "interval_years": (target.days - source.days) / DAYS_PER_YEAR,
                "history": ",".join(visit.scan for visit in earlier) or None,
                "history_years": ",".join(years_before) or None,
            }


def _may_pair(earlier, later) -> bool:
    """Whether time passes between two scans and their field strengths do not differ, as far as is known."""
    known = earlier.field == earlier.field and later.field == later.field
    return earlier.days < later.days and not (known and earlier.field != later.field)
