"""An ADNI download, with the study's real header and made-up people, gives the scans one expects."""

import argparse
import itertools
from pathlib import Path

import pytest

from brainlapse import manifest, tables
from brainlapse.errors import Refused
from brainlapse.manifest import selection

HEADER = (
    '"Image Data ID","Subject","Group","Sex","Age","Visit","Modality","Description","Type",'
    '"Acq Date","Format","Downloaded"'
)
PROCESSED = "MPR; GradWarp; B1 Correction; N3; Scaled"
ROWS = [
    # image, subject, group, visit, description, type, date, file
    ("I1", "941_S_0001", "CN", "sc", "MPRAGE", "Original", "1/9/2010", True),
    ("I2", "941_S_0001", "CN", "sc", "MPRAGE Repeat", "Original", "1/9/2010", True),
    ("I3", "941_S_0001", "CN", "m12", "MP-RAGE", "Original", "2/20/2011", True),
    ("I4", "941_S_0001", "CN", "m12", "3-plane localizer", "Original", "2/20/2011", True),
    ("I5", "941_S_0001", "CN", "m12", PROCESSED, "Processed", "2/20/2011", True),
    ("I6", "941_S_10002", "LMCI", "v02", "Accelerated SAG IR-FSPGR", "Original", "12/31/2015", True),
    ("7", "941_S_10002", "LMCI", "v05", "ADNI       MPRAGE", "Original", "12/30/2017", True),
    ("I8", "941_S_0003", "AD", "sc", "MPRAGE", "Original", "5/5/2010", True),
    ("I9", "941_S_0003", "AD", "m06", "MPRAGE", "Original", "11/7/2010", False),
    ("D10", "941_S_0003", "AD", "sc", "Mask <- MPRAGE", "Processed", "5/5/2010", True),
    ("I11", "nobody", "AD", "sc", "MPRAGE", "Original", "5/5/2010", True),
]  # fmt: skip


def write_download(root: Path, rows=ROWS, encoding="utf-8", delimiter=",", header=HEADER, end="\n") -> Path:
    """Write the collection CSV and an empty file for each image that was downloaded."""
    root.mkdir(parents=True, exist_ok=True)
    lines = [header.replace(",", delimiter)]
    for image, subject, group, visit, description, kind, date, there in rows:
        cells = (image, subject, group, "F", "74", visit, "MRI", description, kind, date, "NiFTI", "")
        lines.append(delimiter.join(f'"{cell}"' for cell in cells))
        if there:
            write_image(root, image, subject, description, date)
    (root / "My_Collection_3_20_2021.csv").write_text(end.join(lines) + end, encoding=encoding, newline="")
    return root


def write_image(root: Path, image: str, subject: str, description: str, date: str) -> None:
    month, day, year = map(int, date.split("/"))
    number = image.strip("ID")
    name = "".join(c if c.isalnum() else "_" for c in description)
    folder = root / "ADNI" / subject / name / f"{year}-{month:02d}-{day:02d}_08_15_30.0" / f"I{number}"
    folder.mkdir(parents=True)
    (folder / f"ADNI_{subject}_MR_{name}_Br_20190101120000000_S99_I{number}.nii").touch()


def run(root: Path, out: Path, role: str = "external") -> dict:
    settings = {"reader": "adni", "root": str(root), "role": role}
    options = argparse.Namespace(cohort="adni", settings=settings, out=out)
    manifest.run(options)
    kinds = (tables.SCANS, tables.REJECTED, tables.FUNNEL)
    return {kind.name: tables.read(out / kind.name, kind) for kind in kinds}


def test_the_usable_scans_are_found_and_all_others_have_a_reason(tmp_path):
    found = run(write_download(tmp_path / "adni"), tmp_path / "out")
    scans, rejected = found["scans.tsv"], found["rejected.tsv"]
    assert list(scans["scan"]) == ["I1", "I3", "I6", "I7"]
    assert list(scans["days"]) == [0, 407, 0, 730]
    assert list(scans["diagnosis"]) == ["CN", "CN", "MCI", "MCI"]
    assert all(Path(image).exists() for image in scans["image"])
    assert len(scans) + len(rejected) == len(ROWS) + 1  # the file of D10 has no row that names it
    reason = dict(zip(rejected["scan"], rejected["reason"], strict=True))
    assert reason["I2"] == selection.NOT_CHOSEN
    assert reason["I4"] == selection.NOT_T1
    assert reason["I5"] == selection.NOT_ORIGINAL
    assert reason["I8"] == selection.ONE_VISIT
    assert reason["I9"] == selection.NO_FILE
    assert set(rejected["reason"]) <= set(selection.REASONS)


