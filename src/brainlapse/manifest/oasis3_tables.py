"""OASIS-3's tables of two generations, known by their headers, and their cells by what they mean."""

import pandas as pd

from brainlapse.errors import Refused
from brainlapse.manifest.bids_tables import MISSING
from brainlapse.manifest.ida_people import refuse_snapshots
from brainlapse.manifest.inventory import Download
from brainlapse.manifest.study_table import column, is_table, plain, read_table

# The headers of the tables of 2024, and of those from before it where they differ.
HEADERS = {
    "subject": ("OASISID", "Subject"),
    "label": ("label",),
    "days": ("days_to_visit",),
    "visit": ("ADRC_ADRCCLINICALDATA ID",),
    "age_at_entry": ("AgeatEntry",),
    "sex": ("GENDER",),
    "dx1": ("dx1",),
    "cdr": ("CDRTOT", "cdr"),
    "field_strength": ("MagneticFieldStrength",),
    "manufacturer": ("Manufacturer",),
}
NO_WORDS = MISSING | {".", "q"}


def study_tables(download: Download, settings: dict) -> dict[str, pd.DataFrame]:
    """Return every table by its path, under the headers that are known here; a README is none.

    Raises Refused for a table that cannot be read, and for a word of
    `settings["columns"]` that is not one of HEADERS.
    """
    known = _known_headers(settings)
    tables = {}
    for item in download.items:
        if is_table(item.path):
            try:
                table = read_table(download.read(item), item.path)
            except Refused:
                if item.path.lower().endswith(".txt"):
                    continue
                raise
            tables[item.path] = table.rename(columns=lambda header: known.get(plain(header), header))
    return tables


def cells_of(table: pd.DataFrame, word: str) -> pd.Series:
    """Return the cells of that meaning, None where missing."""
    cells = column(table, *HEADERS[word])
    if cells is None:
        return pd.Series(None, index=table.index, dtype=object)
    return cells.mask(cells.str.lower().isin(NO_WORDS)).astype(object)


def numbers_of(table: pd.DataFrame, word: str) -> pd.Series:
    """Return the cells of that meaning as numbers, NaN where they are none."""
    return pd.to_numeric(cells_of(table, word), errors="coerce").astype("float64")


def has(table: pd.DataFrame, *words: str) -> bool:
    """Return whether the table has a column for each of the words of HEADERS."""
    return all(column(table, *HEADERS[word]) is not None for word in words)


def without_snapshots(kind: str, tables: dict[str, pd.DataFrame]) -> list[pd.DataFrame]:
    """Return the tables of one kind to read. Raises Refused where two are states of one that differ."""
    people = {name: set(cells_of(table, "subject").dropna()) for name, table in tables.items()}
    return [tables[name] for name in refuse_snapshots(tables, people, kind)]


def is_of_use(table: pd.DataFrame) -> bool:
    """Return whether the table tells anything that is asked here."""
    of_people = has(table, "subject", "age_at_entry")
    return of_people or is_of_sessions(table) or is_clinical(table, "days") or is_clinical(table, "visit")


def is_of_sessions(table: pd.DataFrame) -> bool:
    """Return whether the table tells the scanners of MR sessions, as MR_json does."""
    return has(table, "label", "field_strength") or has(table, "label", "manufacturer")


def is_clinical(table: pd.DataFrame, day: str) -> bool:
    """Return whether the table tells diagnoses, by `days` as in 2024 or by the `visit` ids from before."""
    return has(table, "subject", day) and (has(table, "dx1") or has(table, "cdr"))


def _known_headers(settings: dict) -> dict[str, str]:
    """The headers that the config adds → the study's own."""
    known = {}
    for word, names in settings["columns"].items():
        if word not in HEADERS or isinstance(names, dict):
            key = f"cohorts.{settings.get('cohort', 'NAME')}.columns.{word}"
            known_words = ", ".join(HEADERS)
            raise Refused(f"{key}: write `WORD: HEADER`; the words of the oasis3 reader are {known_words}.")
        names = [names] if isinstance(names, str) else names
        known |= {plain(name): HEADERS[word][0] for name in names}
    return known
