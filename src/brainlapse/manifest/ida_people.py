"""What a study's clinical tables say of its people, carried to the day of each scan.

The diagnosis at a scan is that of the nearest clinical visit within a window.
The group of an image table is the one a person entered the study with: it
stands in only where a download has no table of clinical visits at all, and
`diagnosis_source` says so. What came after the scan's own window never counts.
"""

import logging
from dataclasses import dataclass, field

import pandas as pd

from brainlapse.errors import Refused
from brainlapse.manifest.clinical import nearest
from brainlapse.manifest.units import DAYS_PER_YEAR

ENROLMENT = {
    "CN": "CN", "SMC": "CN", "NL": "CN", "HC": "CN", "MCI": "MCI", "EMCI": "MCI", "LMCI": "MCI",
    "AD": "AD", "DEMENTIA": "AD",
}  # fmt: skip
VISITS = ["person", "when", "diagnosis"]

log = logging.getLogger(__name__)


def _by_person() -> pd.Series:
    return pd.Series(dtype=object)


@dataclass(frozen=True)
class People:
    """Clinical facts by person; days are ordinals, as of datetime.date.toordinal."""

    visits: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=VISITS))
    born: pd.Series = field(default_factory=_by_person)  # the day of birth, as nearly as it is told
    sex: pd.Series = field(default_factory=_by_person)  # F or M
    group: pd.Series = field(default_factory=_by_person)  # the research group at enrolment
    used: frozenset[str] = frozenset()  # the tables that were of use


def with_people(rows: pd.DataFrame, person: pd.Series, people: People, window_days: int) -> pd.DataFrame:
    """Return the rows with age, sex, diagnosis and its source; `person` names each row's person.

    A decimal age in an image table or side file counts first, then the birth
    date, then an age in whole years.
    """
    when = ordinals(rows["acquired"])
    born = pd.to_numeric(person.map(people.born), errors="coerce")
    age = rows["age_exact"].fillna((when - born) / DAYS_PER_YEAR).fillna(rows["age_whole"])
    group = rows["group"].fillna(_text(person, people.group)).str.upper().map(ENROLMENT)
    diagnosis, source = _diagnosis(person, when, group, people.visits, window_days)
    sex = rows["sex"].fillna(_text(person, people.sex))
    return rows.assign(age_years=age.round(2), sex=sex, diagnosis=diagnosis, diagnosis_source=source)


def _text(person: pd.Series, facts: pd.Series) -> pd.Series:
    return person.map(facts).astype("str")


def ordinals(days: pd.Series) -> pd.Series:
    """ISO dates as days on one clock; NaN where there is none."""
    dates = pd.to_datetime(days, format="%Y-%m-%d", errors="coerce")
    return (dates - pd.Timestamp("0001-01-01")) / pd.Timedelta(days=1) + 1


def refuse_snapshots(tables: dict[str, pd.DataFrame], people: dict[str, set], kind: str) -> list[str]:
    """Return the tables of one kind to read; two that differ and speak of the same people are refused.

    A table of the same content under another name is read once.
    """
    kept: list[str] = []
    for name in sorted(tables):
        if any(tables[name].reset_index(drop=True).equals(tables[k].reset_index(drop=True)) for k in kept):
            continue
        other = next((k for k in kept if people[k] & people[name]), None)
        if other:
            raise Refused(
                f"{other} and {name} are two states of one table ({kind}) and differ. Which is right cannot "
                "be guessed: keep the newer one and move the other out of the folder."
            )
        kept.append(name)
    return kept


def _diagnosis(person, when, group, visits, window_days) -> tuple[pd.Series, pd.Series]:
    if visits.empty:
        if group.notna().any():
            log.warning(
                "manifest: no table of clinical visits (DXSUM, ADNIMERGE or the like): the diagnosis is the "
                "group that each person entered the study with"
            )
        return group, group.map(lambda _: "enrolment", na_action="ignore")
    scans = pd.DataFrame({"subject": person, "when": when})
    found = nearest(scans, visits.rename(columns={"person": "subject"}), window_days)["diagnosis"]
    return found, found.map(lambda _: "visit", na_action="ignore")
