"""ADNI's clinical tables: ADNIMERGE, DXSUM, PTDEMOG and Study_Entry, under their old names or dated ones.

A table is known by its header. A person is their RID, which stays the same
where a person changes site or phase; the PTID ends in it.
"""

import re
from collections.abc import Callable, Iterable

import pandas as pd

from brainlapse.manifest.dates import parse_dates
from brainlapse.manifest.ida_people import VISITS, People, ordinals, refuse_snapshots
from brainlapse.manifest.study_table import column
from brainlapse.manifest.units import DAYS_PER_YEAR

# The headers by which a table is known; all must be there. The first kind that fits counts.
KINDS = {
    "ADNIMERGE": ("EXAMDATE", "DX", "AGE"),
    "DXSUM": ("EXAMDATE", ("DIAGNOSIS", "DXCHANGE", "DXCURREN")),
    "PTDEMOG": ("PTGENDER", ("PTDOB", "PTDOBYY")),
    "Study_Entry": ("entry_research_group",),
}
PERSON = ("PTID", "subject_id", "Subject", "Subject ID", "RID")
RID = re.compile(r"(?:\d{3}_S_)?0*(\d+)")
WORDS = {"CN": "CN", "NL": "CN", "NORMAL": "CN", "MCI": "MCI", "EMCI": "MCI", "LMCI": "MCI", "AD": "AD",
         "DEMENTIA": "AD"}  # fmt: skip
# What the numbers mean differs between the columns of the phases. DXCHANGE tells where a change led.
NUMBERS = {
    "DIAGNOSIS": {1: "CN", 2: "MCI", 3: "AD"},  # ADNI3 and 4
    "DXCHANGE": {1: "CN", 7: "CN", 9: "CN", 2: "MCI", 4: "MCI", 8: "MCI", 3: "AD", 5: "AD", 6: "AD"},  # GO, 2
    "DXCURREN": {1: "CN", 2: "MCI", 3: "AD"},  # ADNI1
}
SEX = {"1": "M", "MALE": "M", "M": "M", "2": "F", "FEMALE": "F", "F": "F"}
MID_MONTH, MID_YEAR = 15, 7


def read(tables: dict[str, pd.DataFrame], date_format: str | None) -> People:
    """Return what these tables say of people; tables of other kinds are left alone.

    Raises Refused for two differing states of one table, naming both.
    """
    chosen = {kind: _tables_of(kind, tables) for kind in KINDS}
    merge, dxsum, demography, entry = (chosen[kind] for kind in KINDS)
    visits = [
        *(_visits(name, table, date_format, _dxsum_diagnosis) for name, table in dxsum),
        *(_visits(name, table, date_format, _adnimerge_diagnosis) for name, table in merge),
    ]
    born = [_born_by_age(n, t, date_format) for n, t in merge] + [_born(t) for _, t in demography]
    sexed = [table for _, table in demography + merge if column(table, "PTGENDER") is not None]
    sex = [_facts(table, column(table, "PTGENDER").str.upper().map(SEX)) for table in sexed]
    group = [_facts(t, column(t, "entry_research_group")) for _, t in entry]
    return People(
        visits=_first_table_first(visits),
        born=_by_person(born),
        sex=_by_person(sex),
        group=_by_person(group),
        used=frozenset(name for parts in chosen.values() for name, _ in parts),
    )


def rid_of(subjects: pd.Series) -> pd.Series:
    """The RID in a PTID (`002_S_0295` → `295`) or a RID as a table has it; None for anything else."""
    return subjects.astype("str").str.extract(rf"^{RID.pattern}(?:\.0)?$", expand=False)


def _tables_of(kind: str, tables: dict[str, pd.DataFrame]) -> list[tuple[str, pd.DataFrame]]:
    fitting = {name: table for name, table in tables.items() if _kind_of(table) == kind}
    people = {name: set(_person(table).dropna()) for name, table in fitting.items()}
    return [(name, fitting[name]) for name in refuse_snapshots(fitting, people, kind)]


def _kind_of(table: pd.DataFrame) -> str | None:
    if column(table, *PERSON) is None:
        return None
    for kind, needed in KINDS.items():
        if all(column(table, *([one] if isinstance(one, str) else one)) is not None for one in needed):
            return kind
    return None


