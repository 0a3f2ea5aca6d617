"""A table of the page: texts in cells, what it shows, and the numbers themselves to take away."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import pandas as pd

from brainlapse.report.style import data_uri
from brainlapse.report.words import bounds, number
from brainlapse.tables import MISSING


@dataclass(frozen=True)
class Row:
    """`name` heads it; `cells` are (text, the small text below it); `kind` is primary, model or floor."""

    name: str
    cells: list[tuple[str, str]]
    kind: str = "model"


@dataclass(frozen=True)
class PageTable:
    """What a reader sees. `numbers` is a link that holds the rows behind it, `source` where they lie."""

    caption: str
    head: list[str]
    rows: list[Row]
    first: str = "model"
    numbers: str | None = None
    source: str = ""
    notes: list[str] = field(default_factory=list)


def numbers_of(frame: pd.DataFrame) -> str | None:
    """The rows as a tab-separated file in a data URI; None without rows."""
    if frame.empty:
        return None
    text = frame.to_csv(sep="\t", index=False, na_rep=MISSING, lineterminator="\n")
    return data_uri(text.encode(), "text/tab-separated-values")


def cell(row: pd.Series | None, what: str, digits: int, sign: bool = False) -> tuple[str, str]:
    """The number `what` of a row of a table with `what_low` and `what_high`, and its interval."""
    if row is None:
        return MISSING, ""

    def written(value: float) -> str:
        return number(value, digits, sign)

    return written(row[what]), bounds(row[f"{what}_low"], row[f"{what}_high"], written)


def only(frame: pd.DataFrame, **values) -> pd.Series | None:
    """The one row with these values; None without it, the last of several."""
    for column, value in values.items():
        frame = frame[frame[column] == value]
    return None if frame.empty else frame.iloc[-1]


def in_order(values: Iterable[str], order: Callable[[str], object] | None = None) -> list[str]:
    """Different values as they first appear, or sorted by `order`."""
    found = list(dict.fromkeys(values))
    return sorted(found, key=order) if order else found
