"""What was found at a clinical visit, carried to the scan nearest to it: the same question in every study."""

import logging
from datetime import date

import numpy as np
import pandas as pd

FIRST_ORDINAL = date(1900, 1, 1).toordinal()  # no study's own clock runs for 1,900 years

log = logging.getLogger(__name__)


def nearest(scans: pd.DataFrame, visits: pd.DataFrame, window_days: int) -> pd.DataFrame:
    """Return the facts of `visits` for each scan, those of the person's visit nearest to it, on its index.

    `scans` has `subject` and `when`, `visits` these and a column a fact; `when`
    counts days, as date ordinals or on the study's own clock. Of two visits as
    near the earlier counts. A fact is missing where no visit within
    `window_days` has it: a visit without it is passed over, and so is a day
    for which two values of it are told. The order of the rows does not matter.
    """
    names = [name for name in visits.columns if name not in ("subject", "when")]
    asked = pd.DataFrame({"subject": _texts(scans["subject"]), "when": _days(scans["when"])})
    asked = asked.assign(place=range(len(asked))).dropna().sort_values("when", kind="stable")
    visits = visits.assign(subject=_texts(visits["subject"]), when=_days(visits["when"]))
    found = {name: _nearest(asked, _told(visits, name), window_days) for name in names}
    facts = {name: values.reindex(range(len(scans))).set_axis(scans.index) for name, values in found.items()}
    return pd.DataFrame(facts, index=scans.index)


def _texts(subjects: pd.Series) -> pd.api.extensions.ExtensionArray:
    return subjects.astype("str").array


def _days(when: pd.Series) -> np.ndarray:
    return pd.to_numeric(when, errors="coerce").to_numpy("float64", na_value=np.nan)


def _told(visits: pd.DataFrame, name: str) -> pd.DataFrame:
    """The days on which the fact is told, once each, in order of time."""
    told = visits[["subject", "when", name]].dropna().drop_duplicates()
    twice = told.duplicated(["subject", "when"], keep=False)
    if twice.any():
        _warn(told[twice], name)
    return told[~twice].sort_values("when", kind="stable")


def _warn(told: pd.DataFrame, name: str) -> None:
    days = told[["subject", "when"]].drop_duplicates().sort_values(["subject", "when"])
    first = days.iloc[0]
    log.warning(
        "manifest: two values of `%s` on one day of one person; it is taken as missing on these %d days, "
        "first of %s, %s",
        name, len(days), first["subject"], _in_words(first["when"]),
    )  # fmt: skip


def _in_words(when: float) -> str:
    return str(date.fromordinal(int(when))) if when >= FIRST_ORDINAL else f"day {when:g}"


def _nearest(asked: pd.DataFrame, told: pd.DataFrame, window_days: int) -> pd.Series:
    """The fact by the place of the scan. pandas takes the earlier of two as near."""
    found = pd.merge_asof(
        asked, told, on="when", by="subject", direction="nearest", tolerance=float(window_days)
    )
    return found.set_index("place")[told.columns[-1]]
