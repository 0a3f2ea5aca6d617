"""Dates as studies and spreadsheets write them: the whole column decides if the day or the month leads."""

import re
from collections.abc import Callable
from datetime import date
from typing import NamedTuple

import pandas as pd

from brainlapse.errors import Refused

MONTH_FIRST, DAY_FIRST = "month/day/year", "day/month/year"
MISSING = {"", "-1", "-4", "na", "n/a", "none", "nan", "xx"}
YEARS = range(1980, 2080)  # before, nobody had an MRI; later years are slips

_NAMES = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_MONTHS = {name[:end]: number for number, name in enumerate(_NAMES, 1) for end in range(3, len(name) + 1)}

_TIME = r"(?:[ T_]\d\d?[:_]\d\d(?:[:_]\d\d(?:\.\d*)?)?(?: ?[AP]M)?(?:Z|[+-]\d\d:?\d\d)?)?"
_YEAR_FIRST, _YEAR_LAST, _NAMED = "year first", "year last", "month by name"
_FORMS = [
    (kind, re.compile(form + _TIME, re.IGNORECASE | re.ASCII))
    for kind, form in (
        (_YEAR_FIRST, r"(?P<year>\d{4})([-/.])(?P<month>\d\d?)\2(?P<day>\d\d?)"),
        (_YEAR_LAST, r"(?P<month>\d\d?)([-/.])(?P<day>\d\d?)\2(?P<year>\d{4})"),
        (_YEAR_FIRST, r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)"),
        (_NAMED, r"(?P<day>\d\d?)[- ]?(?P<month>[a-z]{3,9})[- ]?(?P<year>\d{4})"),
        (_NAMED, r"(?P<month>[a-z]{3,9})\.? (?P<day>\d\d?),? (?P<year>\d{4})"),
    )
]
_SHORT_YEAR = re.compile(
    rf"(?:\d\d?([-/.])\d\d?\1\d\d|\d\d?[- ]?[a-z]{{3,9}}[- ]?\d\d){_TIME}", re.IGNORECASE | re.ASCII
)

_KEY = f"`date_format: {MONTH_FIRST}` (or `{DAY_FIRST}`) for the cohort in config.yaml"
_REWRITTEN = "a spreadsheet may have rewritten part of the file"

_MONTH, _OVER_TWELVE = range(1, 13), range(13, 32)

# What one date tells of its column, beside MONTH_FIRST and DAY_FIRST.
_OPEN = "could be read both ways"
_LIKE_SWAPPED, _NEVER_SWAPPED = "ISO, day up to 12", "ISO, day over 12"


class _Written(NamedTuple):
    """The numbers of a date; with the year last, `month` is the first number and `day` the second."""

    form: str
    year: int
    month: int
    day: int


class _Column(NamedTuple):
    """A column of a file, for messages: its texts and what each tells, by line."""

    where: str
    header: str
    texts: pd.Series
    told: pd.Series

    def has(self, told: str) -> bool:
        return bool(self.told.eq(told).any())

    def first(self, told: str) -> str:
        """The first text that tells it, with its line."""
        place = self.told.eq(told).to_numpy().argmax()
        return f"{self.texts.iloc[place]!r} (line {self.texts.index[place]})"

    def refused(self, problem: str) -> Refused:
        return Refused(f"{self.where}, column {self.header}: {problem}")


def parse_dates(
    texts: pd.Series,
    where: str,
    column: str,
    date_format: str | None = None,  # MONTH_FIRST or DAY_FIRST; None: the column decides
    settle: Callable[[pd.Series, pd.Series], str | None] | None = None,
) -> pd.DataFrame:
    """Return `date` (a date or None) and `problem` (text or None) on the index of `texts`.

    The index holds the lines of the file `where`. A missing value has
    neither. Where all dates of the column could be read both ways, `settle`
    is given the two readings of the column and says which it is, or None if
    it cannot. Raises Refused where it stays open, or where the column holds
    both kinds.
    """
    texts = texts.astype(object).fillna("").str.strip()
    codes, words = pd.factorize(texts)
    written = [_written(word) for word in words]

    def read(order: str) -> pd.DataFrame:
        readings = [_reading(word, numbers, order) for word, numbers in zip(words, written, strict=True)]
        unique = pd.DataFrame(readings, columns=["date", "problem"], dtype=object)
        return unique.take(codes).set_axis(texts.index)

    told = pd.Series([_told(numbers) for numbers in written], dtype=object).take(codes).set_axis(texts.index)
    whole = _Column(where, column, texts, told)
    order = date_format or _order(whole)
    if order is None and settle:
        order = settle(read(MONTH_FIRST)["date"], read(DAY_FIRST)["date"])
    if order is None:
        raise _open(whole, read)
    return read(order)


