"""A study's table comes out the same whatever program saved it last, or is refused with its file and line."""

import csv
import io
import string
import time
import zipfile
from contextlib import suppress
from datetime import date, datetime
from itertools import product

import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainlapse.errors import Refused
from brainlapse.manifest import study_table
from brainlapse.manifest.study_table import column, is_table, plain, read_table

HEADERS = ["Image Data ID", "Age, years", "Description", "Imaging Protocol"]
BODY = [
    ["I101", "71.5", "MPR; ; N3; Scaled", "Plane=SAGITTAL;Slice Thickness=1.2;Mfg=GE"],
    ["I102", "68", "Müller's “MPRAGE”", ""],
    ["I103", "", 'a "fast" scan\nin two lines', "Weighting=T1"],
]
LINES = [2, 3, 4]


def as_text(rows, delimiter=",", end="\n", quoting=csv.QUOTE_MINIMAL) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows(rows)
    return text.getvalue()


def as_workbook(rows, *, at: str = "first") -> bytes:
    """The rows in the sheet `at`, behind an empty one if that is not the first."""
    book = openpyxl.Workbook()
    sheet = book.active if at == "first" else book.create_sheet(at)
    for row in rows:
        sheet.append(row)
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


def read(data: str | bytes, name: str = "study/table.csv", **how) -> pd.DataFrame:
    return read_table(data.encode() if isinstance(data, str) else data, name, **how)


def refusal(data: str | bytes, name: str = "study/table.csv", **how) -> str:
    with pytest.raises(Refused) as refused:
        read(data, name, **how)
    return str(refused.value)


def cells_of(table: pd.DataFrame) -> list[list[str]]:
    return [list(table.columns), *table.to_numpy().tolist()]


def assert_is_the_study(table: pd.DataFrame, lines=LINES):
    assert cells_of(table) == [HEADERS, *BODY]
    assert list(table.index) == lines