def test_the_funnel_only_narrows_and_ends_at_the_scans(tmp_path):
    found = run(write_download(tmp_path / "adni"), tmp_path / "out")
    counts = list(found["funnel.tsv"]["rows"])
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == len(found["scans.tsv"])


@pytest.mark.parametrize(
    ("encoding", "delimiter", "end"),
    list(itertools.product(["utf-8", "utf-8-sig", "utf-16", "latin-1"], [",", ";", "\t"], ["\n", "\r\n"])),
)
def test_the_way_a_table_was_saved_does_not_matter(tmp_path, encoding, delimiter, end):
    plain = run(write_download(tmp_path / "a"), tmp_path / "out_a")
    rows = write_download(tmp_path / "a2", encoding=encoding, delimiter=delimiter, end=end)
    saved = run(rows, tmp_path / "out_b")
    assert list(plain["scans.tsv"]["scan"]) == list(saved["scans.tsv"]["scan"])
    assert list(plain["scans.tsv"]["acquired"]) == list(saved["scans.tsv"]["acquired"])


def test_the_order_of_the_rows_does_not_matter(tmp_path):
    forward = run(write_download(tmp_path / "a"), tmp_path / "out_a")
    backward = run(write_download(tmp_path / "b", rows=ROWS[::-1]), tmp_path / "out_b")
    assert list(forward["scans.tsv"]["scan"]) == list(backward["scans.tsv"]["scan"])


def test_the_folder_date_wins_over_the_table_and_a_far_one_rejects(tmp_path):
    root = write_download(tmp_path / "adni")
    near, far = "2011-02-20_08_15_30.0", "2017-12-30_08_15_30.0"
    next(root.rglob(f"*/{near}/I3")).parent.rename(next(root.rglob(near)).with_name("2011-02-25_08_15_30.0"))
    next(root.rglob(far)).rename(next(root.rglob(far)).with_name("2018-06-30_08_15_30.0"))
    found = run(root, tmp_path / "out")
    assert (
        dict(zip(found["scans.tsv"]["scan"], found["scans.tsv"]["acquired"], strict=True))["I3"]
        == "2011-02-25"
    )
    rejected = found["rejected.tsv"].set_index("scan")["reason"]
    assert rejected["I7"] == selection.DATES_DISAGREE


def test_two_tables_that_repeat_a_row_count_it_once(tmp_path):
    root = write_download(tmp_path / "adni")
    (root / "Again_4_01_2021.csv").write_text((root / "My_Collection_3_20_2021.csv").read_text())
    found = run(root, tmp_path / "out")
    assert list(found["scans.tsv"]["scan"]) == ["I1", "I3", "I6", "I7"]
    assert (found["rejected.tsv"]["reason"] == selection.REPEATED_ROW).sum() >= 8


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda root: (root / "My_Collection_3_20_2021.csv").unlink(), "no ADNI collection table"),
        (lambda root: _replace(root, "2/20/2011", "20/2/2011"), r"line 4, column Acq Date: '20/2/2011'"),
        (lambda root: _replace(root, '"sc","MRI"', '"sc"'), "line 2: 11 cells under 12"),
        (
            lambda root: _replace(root, '"Original"', '"Processed"'),
            "the last were lost at the step `original`",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(tmp_path, spoil, message):
    root = write_download(tmp_path / "adni")
    spoil(root)
    with pytest.raises(Refused, match=message):
        run(root, tmp_path / "out")


def test_a_study_of_two_people_is_refused_before_any_image_is_read(tmp_path):
    root = write_download(tmp_path / "adni")
    with pytest.raises(Refused, match=r"2 people under .* have two usable scans; a study needs at least 3"):
        run(root, tmp_path / "out", role="study")


def _replace(root: Path, old: str, new: str) -> None:
    table = root / "My_Collection_3_20_2021.csv"
    table.write_text(table.read_text().replace(old, new))
