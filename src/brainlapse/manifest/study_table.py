"""A study's CSV as people have it: any of the usual encodings and delimiters, padded headers."""

import csv
from pathlib import Path

import pandas as pd

from brainlapse.errors import Refused

_ENCODINGS = ("utf-8-sig", "utf-16", "latin-1")  # latin-1 reads anything, so it comes last


def read_table(path: Path) -> pd.DataFrame:
    """Return all cells as stripped text, `""` where empty.

    The delimiter is the one that splits the header into most columns: cells
    may hold the others, so they are never sniffed. Raises Refused, naming the
    file and the line, for a row with more or fewer cells than the header.
    """
    text = _decoded(path)
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    rows = list(csv.reader(text.splitlines(), delimiter=delimiter, skipinitialspace=True))
    rows = [[cell.strip() for cell in row] for row in rows]
    names = rows[0] if rows else []
    body = [row for row in rows[1:] if any(row)]
    for line, row in enumerate(rows[1:], start=2):
        if any(row) and len(row) != len(names):
            raise Refused(f"{path}, line {line}: {len(row)} cells under {len(names)} column names.")
    return pd.DataFrame(body, columns=names, dtype=object)


def _decoded(path: Path) -> str:
    data = path.read_bytes()
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    for encoding in _ENCODINGS:
        if (encoding == "utf-16") != wide:
            continue
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Refused(f"{path} is not text in UTF-8, UTF-16 or Latin-1.")
