"""Age, sex and diagnosis at each scan of OASIS-3, from the tables of people and of clinical days."""

import logging

import pandas as pd

from brainlapse.manifest.clinical import nearest
from brainlapse.manifest.oasis3_diagnosis import clinical_days
from brainlapse.manifest.oasis3_tables import cells_of, has, numbers_of, without_snapshots
from brainlapse.manifest.units import DAYS_PER_YEAR

NAMED = 5  # of those that a warning counts
OLDEST_YEARS = 120
AGES_AGREE_YEARS = 1.0
SEX = {"1": "M", "m": "M", "male": "M", "2": "F", "f": "F", "female": "F"}

log = logging.getLogger(__name__)


def about_people(rows: pd.DataFrame, tables: dict[str, pd.DataFrame], window_days: int) -> dict:
    """Return `age_years`, `sex`, `diagnosis` and `diagnosis_source` at each row's scan.

    The age is that at entry and the row's day; the diagnosis that of the
    person's nearest clinical day within the window.
    """
    day = rows["day"].astype("float64")
    entry, sex = _at_entry(tables)
    age = rows["subject"].map(entry).astype("float64") + day / DAYS_PER_YEAR
    scans = pd.DataFrame({"subject": rows["subject"], "when": day})
    found = nearest(scans, clinical_days(tables), window_days)["diagnosis"]
    diagnosis = found.where(found.isin(["CN", "MCI", "AD"]), None).astype(object)
    return {
        "age_years": age.round(2),
        "sex": rows["subject"].map(sex).astype(object),
        "diagnosis": diagnosis,
        "diagnosis_source": pd.Series("visit", index=rows.index, dtype=object).where(diagnosis.notna(), None),
    }


def _at_entry(tables: dict[str, pd.DataFrame]) -> tuple[pd.Series, pd.Series]:
    """Age at entry and sex by person. The table of 2024 wins over the ADRC's, with a warning."""
    told = {name: table for name, table in tables.items() if has(table, "subject", "age_at_entry")}
    new = without_snapshots(
        "demographics", {n: table for n, table in told.items() if not has(table, "visit")}
    )
    old = [table for table in told.values() if has(table, "visit")]
    entry, before = _ages(new), _ages(old)
    apart = (entry - before).abs() > AGES_AGREE_YEARS
    if apart.any():
        people = sorted(apart.index[apart])
        log.warning(
            "manifest: for %d people demographics and ADRC clinical data differ by over a year in the age at "
            "entry; that of demographics counts: %s", len(people), ", ".join(people[:NAMED]),
        )  # fmt: skip
    sexed = [pd.DataFrame({"subject": cells_of(t, "subject"), "fact": _sex(t)}) for t in [*new, *old]]
    return entry.combine_first(before), _by_person(sexed).groupby(level=0).first()


def _sex(table: pd.DataFrame) -> pd.Series:
    return cells_of(table, "sex").str.lower().str.removesuffix(".0").map(SEX)


def _ages(tables: list[pd.DataFrame]) -> pd.Series:
    facts = [(cells_of(table, "subject"), numbers_of(table, "age_at_entry")) for table in tables]
    told = _by_person([pd.DataFrame({"subject": who, "fact": age}) for who, age in facts]).astype("float64")
    return told[told.between(1, OLDEST_YEARS)].groupby(level=0).median()


def _by_person(facts: list[pd.DataFrame]) -> pd.Series:
    """The fact by person, those told in order of its value."""
    empty = pd.DataFrame(columns=["subject", "fact"], dtype=object)
    return pd.concat([empty, *facts]).dropna().sort_values(["subject", "fact"]).set_index("subject")["fact"]