def _person(table: pd.DataFrame) -> pd.Series:
    return rid_of(column(table, *PERSON))


def _visits(name: str, table: pd.DataFrame, date_format: str | None, diagnosis: Callable) -> pd.DataFrame:
    dates = parse_dates(column(table, "EXAMDATE"), name, "EXAMDATE", date_format)["date"]
    when = dates.map(lambda day: day.toordinal(), na_action="ignore")
    visits = pd.DataFrame({"person": _person(table), "when": when, "diagnosis": diagnosis(table)})
    return visits.dropna()


def _first_table_first(visits: list[pd.DataFrame]) -> pd.DataFrame:
    """All visits; where DXSUM has one of that day, ADNIMERGE, which was made from it, is not asked."""
    kept = pd.DataFrame(columns=VISITS)
    for more in visits:
        known = pd.MultiIndex.from_frame(kept[["person", "when"]])
        new = more[~pd.MultiIndex.from_frame(more[["person", "when"]]).isin(known)]
        kept = pd.concat([kept, new], ignore_index=True) if len(kept) else new
    return kept


def _dxsum_diagnosis(table: pd.DataFrame) -> pd.Series:
    found = pd.Series(None, index=table.index, dtype=object)
    for header, meaning in NUMBERS.items():
        texts = column(table, header)
        if texts is not None:
            numbers = pd.to_numeric(texts, errors="coerce").map(meaning)
            found = found.fillna(numbers).fillna(texts.str.upper().map(WORDS))
    return found


def _adnimerge_diagnosis(table: pd.DataFrame) -> pd.Series:
    """`MCI to Dementia` is dementia: the words say where a change led."""
    return column(table, "DX").str.upper().str.split(" TO ").str[-1].map(WORDS)


def _born_by_age(name: str, table: pd.DataFrame, date_format: str | None) -> pd.Series:
    """ADNIMERGE's AGE is that at the baseline visit, in every row of the person."""
    baseline = column(table, "EXAMDATE_bl")
    if baseline is None:
        return _facts(table, pd.Series(None, index=table.index, dtype=object))
    dates = parse_dates(baseline, name, "EXAMDATE_bl", date_format)["date"]
    age = pd.to_numeric(column(table, "AGE"), errors="coerce")
    return _facts(
        table, dates.map(lambda day: day.toordinal(), na_action="ignore") - age.where(age > 0) * DAYS_PER_YEAR
    )


def _born(table: pd.DataFrame) -> pd.Series:
    """PTDEMOG tells month and year of birth, as two numbers or as `MM/YYYY`."""
    whole = column(table, "PTDOB")
    if whole is not None:
        parts = whole.str.extract(r"^(?:(\d{1,2})/)?(?:\d{1,2}/)?(\d{4})$")
        month, year = parts[0], parts[1]
    else:
        month, year = column(table, "PTDOBMM"), column(table, "PTDOBYY")
        month = pd.Series(None, index=table.index, dtype=object) if month is None else month
    month = pd.to_numeric(month, errors="coerce").where(lambda m: m.between(1, 12), MID_YEAR)
    year = pd.to_numeric(year, errors="coerce").where(lambda y: y.between(1880, 2020))
    iso = [
        f"{int(y):04d}-{int(m):02d}-{MID_MONTH:02d}" if y == y else None
        for y, m in zip(year, month, strict=True)
    ]
    return _facts(table, ordinals(pd.Series(iso, index=table.index, dtype=object)))


def _facts(table: pd.DataFrame, values: pd.Series) -> pd.Series:
    """Person → the value, for the rows that have one."""
    return pd.Series(values.to_numpy(), index=_person(table).to_numpy(), dtype=object).dropna()


def _by_person(parts: Iterable[pd.Series]) -> pd.Series:
    """One value a person: of several the first table's, and in it the least, whatever the rows' order."""
    parts = [part.sort_values(kind="stable") for part in parts if len(part)]
    if not parts:
        return pd.Series(dtype=object)
    together = pd.concat(parts)
    together = together[together.index.notna()]
    return together[~together.index.duplicated()]
