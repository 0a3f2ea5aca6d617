"""Tables that scientists hand in, CSV, TSV or Excel, whatever program saved them last, as cells of text."""

import csv
import io
import re
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime

import openpyxl
import pandas as pd

from brainlapse.errors import Refused

SUFFIXES = (".csv", ".tsv", ".txt", ".xlsx")
LARGEST_WORKBOOK = 2 << 30  # bytes of all parts of an .xlsx, unpacked

_OLD_EXCEL = bytes.fromhex("d0cf11e0a1b11ae1")
_ZIP = b"PK\x03\x04"  # an .xlsx is a zip
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_WEB_PAGE = re.compile(r"\s*<(!doctype|!--|html|head|body|table|\?xml)\b", re.IGNORECASE)
_SEPARATOR_LINE = re.compile(r'"?sep=([,;\t|])"?[\r\n]', re.IGNORECASE)  # written for Excel's eyes
_SPACES_AFTER_QUOTED = re.compile(r'("[^"]*(?:""[^"]*)*") *')

Rows = list[tuple[int, list[str]]]  # the line on which a row starts, and its cells


class _BadQuote(Exception):
    """A quote that is not closed where a cell ends; `line` is that on which its row starts."""

    def __init__(self, line: int):
        self.line = line


def read_table(data: bytes, name: str, extra_cells: bool = False) -> pd.DataFrame:
    """Return all cells of a CSV, TSV or XLSX as stripped text, `""` where empty.

    The columns are the headers as written; those without a name are left out.
    The index holds the line (or sheet row) on which each row starts. Of a
    workbook it is the first sheet that has cells. `name` is the path shown in
    messages. With `extra_cells`, cells beyond the header are dropped. Raises
    Refused, naming the file and the line, for a file that is cut short or is
    no table.
    """
    if data.startswith(_OLD_EXCEL):
        raise Refused(
            f"{name} is an old Excel file (.xls) or has a password. Save it as .xlsx without one, or as CSV."
        )
    if data.startswith(_ZIP) or name.lower().endswith(".xlsx"):
        return _frame(_sheet_rows(data, name), name, extra_cells)
    return _frame(_text_rows(_decoded(data, name), name), name, extra_cells)


def is_table(path: str) -> bool:
    """Whether the name is that of a table; `~$…` is what Excel lays beside a workbook that is open."""
    return path.lower().endswith(SUFFIXES) and not re.split(r"[/\\]", path)[-1].startswith("~$")


def plain(header: str) -> str:
    """The letters and digits of a header in lower case: `subjectid` for `Subject ID` and `Subject.ID`."""
    return "".join(filter(str.isalnum, header.lower()))


def column(table: pd.DataFrame, *names: str) -> pd.Series | None:
    """Return the column of the first of the names that the table has, compared by `plain`, or None."""
    places = {plain(header): place for place, header in reversed(list(enumerate(table.columns)))}
    found = (places[plain(name)] for name in names if plain(name) and plain(name) in places)
    place = next(found, None)
    return None if place is None else table.iloc[:, place]


def _frame(rows: Rows, name: str, extra_cells: bool) -> pd.DataFrame:
    """The first row that has cells as header, the others below it."""
    rows = [row for row in rows if any(row[1])]
    if not rows:
        raise Refused(f"{name} is empty: it has neither column names nor rows. Download it again.")
    headers, rows = _headers(rows, name), rows[1:]
    width = len(headers)
    body = [
        cells if len(cells) == width else _fitted(cells, width, extra_cells, f"{name}, line {line}")
        for line, cells in rows
    ]
    lines = pd.Index([line for line, _ in rows], dtype="int64")
    table = pd.DataFrame(body, index=lines, columns=headers, dtype=object)
    return table.loc[:, [header != "" for header in headers]]


def _headers(rows: Rows, name: str) -> list[str]:
    if _are_numbered(rows):
        return ["", *rows[0][1]]
    line, headers = rows[0]
    while headers[-1] == "":
        headers = headers[:-1]
    twice = next((header for header in headers if header and headers.count(header) > 1), None)
    if twice:
        raise Refused(
            f"{name}, line {line}: the column name `{twice}` stands there twice. Rename one of them."
        )
    return headers


def _are_numbered(rows: Rows) -> bool:
    """Whether the rows below the header begin with their number, to which R's write.table gives no name."""
    width = len(rows[0][1]) + 1
    return len(rows) > 2 and all(
        len(cells) == width and cells[0] == str(number) for number, (_, cells) in enumerate(rows[1:], start=1)
    )


def _fitted(cells: list[str], width: int, extra_cells: bool, where: str) -> list[str]:
    said = f"{where}: {len(cells)} cells under {width} column names."
    if len(cells) < width:
        raise Refused(f"{said} The file may be cut short: download it again, or mend that line.")
    if any(cells[width:]) and not extra_cells:
        raise Refused(f"{said} Name all columns, and put quotes around a cell that holds the delimiter.")
    return cells[:width]


