"""What cannot be true of one person over their scans: told, and where it matters taken out."""

import logging

import pandas as pd

from brainlapse.manifest.units import DAYS_PER_YEAR

AGE_TOLERANCE_YEARS = 1.5  # ages in whole years may be off by one
NAMED = 5  # of those that a warning counts

log = logging.getLogger(__name__)


def settle_oddities(scans: pd.DataFrame) -> pd.DataFrame:
    """Return the scans with sex missing where a person's scans differ in it, and warn of ages that cannot be.

    Ages are left as they are: intervals come from dates alone.
    """
    two_sexes = scans.groupby("subject")["sex"].transform("nunique") > 1
    _warn(scans[two_sexes], "their scans differ in the sex recorded; it is taken as missing")
    first = scans.sort_values(["days", "scan"]).groupby("subject")[["age_years", "days"]].transform("first")
    aged = scans["age_years"] - first["age_years"]
    passed = (scans["days"] - first["days"]).astype("float64") / DAYS_PER_YEAR
    _warn(
        scans[(aged - passed).abs() > AGE_TOLERANCE_YEARS],
        "their ages and dates differ by over 1.5 years; intervals come from the dates",
    )
    return scans.assign(sex=scans["sex"].mask(two_sexes, None))


def _warn(scans: pd.DataFrame, what: str) -> None:
    people = sorted(scans["subject"].unique())
    if people:
        log.warning("manifest: %d people: %s: %s", len(people), what, ", ".join(people[:NAMED]))
