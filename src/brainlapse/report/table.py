"""A table of the page: texts in cells, what it shows, and the numbers themselves to take away."""

from dataclasses import dataclass

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


def numbers_of(frame: pd.DataFrame) -> str | None:
    """The rows as a tab-separated file in a data URI; None without rows."""
    if frame.empty:
        return None
    text = frame.to_csv(sep="\t", index=False, na_rep=MISSING, lineterminator="\n")
    return data_uri(text.encode(), "text/tab-separated-values")


@dataclass(frozen=True)
class Cell:
    """What one column shows of a region's metric: `shows` is value, gain, difference or gain_difference."""

    heading: str
    region: str
    metric: str
    digits: int
    shows: str = "value"
    bounds: bool = True

    @property
    def better(self) -> int:
        """Which way is better, as the heading's arrow says: 1 up, -1 down, 0 neither."""
        return ("↑" in self.heading) - ("↓" in self.heading)

    def row_of(self, frame: pd.DataFrame) -> pd.Series | None:
        """The row with its region and metric; None without it, the last of several."""
        found = frame[(frame["region"] == self.region) & (frame["metric"] == self.metric)]
        return None if found.empty else found.iloc[-1]

    def of(self, frame: pd.DataFrame) -> tuple[str, str]:
        """The number and, in brackets, its interval, from the row of a table."""
        row = self.row_of(frame)
        if row is None or pd.isna(row[self.shows]):
            return MISSING, ""
        low, high = (row[f"{self.shows}_{end}"] for end in ("low", "high"))
        return self.written(row[self.shows]), bounds(low, high, self.written) if self.bounds else ""

    def written(self, value: float) -> str:
        """A number of this column; what is not a plain value has its sign."""
        return number(value, self.digits, sign=self.shows != "value")


def headings(cells: tuple[Cell, ...]) -> list[str]:
    """What stands above the columns."""
    return [cell.heading for cell in cells]