def _decoded(data: bytes, name: str) -> str:
    text = next(_readings(data), None)
    if text is None:
        raise Refused(f"{name} is UTF-16 text that is cut short or damaged. Download it again.")
    if "\0" in text:
        raise Refused(f"{name} holds binary data, not a table. Save it as CSV or .xlsx, or move it away.")
    if _WEB_PAGE.match(text):
        raise Refused(
            f"{name} is a web page or XML, not a table; the download may have ended at a log-in page. "
            "Log in and download it again, or save it as CSV or .xlsx."
        )
    return text


def _readings(data: bytes) -> Iterator[str]:
    """The text in each encoding in which the data are valid."""
    for encoding in _encodings(data):
        with suppress(UnicodeDecodeError):
            yield data.decode(encoding).lstrip("\ufeff")


def _encodings(data: bytes) -> tuple[str, ...]:
    """The encodings to try. Latin letters in UTF-16 have a NUL as every second byte."""
    if data[:2] in _UTF16_MARKS:
        return ("utf-16",)
    start = data[:64]
    even, odd = start[::2].count(0), start[1::2].count(0)
    if max(even, odd) > len(start) / 8 and not min(even, odd):
        return ("utf-16-le",) if odd else ("utf-16-be",)
    return ("utf-8", "cp1252", "latin-1")  # the last reads anything


def _text_rows(text: str, name: str) -> Rows:
    said = _SEPARATOR_LINE.match(text)
    delimiter = said[1] if said else max(",;\t", key=lambda mark: _fit(text, mark))
    try:
        rows = _split(text, delimiter)
    except _BadQuote:
        rows = _split_forgivingly(text, delimiter, name)
    return rows[1:] if said else rows


def _split_forgivingly(text: str, delimiter: str, name: str) -> Rows:
    """Rows in which spaces may follow a quoted cell."""
    try:
        return _split(_SPACES_AFTER_QUOTED.sub(r"\1", text), delimiter)
    except _BadQuote as bad:
        raise Refused(
            f"{name}, line {bad.line}: the row that starts here has a quote that is not closed where its "
            "cell ends; the file is cut short or damaged. Download it again, or mend that line."
        ) from None


def _fit(text: str, delimiter: str) -> tuple[bool, int]:
    """How well the delimiter splits the header: cells hold the others, so they are never looked at.

    A quote left inside a name tells that a quoted name was split.
    """
    header = next(filter(any, _reader(text, delimiter, strict=False)), [])
    return not any('"' in cell for cell in header), sum(map(bool, header))


def _split(text: str, delimiter: str) -> Rows:
    reader = _reader(text, delimiter, strict=True)
    rows, end = [], 0
    try:
        for cells in reader:
            rows.append((end + 1, [cell.strip() for cell in cells]))
            end = reader.line_num
    except csv.Error:
        raise _BadQuote(end + 1) from None
    return rows


def _reader(text: str, delimiter: str, strict: bool):
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    # newline="" ends lines at CR, LF and CRLF only, and leaves those within quotes alone.
    lines = io.StringIO(text, newline="")
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=strict)


def _sheet_rows(data: bytes, name: str) -> Rows:
    """The rows of the first sheet that has cells."""
    try:
        size = sum(part.file_size for part in zipfile.ZipFile(io.BytesIO(data)).infolist())
        if size <= LARGEST_WORKBOOK:
            with warnings.catch_warnings(action="ignore"):  # of styles and extensions, which are no cells
                book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
                return next(filter(None, map(_cells, book.worksheets)), [])
    except Exception as error:  # openpyxl promises no kind of error for a damaged workbook
        raise Refused(
            f"{name} cannot be read as an Excel workbook ({type(error).__name__}: {error}); it is cut short, "
            "damaged or of another kind. Download it again, or save it as .xlsx or CSV."
        ) from None
    raise Refused(f"{name} would unpack to {size / 1e9:.1f} GB; no table is as large. Move it away.")


def _cells(sheet) -> Rows:
    sheet.reset_dimensions()  # what some programs write there would cut the rows
    rows = []
    for line, values in enumerate(sheet.iter_rows(values_only=True), start=1):
        cells = [_text(value) for value in values]
        if any(cells):
            rows.append((line, cells))
    width = max((len(cells) for _, cells in rows), default=0)  # a sheet has no row that is too short
    return [(line, cells + [""] * (width - len(cells))) for line, cells in rows]


def _text(value) -> str:
    """A cell as Excel's own CSV would have it, but dates in ISO form, and without a time at midnight."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, datetime):
        return value.isoformat(" ").removesuffix(" 00:00:00")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
