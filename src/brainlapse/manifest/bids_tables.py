"""The tables of a BIDS dataset, participants, sessions and scans, and what they tell of each scan."""

import logging
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from brainlapse.errors import Refused
from brainlapse.manifest.bids_files import Found
from brainlapse.manifest.bids_names import NIFTI, entities, entity
from brainlapse.manifest.inventory import Download
from brainlapse.manifest.study_table import column, read_table

MISSING = {"", "n/a", "na", "nan", "none", "xx"}

log = logging.getLogger(__name__)


class Said(NamedTuple):
    """The dataset's tables; the index of each is what a row is about, and `where` it stands."""

    scans: pd.DataFrame  # by `stem`
    sessions: pd.DataFrame  # by `subject` and `visit`
    people: pd.DataFrame  # by `subject`


def dataset_tables(download: Download, files: list[Found]) -> Said:
    """Return the cells of all tables of the three kinds. Raises Refused for one without its key column."""
    return Said(_scans(download, files), _sessions(download, files), _people(download, files))


def told_of(table: pd.DataFrame, headers: list[str], rows: pd.DataFrame) -> pd.DataFrame:
    """Return each row's cell under the first of `headers` there is: `text`, None if missing, and `where`.

    Where rows of one key tell two things, neither counts, and a warning names the first.
    """
    keys = list(table.index.names[:-1])
    cells = column(table, *headers)
    if cells is None:
        return pd.DataFrame({"text": None, "where": None}, index=rows.index, dtype=object)
    told = cells.mask(cells.str.lower().isin(MISSING)).rename("text").reset_index().dropna()
    told = told.sort_values([*keys, "text", "where"]).drop_duplicates([*keys, "text"])
    twice = told.duplicated(keys, keep=False)
    if twice.any():
        first = told[twice].iloc[0]
        log.warning(
            "manifest: two values of `%s` for one %s, taken as missing; first %s (%s)",
            cells.name, " and ".join(keys), first["text"], first["where"],
        )  # fmt: skip
    wanted = rows[keys[0]] if len(keys) == 1 else pd.MultiIndex.from_frame(rows[keys])
    told = told[~twice].set_index(keys if len(keys) > 1 else keys[0])
    return told.reindex(wanted)[["text", "where"]].astype(object).set_axis(rows.index)


def numbers(texts: pd.Series) -> pd.Series:
    """Return the texts as finite numbers, NaN for what is none."""
    found = pd.to_numeric(texts, errors="coerce").astype("float64")
    return found.where(np.isfinite(found))


def _scans(download: Download, files: list[Found]) -> pd.DataFrame:
    found = [file for file in files if file.stem.endswith("_scans.tsv")]
    return _joined(download, found, "filename", ["stem"], _stem)


def _stem(name: str, cells: dict, file: Found) -> tuple[str] | None:
    """The image that a row of scans.tsv is about; None for EEG and the like."""
    return (NIFTI.sub("", name.rpartition("/")[2]),) if NIFTI.search(name) else None


def _sessions(download: Download, files: list[Found]) -> pd.DataFrame:
    found = [file for file in files if file.stem.endswith("sessions.tsv")]
    return _joined(download, found, "session_id", ["subject", "visit"], _visit)


def _visit(name: str, cells: dict, file: Found) -> tuple[str, str]:
    person = cells.get("participant_id") or f"sub-{entity([*file.folders, *entities(file.stem)[0]], 'sub')}"
    return person.removeprefix("sub-"), name.removeprefix("ses-")


def _people(download: Download, files: list[Found]) -> pd.DataFrame:
    found = [file for file in files if not file.folders and file.stem == "participants.tsv"]
    return _joined(download, found, "participant_id", ["subject"], _person)


def _person(name: str, cells: dict, file: Found) -> tuple[str]:
    return (name.removeprefix("sub-"),)


def _joined(
    download: Download, files: list[Found], header: str, keys: list[str], keys_of: Callable
) -> pd.DataFrame:
    """The tables' cells under each other; the index is the keys of each row, and `where` it stands."""
    index, rows = [], []
    for file in files:
        table = read_table(download.read(file.item), file.item.path)
        names = column(table, header)
        if names is None:
            raise Refused(f"{file.item.path} has no column `{header}`, which BIDS asks for in this table.")
        for line, name, cells in zip(table.index, names, table.to_dict("records"), strict=True):
            place = keys_of(name, cells, file)
            if place is not None:
                index.append((*place, f"{file.item.path}, line {line}"))
                rows.append(cells)
    return pd.DataFrame(rows, index=pd.MultiIndex.from_tuples(index, names=[*keys, "where"]), dtype=object)
