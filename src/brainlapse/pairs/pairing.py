"""All earlier → later scans of a person whose interval lies within limits."""

from collections.abc import Iterator

import pandas as pd

from brainlapse import tables

DAYS_PER_YEAR = 365.25
ABOUT_THE_SOURCE = ("age_years", "sex", "diagnosis")


def pair_up(
    scans: pd.DataFrame, min_interval_years: float, max_interval_years: float, history: int
) -> pd.DataFrame:
    """Return the columns of tables.PAIRS but `split`, sorted by cohort, subject, source and target.

    `history` lists at most that many scans before the source, newest first. A
    pair never runs backwards, and its interval comes from `days` alone.
    """
    rows = [
        row
        for _, visits in scans.groupby(["cohort", "subject"], sort=True)
        for row in _pairs_of(visits.sort_values(["days", "scan"]), history)
        if min_interval_years <= row["interval_years"] <= max_interval_years
    ]
    return pd.DataFrame(rows, columns=[name for name in tables.PAIRS.names if name != "split"])


def _pairs_of(visits: pd.DataFrame, history: int) -> Iterator[dict]:
    visits = list(visits.itertuples())
    for i, source in enumerate(visits):
        earlier = [visit.scan for visit in visits[:i][::-1] if visit.days < source.days][:history]
        for target in visits[i + 1 :]:
            yield {
                "pair": f"{source.cohort}_{source.scan}_{target.scan}",
                "cohort": source.cohort,
                "subject": source.subject,
                "source_scan": source.scan,
                "target_scan": target.scan,
                **{name: getattr(source, name) for name in ABOUT_THE_SOURCE},
                "interval_years": (target.days - source.days) / DAYS_PER_YEAR,
                "history": ",".join(earlier) or None,
            }