def _written(text: str) -> _Written | None:
    for form, pattern in _FORMS:
        found = pattern.fullmatch(text)
        if found:
            month = _month(found["month"])
            return None if month is None else _Written(form, int(found["year"]), month, int(found["day"]))
    return None


def _month(text: str) -> int | None:
    return int(text) if text.isdigit() else _MONTHS.get(text.lower())


def _reading(text: str, written: _Written | None, order: str) -> tuple[date | None, str | None]:
    if text.lower() in MISSING:
        return None, None
    if written is None:
        return None, f"{text!r} " + ("has a two-digit year" if _SHORT_YEAR.fullmatch(text) else "is no date")
    form, year, month, day = written
    if form == _YEAR_LAST and order == DAY_FIRST:
        month, day = day, month
    if year not in YEARS:
        return None, f"the year {year} is impossible"
    try:
        return date(year, month, day), None
    except ValueError:
        other_way = form == _YEAR_LAST and _told(written) not in (order, None)
        return None, f"{text!r} is no date" + (f" in {order}" if other_way else "")


def _told(written: _Written | None) -> str | None:
    """What a date tells of its column's order, None where nothing."""
    if written is None or written.form == _NAMED or written.month == written.day:
        return None
    form, year, first, second = written
    if form == _YEAR_FIRST:
        return _LIKE_SWAPPED if second in _MONTH else _NEVER_SWAPPED
    if first in _MONTH and second in _MONTH:
        return _OPEN if year in YEARS else None
    if first in _MONTH and second in _OVER_TWELVE:
        return MONTH_FIRST
    return DAY_FIRST if first in _OVER_TWELVE and second in _MONTH else None


def _order(column: _Column) -> str | None:
    """MONTH_FIRST or DAY_FIRST as the column says; None where it matters and is open."""
    kinds = [kind for kind in (MONTH_FIRST, DAY_FIRST) if column.has(kind)]
    if len(kinds) == 2:
        raise _both(column)
    # A spreadsheet turns what it can read into dates, in its own country's order, and leaves the rest.
    if kinds and column.has(_LIKE_SWAPPED) and not column.has(_NEVER_SWAPPED) and not column.has(_OPEN):
        raise _swapped(column, kinds[0])
    return kinds[0] if kinds else None if column.has(_OPEN) else MONTH_FIRST


def _both(column: _Column) -> Refused:
    return column.refused(
        f"{column.first(MONTH_FIRST)} has its month first and {column.first(DAY_FIRST)} its day: "
        f"{_REWRITTEN}. Take the file as it was downloaded, or say {_KEY}; rows that do not fit are then "
        "rejected."
    )


def _swapped(column: _Column, kind: str) -> Refused:
    return column.refused(
        f"beside {column.first(kind)} stand dates such as {column.first(_LIKE_SWAPPED)}, all with days up "
        f"to 12: {_REWRITTEN}, and swapped day and month. Take the file as it was downloaded; if the dates "
        f"are right, say {_KEY}."
    )


def _open(column: _Column, read: Callable[[str], pd.DataFrame]) -> Refused:
    place = column.told.eq(_OPEN).to_numpy().argmax()
    month_first, day_first = (read(order)["date"].iloc[place] for order in (MONTH_FIRST, DAY_FIRST))
    return column.refused(
        f"{column.first(_OPEN)} is {month_first} if the month comes first and {day_first} if the day does, "
        f"and no other date of the column tells which. Say {_KEY}."
    )
