"""A user's own table of splits: read, checked line by line, and matched to the study's people."""

import csv
import io
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from brainlapse.errors import Refused
from brainlapse.pairs.persons import person_of

WORDS = {
    "train": "train", "training": "train",
    "validation": "validation", "val": "validation", "valid": "validation", "dev": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip
SHOWN = 5  # of the people whom a message names

log = logging.getLogger(__name__)


class Line(NamedTuple):
    """What one line of the table says."""

    number: int
    subject: str
    cohort: str  # empty: in whichever cohort the person is
    split: str


def decided_by(path: str | Path, people: pd.DataFrame, people_of: dict[str, str]) -> dict[str, str]:
    """Return person → split for those people of the study whom the table names, in any spelling.

    `people` has cohort, subject, person and external, of everybody with a
    scan. Raises Refused with file and line for what is wrong; people of the
    table who have no scan only earn a warning, unless nobody has one.
    """
    known, found, strangers = set(people["person"]), {}, []
    for line in _lines(Path(path)):
        person = _match(line, path, known, people_of)
        if person is None:
            strangers.append(line)
            continue
        first = found.setdefault(person, line)
        if first.split != line.split:
            raise Refused(
                f"{path}, lines {first.number} and {line.number}: {first.subject} and {line.subject} are one "
                f"person, who cannot be in {first.split} and in {line.split}. Remove one of the lines."
            )
    _refuse_or_tell_strangers(path, strangers, found)
    _refuse_external(path, found, set(people.loc[people["external"], "person"]))
    return {person: line.split for person, line in found.items()}


def _match(line: Line, path: str | Path, known: set[str], people_of: dict[str, str]) -> str | None:
    """The person of the study whom a line names, or None."""
    asked = {people for cohort, people in people_of.items() if line.cohort.lower() in ("", cohort.lower())}
    named = sorted({person_of(line.subject, people) for people in asked} & known)
    if len(named) > 1:
        raise Refused(
            f"{path}, line {line.number}: {line.subject} may be {' or '.join(named)}, who are different "
            "people. Add a column `cohort`."
        )
    return named[0] if named else None


def _refuse_or_tell_strangers(path: str | Path, strangers: list[Line], found: dict[str, Line]) -> None:
    shown = ", ".join(line.subject for line in strangers[:SHOWN])
    if not found:
        raise Refused(
            f"{path} names nobody who has a scan in a cohort of the config"
            + (f"; it begins with {shown}" if shown else "")
            + ". Its column `subject` must hold the ids of the study, as scans.tsv (1_manifest) has them."
        )
    if strangers:
        log.warning("splits: %s names %d people who have no scan, such as %s", path, len(strangers), shown)


def _refuse_external(path: str | Path, found: dict[str, Line], external: set[str]) -> None:
    for person, line in found.items():
        if person in external and line.split != "test":
            raise Refused(
                f"{path}, line {line.number}: {line.subject} is in an external cohort, all of which is "
                f"tested, and cannot be in {line.split}. Remove the line, or give the cohort the role study."
            )


def _lines(path: Path) -> Iterator[Line]:
    rows = _rows(path)
    header = [cell.lower() for cell in next(rows, (1, []))[1]]
    absent = [name for name in ("subject", "split") if name not in header]
    if absent:
        raise Refused(
            f"{path} lacks the column(s) {', '.join(absent)}; its first line is: {', '.join(header)}. It "
            "needs `subject` and `split`, and `cohort` if ids repeat."
        )
    for number, cells in rows:
        row = dict(zip(header, cells, strict=False))
        if any(row.values()):
            yield _line(path, number, row)


def _line(path: Path, number: int, row: dict[str, str]) -> Line:
    subject, word = row.get("subject", ""), row.get("split", "")
    if not subject:
        raise Refused(f"{path}, line {number}, column subject: is empty.")
    if word.lower() not in WORDS:
        raise Refused(f"{path}, line {number}, column split: {word!r} is none of train, validation and test.")
    return Line(number, subject, row.get("cohort", ""), WORDS[word.lower()])


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Each row's line number and cells; the delimiter is the mark that the header holds most often."""
    text = _text(path)
    delimiter = max("\t;,", key=text.partition("\n")[0].count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for cells in rows:
            yield rows.line_num, [cell.strip() for cell in cells]
    except csv.Error as error:
        raise Refused(
            f"{path}, line {rows.line_num}: is no row of a table ({error}). Mend the line."
        ) from None


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise Refused(f"splits.file: {path} cannot be read ({error.strerror}). Mend the path.") from None
    except UnicodeDecodeError:
        raise Refused(f"splits.file: {path} is not text in UTF-8. Save it as CSV in UTF-8.") from None
