"""The list of a study's files: what each must be, and where below the root it may lie."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from brainlapse import tables
from brainlapse.errors import Refused
from brainlapse.tables import Column, Table

FILES = Table(
    "a study's list of files",
    "a file",
    (
        Column("path", "text", "its path below the root, as BIDS names it"),
        Column("size", "integer", "bytes"),
        Column("sha256", "text", "SHA-256 of its content, 64 hexadecimal digits"),
        Column("version", "text", "which of the versions that the study's own server keeps", optional=True),
    ),
    key=("path",),
)
_ODD = re.compile(r"[\\\x00-\x1f\x7f]")


class Listed(NamedTuple):
    """A file of the list."""

    path: str
    size: int  # bytes
    sha256: str
    version: str | None = None

    @property
    def person(self) -> str | None:
        """The folder of the person it belongs to; None for a file of the whole study."""
        top, slash, _ = self.path.partition("/")
        return top if slash and top.startswith("sub-") else None


def listed(table: Path) -> list[Listed]:
    """Read a list. Raises Refused with its line for a path that leads elsewhere, or no size or SHA-256."""
    frame = tables.read(table, FILES)
    frame = frame.astype(object).where(frame.notna(), None)
    files = [Listed(*row) for row in frame.itertuples(index=False, name=None)]
    for line, file in enumerate(files, start=2):
        if problem := _problem(file):
            raise Refused(f"{table}, line {line}: {problem}. Nothing was fetched; get the list anew.")
    return files


def of_first_people(files: Sequence[Listed], people: int | None) -> list[Listed]:
    """The study's own files, and those of the first so many people of the list (None: of all)."""
    names = dict.fromkeys(file.person for file in files if file.person)
    kept = {None, *list(names)[:people]}
    return [file for file in files if file.person in kept]


def place(root: Path, path: str) -> Path:
    """Where a file of the list lies. Raises Refused if a link below the root leads out of it."""
    target = root / path
    if not target.parent.resolve().is_relative_to(root.resolve()):
        raise Refused(f"{target.parent} is or lies behind a link that leads out of {root}. Remove the link.")
    return target


def _problem(file: Listed) -> str | None:
    if {"", ".", ".."} & set(file.path.split("/")) or _ODD.search(file.path):
        return f"the path {file.path!r} may lead out of the folder"
    if file.size < 1:
        return f"{file.size} is no size of a file"
    if not re.fullmatch(r"[0-9a-f]{64}", file.sha256):
        return f"{file.sha256!r} is no SHA-256"
    return None