ENCODINGS = {
    "utf-8": lambda text: text.encode(),
    "utf-8 with mark": lambda text: text.encode("utf-8-sig"),
    "utf-16-le with mark": lambda text: b"\xff\xfe" + text.encode("utf-16-le"),
    "utf-16-be with mark": lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
    "utf-16-le": lambda text: text.encode("utf-16-le"),
    "utf-16-be": lambda text: text.encode("utf-16-be"),
    "cp1252": lambda text: text.encode("cp1252"),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding_delimiter_line_end_and_quoting_gives_the_same_table(encoding):
    for delimiter, end, quoting in product(",;\t", ["\n", "\r\n", "\r"], [csv.QUOTE_MINIMAL, csv.QUOTE_ALL]):
        saved = as_text([HEADERS, *BODY], delimiter, end, quoting)
        assert_is_the_study(read(ENCODINGS[encoding](saved)))


def test_latin_1_bytes_that_cp1252_lacks_are_read_too():
    assert cells_of(read(b"a,b\n\xe9\x81,1\n")) == [["a", "b"], ["é\x81", "1"]]


def quoted(cells, before="", after="") -> list[str]:
    return [before + '"' + cell.replace('"', '""') + '"' + after for cell in cells]


@pytest.mark.parametrize("delimiter", [",", ";"])
@pytest.mark.parametrize(("before", "after"), [(" ", ""), ("", "  "), ("  ", " ")])
def test_spaces_around_quoted_cells_do_not_count(delimiter, before, after):
    lines = [delimiter.join(quoted(row, before, after)) for row in [HEADERS, *BODY]]
    assert_is_the_study(read("\n".join(lines)))


def test_spaces_within_quotes_and_around_bare_cells_are_stripped():
    assert cells_of(read('  a , " b\t"\n x,"  y " \n')) == [["a", "b"], ["x", "y"]]


def test_blank_lines_and_empty_rows_are_passed_over_and_lines_stay_those_of_the_file():
    saved = as_text([HEADERS, BODY[0]]) + "\n,,,\n" + as_text([BODY[2]]) + "  \n\n" + as_text([BODY[1]])
    table = read("\n\n" + saved)
    assert cells_of(table) == [HEADERS, BODY[0], BODY[2], BODY[1]]
    assert list(table.index) == [4, 7, 11]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;"])
def test_excels_line_that_names_the_separator_is_obeyed(first, end):
    assert_is_the_study(read(first + end + as_text([HEADERS, *BODY], ";", end)), [3, 4, 5])


def test_only_the_separator_named_can_split_a_header_that_holds_others():
    assert cells_of(read("sep=|\na,b;c|d\n1|2\n")) == [["a,b;c", "d"], ["1", "2"]]


@pytest.mark.parametrize("mark", ["\u2028", "\u0085", "\x0b", "\x0c", "\x1c"])
def test_only_line_ends_end_lines(mark):
    assert cells_of(read(f"a,b\nx{mark}y,1\n2,3")) == [["a", "b"], [f"x{mark}y", "1"], ["2", "3"]]


def test_a_quoted_header_may_hold_the_delimiters_and_line_breaks():
    text = 'Subject;"Age, in years, at the scan, rounded";"Sex\n(F, M)"\n1;2;3\n'
    table = read(text)
    assert cells_of(table)[0] == ["Subject", "Age, in years, at the scan, rounded", "Sex\n(F, M)"]
    assert list(table.index) == [3]


def test_a_header_alone_is_an_empty_table():
    table = read("a,b,c\r\n")
    assert cells_of(table) == [["a", "b", "c"]]
    assert list(column(table, "A").str.upper()) == []


def test_empty_cells_beyond_the_header_are_dropped_whoever_has_them():
    assert cells_of(read("a,b,,\n1,2,,\n3,4\n5,6,,,,\n")) == [["a", "b"], ["1", "2"], ["3", "4"], ["5", "6"]]


def test_surplus_cells_are_dropped_if_that_is_asked():
    assert cells_of(read("a,b\n1,2,3\n4,5\n", extra_cells=True)) == [["a", "b"], ["1", "2"], ["4", "5"]]


@pytest.mark.parametrize("extra_cells", [True, False])
@pytest.mark.parametrize("first", ["", '"",'])
def test_the_row_numbers_of_r_are_no_column_with_or_without_a_header_of_their_own(first, extra_cells):
    text = first + '"a","b"\n"1","x","y"\n"2","z",""\n'
    assert cells_of(read(text, extra_cells=extra_cells)) == [["a", "b"], ["x", "y"], ["z", ""]]


WRONG = {
    "empty": ("", "is empty"),
    "blank": ("\ufeff\r\n \n\n", "is empty"),
    "cut short": ("a,b,c\n1,2,3\n4,5", "line 3: 2 cells under 3 column names. The file may be cut short"),
    "short in the middle": ('a,b\n"1\n",2\n\n3\n5,6\n', "line 5: 1 cells under 2"),
    "surplus": ("a,b\n1,2\n3,4,5\n", "line 3: 3 cells under 2 column names. Name all columns"),
    "cut in a quote": (
        'a,b\n1,2\n"3,4\n5,6\n',
        "line 3: the row that starts here has a quote that is not closed",
    ),
    "quote closed by the next": (
        '"a","b"\n"1","2\n"3","4"\n',
        "line 2: the row that starts here has a quote",
    ),
    "unclosed long header": ('a,"b' + "x,y\n" * 100_000, "line 1: the row that starts here has a quote"),
    "unclosed header": ('a,"b\n1,2\n', "line 1: the row that starts here has a quote"),
    "repeated name": ("Age,Sex, Age\n1,F,2\n", "line 1: the column name `Age` stands there twice"),
    "web page": ("\n <!DOCTYPE html><html><body>Log in</body></html>", "is a web page or XML"),
    "xml": ('<?xml version="1.0"?><Error>AccessDenied</Error>', "is a web page or XML"),
    "binary": (bytes(range(256)) * 4, "holds binary data"),
    "volume": (b"\x5c\x01\0\0" + bytes(344), "holds binary data"),
    "one NUL": ("a,b\n1,\0\n", "holds binary data"),
    "cut in a letter": ("a,b\n1,2".encode("utf-16")[:-1], "is UTF-16 text that is cut short"),
    "old Excel": (bytes.fromhex("d0cf11e0a1b11ae1") + bytes(504), "Save it as .xlsx without one, or as CSV"),
    "zip": (b"PK\x03\x04" + bytes(50), "cannot be read as an Excel workbook"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_table_is_refused_with_file_and_line(wrong):
    data, message = WRONG[wrong]
    said = refusal(data)
    assert said.startswith("study/table.csv")
    assert message in said


def test_any_cut_of_a_quoted_file_is_seen_or_lies_at_the_end_of_a_cell_of_its_last_column():
    rows = [HEADERS, *BODY]
    whole = as_text(rows, quoting=csv.QUOTE_ALL)
    header = as_text(rows[:1], quoting=csv.QUOTE_ALL).rstrip()
    for end in range(len(header), len(whole)):
        try:
            found = cells_of(read(whole[:end]))
        except Refused:
            continue
        assert found[:-1] == rows[: len(found) - 1]
        # A file that ends behind the last delimiter reads as one whose last cell is empty.
        assert found[-1] in (rows[len(found) - 1], [*rows[len(found) - 1][:-1], ""])


ALPHABET = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
CELLS = st.text(ALPHABET | st.sampled_from('",;\t\n\r  '), max_size=12)
DIALECTS = [
    (csv.QUOTE_MINIMAL, "\r\n"),
    (csv.QUOTE_ALL, "\n"),
    (csv.QUOTE_ALL, "\r"),
    (csv.QUOTE_ALL, "\r\n"),
]


@given(
    data=st.data(),
    width=st.integers(2, 5),
    delimiter=st.sampled_from(",;\t"),
    dialect=st.sampled_from(DIALECTS),
)
@settings(max_examples=150, deadline=None)
def test_what_the_csv_module_writes_is_read_back(data, width, delimiter, dialect):
    rows = data.draw(st.lists(st.lists(CELLS, min_size=width, max_size=width), max_size=5))
    encoding = data.draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
    quoting, end = dialect
    headers = [f"Column {letter}" for letter in string.ascii_uppercase[:width]]
    text = as_text([headers, *rows], delimiter, end, quoting)
    stripped = [[cell.strip() for cell in row] for row in rows]
    found = read(text.encode(encoding))
    assert cells_of(found) == [headers, *(row for row in stripped if any(row))]


@given(st.binary(max_size=200) | st.text('ab1",;\t\n\r ').map(str.encode))
@settings(max_examples=300, deadline=None)
def test_whatever_the_bytes_they_are_a_table_or_refused(data):
    with suppress(Refused):
        table = read(data)
        assert all(isinstance(cell, str) for row in cells_of(table) for cell in row)


def test_a_cell_may_be_longer_than_the_csv_module_expects():
    assert read(f"a,b\n{'x' * 200_000},1\n")["a"].str.len().iloc[0] == 200_000


def test_a_hundred_thousand_rows_take_about_a_second():
    row = [f"cell {place}" for place in range(12)]
    saved = as_text([[f"Column {place}" for place in range(12)], *[row] * 100_000], quoting=csv.QUOTE_ALL)
    start = time.process_time()
    assert read(saved).shape == (100_000, 12)
    assert time.process_time() - start < 5  # about 1 s; the machine may be busy


def test_a_workbook_reads_as_the_same_table_as_its_csv():
    assert_is_the_study(read(as_workbook([HEADERS, *BODY]), "study/table.XLSX"))


def test_a_workbook_is_known_by_its_content():
    assert_is_the_study(read(as_workbook([HEADERS, *BODY]), "study/table.csv"))


def test_the_first_sheet_with_cells_is_read_from_where_its_cells_begin():
    rows = [[], [None, " Subject ", "Age"], [], [None, "a", 71], [None, " ", None], [None, "b"]]
    table = read(as_workbook(rows, at="second"), "table.xlsx")
    assert cells_of(table) == [["Subject", "Age"], ["a", "71"], ["b", ""]]
    assert list(table.index) == [4, 6]


TYPED = {
    "date": (date(2006, 3, 2), "2006-03-02"),
    "midnight": (datetime(2006, 3, 2), "2006-03-02"),
    "time": (datetime(2006, 3, 2, 8, 15, 30), "2006-03-02 08:15:30"),
    "integer": (118673, "118673"),
    "whole float": (118673.0, "118673"),
    "float": (71.3, "71.3"),
    "negative": (-4, "-4"),
    "true": (True, "TRUE"),
    "text": (" 007 ", "007"),
    "formula without a value": ("=1+1", ""),
    "nothing": (None, ""),
}


@pytest.mark.parametrize("kind", TYPED)
def test_typed_cells_become_the_text_that_a_csv_would_hold(kind):
    value, text = TYPED[kind]
    table = read(as_workbook([["Subject", "Value"], ["a", value]]), "table.xlsx")
    assert cells_of(table) == [["Subject", "Value"], ["a", text]]


def with_part(workbook: bytes, part: str, change) -> bytes:
    """The workbook with one of its parts changed."""
    data = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook)) as old, zipfile.ZipFile(data, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(old.read(name)) if name.endswith(part) else old.read(name))
    return data.getvalue()


def test_a_sheet_that_lies_about_its_size_is_read_whole():
    book = as_workbook([HEADERS, *BODY])
    lying = with_part(book, "sheet1.xml", lambda xml: xml.replace(b'ref="A1:D4"', b'ref="A1:A1"'))
    assert lying != with_part(book, "sheet1.xml", bytes)
    assert_is_the_study(read(lying, "table.xlsx"))


@pytest.mark.parametrize(
    "damage",
    [
        lambda book: book[:-30],
        lambda book: book[: len(book) // 2],
        lambda book: b"Subject,Age\n1,2\n",
        lambda book: b"",
        lambda book: with_part(book, "sheet1.xml", lambda xml: xml[:-40]),
        lambda book: with_part(book, "workbook.xml", lambda xml: b"<html>"),
    ],
)
def test_a_damaged_workbook_is_refused(damage):
    said = refusal(damage(as_workbook([HEADERS, *BODY])), "study/table.xlsx")
    assert said.startswith("study/table.xlsx cannot be read as an Excel workbook")


def test_a_workbook_without_cells_is_refused():
    assert refusal(as_workbook([]), "table.xlsx").startswith("table.xlsx is empty")


def test_wrong_rows_of_a_workbook_are_named_by_sheet_row():
    assert "table.xlsx, line 3: 3 cells under 2" in refusal(
        as_workbook([["a", "b"], [], [1, 2, 3]]), "table.xlsx"
    )


def test_a_workbook_that_would_unpack_to_no_end_is_refused(monkeypatch):
    monkeypatch.setattr(study_table, "LARGEST_WORKBOOK", 1000)
    assert "would unpack to" in refusal(as_workbook([HEADERS, *BODY]), "table.xlsx")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a/b.csv", True),
        ("B.CSV", True),
        ("b.tsv", True),
        ("b.TxT", True),
        ("b.xlsx", True),
        ("b.xls", False),
        ("csv", False),
        ("b.csv.gz", False),
        ("a/~$b.xlsx", False),  # Excel's mark that the workbook is open
    ],
)
def test_a_table_is_known_by_its_suffix(path, expected):
    assert is_table(path) is expected


@pytest.mark.parametrize("header", ["Subject ID", "Subject.ID", "subject_id", " SUBJECT-ID ", "SubjectId"])
def test_headers_are_compared_by_letters_and_digits(header):
    assert plain(header) == "subjectid"
    table = pd.DataFrame({"Age": ["1"], header: ["a"]})
    assert list(column(table, "PTID", "Subject ID")) == ["a"]
    assert column(table, "Subject ID").name == header


def test_the_order_of_the_names_decides_and_then_that_of_the_columns():
    table = pd.DataFrame({"b": ["1"], "B.": ["2"], "a": ["3"], "%": ["4"]})
    assert list(column(table, "A", "b")) == ["3"]
    assert list(column(table, "x", "b", "a")) == ["1"]
    assert column(table, "c", "#") is None


@given(st.text())
def test_case_and_punctuation_never_tell_headers_apart(header):
    assert plain(f" {header}_") == plain(header) == plain(plain(header))
