"""Golden manifests: every form of table, saved in every way people save them, gives the same scans."""

import csv
import io
from datetime import date
from pathlib import Path

import ida_forms
import openpyxl
import pytest
from ida_forms import FORMS, Shot

from brainlapse.errors import Refused

SHOTS = [
    Shot(11, "941_S_0001", date(2010, 1, 19), "MPRAGE « ü »"),
    Shot(12, "941_S_0001", date(2011, 2, 20), "MP-RAGE"),
    Shot(13, "941_S_10002", date(2015, 12, 31), "Accelerated SAG IR-FSPGR"),
    Shot(14, "941_S_10002", date(2017, 12, 30), 'ADNI "3D" MPRAGE'),
]
GOLDEN = [("I11", 0), ("I12", 397), ("I13", 0), ("I14", 730)]


def delimited(rows, delimiter: str, quoting=csv.QUOTE_MINIMAL, end="\r\n") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator=end).writerows(rows)
    return text.getvalue()


def workbook(rows) -> bytes:
    """As Excel saves it: numbers as numbers, dates as dates, a sheet of notes before."""
    book, data = openpyxl.Workbook(), io.BytesIO()
    sheet = book.create_sheet("images")
    for row in rows:
        sheet.append([int(cell) if cell.isdigit() else cell for cell in row])
    book.save(data)
    return data.getvalue()


SAVES = {
    "as it came": lambda rows: delimited(rows, ",").encode(),
    "BOM": lambda rows: delimited(rows, ",").encode("utf-8-sig"),
    "UTF-16": lambda rows: delimited(rows, "\t").encode("utf-16"),
    "Latin-1": lambda rows: delimited(rows, ",").encode("latin-1"),
    "semicolons": lambda rows: delimited(rows, ";", csv.QUOTE_ALL).encode(),
    "tabs": lambda rows: delimited(rows, "\t", end="\n").encode(),
    "Excel": workbook,
    "padded": lambda rows: delimited([[f"  {c} " for c in row] for row in rows], ",").encode(),
    "re-cased": lambda rows: delimited([[c.upper() for c in rows[0]], *rows[1:]], ",").encode(),
    "make.names": lambda rows: delimited([[c.replace(" ", ".") for c in rows[0]], *rows[1:]], ",").encode(),
    "underscores": lambda rows: delimited([[c.replace(" ", "_") for c in rows[0]], *rows[1:]], ",").encode(),
    "more columns": lambda rows: delimited([[*row, "what, ever\nelse"] for row in rows], ",").encode(),
    "blank lines": lambda rows: delimited([rows[0], [], *rows[1:], [], []], ",").encode(),
    "old Mac": lambda rows: delimited(rows, ",", end="\r").encode(),
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    for shot in SHOTS:
        ida_forms.place(root, shot)
    return root


def save(root: Path, form: str, data: bytes, suffix: str) -> Path:
    path = root / Path(form).with_suffix(suffix).name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("way", SAVES)
def test_the_way_a_table_was_saved_does_not_matter(run, tree, form, way):
    rows = list(csv.reader(io.StringIO(FORMS[form](SHOTS))))
    table = save(tree, form, SAVES[way](rows), ".xlsx" if way == "Excel" else ".csv")
    try:
        scans = run(tree)["scans"]
    finally:
        table.unlink()
    assert list(zip(scans["scan"], scans["days"], strict=True)) == GOLDEN


WRONG = {
    "cut in a row": (lambda text: text[: text.rindex(",")], r"line 5: \d+ cells under 12"),
    "cut in a quote": (lambda text: text[: text.rindex('"') - 2], r"line 5"),
    "empty": (lambda text: "", r"is empty"),
    "a web page": (lambda text: "<!DOCTYPE html><html>Log in</html>", "web page"),
    "header only": (lambda text: text.split("\n")[0] + "\n", "lost at the step"),
    "a column twice": (lambda text: text.replace('"Sex"', '"Age"'), "line 1: the column name `Age`"),
    "both orders": (
        lambda text: text.replace("2/20/2011", "20/2/2011"),
        r"column Acq Date: '1/19/2010' \(line 2\)",
    ),
    "no ids": (lambda text: text.replace("Image Data ID", "No"), "its headers: No, Subject, Group"),
}


@pytest.mark.parametrize("way", WRONG)
def test_a_wrong_table_is_told_with_file_and_place(run, tree, way):
    spoil, message = WRONG[way]
    form = next(iter(FORMS))
    table = save(tree, form, spoil(FORMS[form](SHOTS)).encode(), ".csv")
    try:
        with pytest.raises(Refused, match=message) as refusal:
            run(tree)
    finally:
        table.unlink()
    assert table.name in str(refusal.value) or "lost at the step" in str(refusal.value)
