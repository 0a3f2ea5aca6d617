"""OASIS-3: both layouts and both generations of tables, days as they are, diagnosis of the nearest day."""

import json
import logging
import random
import shutil
from pathlib import Path

import pandas as pd
import pytest

from brainlapse.errors import Refused
from brainlapse.manifest import selection
from brainlapse.manifest.inventory import Download
from brainlapse.manifest.oasis3 import read

SETTINGS = {
    "columns": {},
    "selection": {"images": "original", "same_visit_days": 45, "diagnosis_window_days": 183},
}
SIDE = json.dumps({"MagneticFieldStrength": 3, "Manufacturer": "Siemens", "SeriesDescription": "T1 MPRAGE"})
# (subject, day, scan folder, the rest of the name), and the word by which half of the names begin a session.
IMAGES = [
    ("OAS39001", 129, "anat1", "run-01_T1w", "ses"),
    ("OAS39001", 129, "anat2", "run-02_T1w", "ses"),
    ("OAS39001", 129, "anat3", "acq-TSE_T2w", "ses"),
    ("OAS39001", 1340, "anat1", "T1w", "sess"),
    ("OAS39002", 0, "anat1", "T1w", "ses"),
    ("OAS39002", 0, "swi1", "run-01_swi", "ses"),
    ("OAS39002", 40, "anat1", "T1w", "ses"),
    ("OAS39002", 10023, "anat1", "acq-mprage_T1w", "sess"),
]
DEMOGRAPHICS = """OASISID,AgeatEntry,AgeatDeath,GENDER,EDUC,HAND,APOE
OAS39001,65.14,,2,12,R,33
OAS39002,70.0,,1,16,R,34
OAS39003,80.5,,1,16,R,34
"""
UDSB4 = """OASISID,OASIS_session_label,days_to_visit,age at visit,MMSE,CDRSUM,CDRTOT,dx1
OAS39001,OAS39001_UDSb4_d0100,100,65.4,30,0,0,Cognitively normal
OAS39001,OAS39001_UDSb4_d1400,1400,69.0,27,1,0.5,uncertain dementia
OAS39002,OAS39002_UDSb4_d0010,10,70.0,22,6,1,AD dem w/depresss- not contribut
OAS39002,OAS39002_UDSb4_d9000,9000,94.6,12,16,3,AD Dementia
"""
MR_JSON = """subject_id,label,scan category,Manufacturer,ManufacturersModelName,MagneticFieldStrength
OAS39001,OAS39001_MR_d1340,T1w,Siemens,TrioTim,3
OAS39001,OAS39001_MR_d1340,T2w,Siemens,TrioTim,3
OAS39002,OAS39002_MR_d0000,T1w,Siemens,Vision,1.5
OAS39003,OAS39003_MR_d0555,T1w,Siemens,TrioTim,3
OAS39003,OAS39003_MR_d0555,bold,Siemens,TrioTim,3
"""
TABLES = {
    "OASIS3_demographics.csv": DEMOGRAPHICS,
    "tables/my own name for UDSb4.csv": UDSB4,
    "OASIS3_MR_json.csv": MR_JSON,
}
ADRC = """"ADRC_ADRCCLINICALDATA ID",Subject,Date,Age,mmse,ageAtEntry,cdr,commun,dx1
OAS39001_ClinicalData_d0100,OAS39001,,,30,66.9,0,0,Cognitively normal
OAS39001_ClinicalData_d1290,OAS39001,,,27,66.9,0.5,0,0.5 in memory only
OAS39002_ClinicalData_d0010,OAS39002,,,22,70.2,1,0.5,DLBD- primary
"""


def simplified(subject: str, day: int, folder: str, rest: str, word: str) -> dict[str, str]:
    stem = f"sub-{subject}_{word}-d{day:04d}_{rest}"
    place = f"{subject}_MR_d{day:04d}/{folder}"
    return {f"{place}/{stem}.nii.gz": stem, f"{place}/{stem}.json": SIDE}


def not_simplified(subject: str, day: int, folder: str, rest: str, word: str) -> dict[str, str]:
    stem = f"sub-{subject}_{word}-d{day:04d}_{rest}"
    place = f"{subject}_MR_d{day:04d}/{folder}"
    return {f"{place}/NIFTI/{stem}.nii.gz": stem, f"{place}/BIDS/{stem}.json": SIDE}


def write(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return root


def study(root: Path, layout=simplified, images=IMAGES, tables=TABLES, side_files: bool = True) -> Path:
    files = {name: content for image in images for name, content in layout(*image).items()}
    return write(root, tables | {n: c for n, c in files.items() if side_files or not n.endswith(".json")})


def zipped(root: Path) -> Path:
    """Each session in a zip of its own, as the site hands them out."""
    for session in sorted(root.glob("OAS3*_MR_*")):
        shutil.make_archive(str(session), "zip", root, session.name)
        shutil.rmtree(session)
    return root


def rows_of(root: Path, **settings) -> pd.DataFrame:
    found, images = read(Download(root, root.with_name("cache")), SETTINGS | settings)
    usable = found[found["reason"].isna()]
    assert usable["scan"].is_unique and set(images) == set(usable["scan"])
    assert all(images[row.scan].name == row.image for row in usable.itertuples())
    return found


def told(rows: pd.DataFrame, name: str) -> dict:
    """Scan → value of the usable scans, None where it is missing."""
    usable = rows[rows["reason"].isna()].set_index("scan")
    return {scan: None if pd.isna(value) else value for scan, value in usable[name].items()}


@pytest.mark.parametrize("pack", [lambda root: root, zipped], ids=["folders", "zips"])
@pytest.mark.parametrize("layout", [simplified, not_simplified])
def test_both_layouts_give_the_same_scans_in_folders_and_in_zips(tmp_path, layout, pack):
    rows = rows_of(pack(study(tmp_path / "study", layout)))
    assert told(rows, "day") == {
        "sub-OAS39001_ses-d0129_run-01": 129,
        "sub-OAS39001_ses-d0129_run-02": 129,
        "sub-OAS39001_ses-d1340": 1340,
        "sub-OAS39002_ses-d0000": 0,
        "sub-OAS39002_ses-d0040": 40,
        "sub-OAS39002_ses-d10023_acq-mprage": 10023,
    }
    assert list(told(rows, "visit").values()) == ["d0129", "d0129", "d1340", "d0000", "d0040", "d10023"]
    assert list(told(rows, "repeat").values()) == [False, True, False, False, False, False]
    assert set(told(rows, "field_strength_t").values()) == {3.0}
    assert set(told(rows, "description").values()) == {"T1 MPRAGE"}
    others = rows[rows["reason"].eq(selection.NOT_T1)]
    assert sorted(others["detail"]) == ["acq-TSE_T2w", "run-01_swi"]


def test_people_and_the_diagnosis_of_the_nearest_day_within_the_window(tmp_path):
    rows = rows_of(study(tmp_path / "study"))
    assert list(told(rows, "age_years").values()) == [65.49, 65.49, 68.81, 70.0, 70.11, 97.44]
    assert list(told(rows, "sex").values()) == ["F"] * 3 + ["M"] * 3
    assert list(told(rows, "diagnosis").values()) == ["CN", "CN", "MCI", "AD", "AD", None]
    assert list(told(rows, "diagnosis_source").values()) == ["visit"] * 5 + [None]


def test_the_session_table_tells_the_scanner_where_no_side_file_does_and_which_sessions_are_not_there(
    tmp_path,
):
    rows = rows_of(study(tmp_path / "study", side_files=False))
    assert list(told(rows, "field_strength_t").values()) == [None, None, 3.0, 1.5, None, None]
    assert list(told(rows, "manufacturer").values()) == [None, None, "Siemens", "Siemens", None, None]
    lost = rows[rows["reason"].eq(selection.NO_FILE)].iloc[0]
    assert (lost["subject"], lost["visit"], lost["table_rows"]) == ("OAS39003", "d0555", 2)
    assert lost["detail"].endswith("OASIS3_MR_json.csv, line 5")


def test_the_tables_from_before_2024_do_as_well(tmp_path):
    rows = rows_of(study(tmp_path / "study", tables={"ADRC Clinical Data.csv": ADRC}))
    assert list(told(rows, "age_years").values())[:4] == [67.25, 67.25, 70.57, 70.2]
    # d1290 lies 50 days before the scan; a dementia of another kind is none of ours.
    assert list(told(rows, "diagnosis").values()) == ["CN", "CN", "MCI", None, None, None]
    assert set(told(rows, "sex").values()) == {None}


def test_of_two_generations_the_newer_counts_and_people_whose_ages_differ_are_told(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        rows = rows_of(study(tmp_path / "study", tables=TABLES | {"old.csv": ADRC}))
    assert list(told(rows, "age_years").values()) == [65.49, 65.49, 68.81, 70.0, 70.11, 97.44]
    assert list(told(rows, "diagnosis").values()) == ["CN", "CN", "MCI", "AD", "AD", None]
    assert "for 1 people demographics and ADRC clinical data differ by over a year" in caplog.text
    assert "OAS39001" in caplog.text


def test_two_states_of_one_clinical_table_are_refused(tmp_path):
    changed = UDSB4.replace("uncertain dementia", "AD Dementia")
    root = study(tmp_path / "study", tables=TABLES | {"tables/UDSb4 of last year.csv": changed})
    with pytest.raises(Refused, match=r"UDSb4 of last year.csv .* two states of one table"):
        rows_of(root)
    write(root, {"tables/UDSb4 of last year.csv": UDSB4})
    assert (
        rows_of(root)["diagnosis"].notna().sum() == 5 + 2
    )  # the two siblings that are not T1 are told it too


@pytest.mark.parametrize(
    ("dx1", "cdr", "expected"),
    [
        ("Cognitively normal", "0", "CN"),
        ("No dementia", "", "CN"),
        ("AD Dementia", "1", "AD"),
        ("AD dem w/PDI after AD dem contribut", "1", "AD"),
        ("AD dem/FLD prior to AD dem", "2", "AD"),
        ("DAT w/depresss  not contribut", "0.5", "AD"),
        ("uncertain dementia", "0.5", "MCI"),
        ("Unc: ques. Impairment", "0.5", "MCI"),
        ("0.5 in memory only", "0.5", "MCI"),
        ("Incipient demt PTP", "0.5", "MCI"),
        ("Incipient Non-AD dem", "0.5", None),
        ("uncertain  possible NON AD dem", "0.5", None),
        ("AD dem cannot be primary", "1", None),
        ("Non AD dem- Other primary", "1", None),
        ("Vascular Demt- primary", "1", None),
        ("Dementia/PD- primary", "1", None),
        ("DLBD- primary", "1", None),
        (".", "0", "CN"),
        ("", "0.5", "MCI"),
        ("", "2.0", "AD"),
        ("", "", None),
        ("never heard of", "1", None),
    ],
)
def test_the_clinicians_words_and_the_cdr_in_their_absence(tmp_path, caplog, dx1, cdr, expected):
    table = f"OASISID,days_to_visit,CDRTOT,dx1\nOAS39001,129,{cdr},{dx1}\n"
    rows = rows_of(study(tmp_path / "study", images=IMAGES[:1], tables={"b4.csv": table}))
    assert list(told(rows, "diagnosis").values()) == [expected]
    assert ("never heard of" in caplog.text) == (dx1 == "never heard of")


def test_another_persons_visit_on_the_same_day_counts_for_nothing(tmp_path):
    table = (
        "OASISID,days_to_visit,CDRTOT,dx1\nOAS39002,129,1,AD Dementia\nOAS39001,1340,0,Cognitively normal\n"
    )
    rows = rows_of(study(tmp_path / "study", images=IMAGES[:1], tables={"b4.csv": table}))
    assert list(told(rows, "diagnosis").values()) == [None]


@pytest.mark.parametrize(
    ("path", "reason", "detail"),
    [
        (
            "OAS39001_MR_d0129/anat1/sub-OAS39002_ses-d0129_T1w.nii.gz",
            selection.CONFLICT,
            "OAS39001 and OAS39002",
        ),
        (
            "OAS39001_MR_d0129/anat1/sub-OAS39001_sess-d0130_T1w.nii.gz",
            selection.CONFLICT,
            "day 129 and day 130",
        ),
        ("OAS39001/anat1/sub-OAS39001_T1w.nii.gz", selection.NO_SESSION, "no day"),
        ("atlas/anat1/template_T1w.nii.gz", selection.NO_IDENTIFIER, "no OAS3"),
    ],
)
def test_a_path_that_tells_too_much_or_too_little_rejects_its_image_only(tmp_path, path, reason, detail):
    root = study(tmp_path / "study", images=IMAGES[:4])
    write(root, {path: "something else"})
    rows = rows_of(root)
    assert len(told(rows, "day")) == 3
    wrong = rows[rows["image"].astype(str).str.endswith(path)].iloc[0]
    assert wrong["reason"] == reason and detail in wrong["detail"]


def test_a_folder_alone_or_a_name_alone_is_enough(tmp_path):
    root = write(tmp_path / "study", {
        "OAS39001_MR_d0129/anat1/NIFTI/T1w.nii.gz": "a",
        "flat/sub-OAS39001_ses-d1340_T1w.nii.gz": "b",
    })  # fmt: skip
    assert told(rows_of(root), "day") == {"sub-OAS39001_ses-d0129": 129, "sub-OAS39001_ses-d1340": 1340}


def test_the_same_image_in_both_layouts_is_one_and_two_images_of_one_name_are_two(tmp_path):
    root = study(tmp_path / "study", images=IMAGES[3:4])
    study(root / "again", not_simplified, images=IMAGES[3:4])
    assert list(told(rows_of(root), "day")) == ["sub-OAS39001_ses-d1340"]
    write(root, simplified("OAS39001", 1340, "anat2", "T1w", "sess"))
    assert list(told(rows_of(root), "day")) == [
        "sub-OAS39001_ses-d1340_anat1",
        "sub-OAS39001_ses-d1340_anat2",
    ]


def test_nothing_of_the_study_is_refused_with_the_tables_that_are_there(tmp_path):
    root = write(tmp_path / "study", {"x.nii.gz": "x", "readme.txt": "Hello,\nthis is no, table, at all\n"})
    write(root, {"other.csv": "Subject,Score\nOAS39001,3\n"})
    with pytest.raises(Refused, match=r"nothing of OASIS-3(.|\n)*other.csv: Subject, Score"):
        rows_of(root)


def test_headers_that_the_config_adds_are_known_and_other_words_refused(tmp_path):
    tables = TABLES | {"OASIS3_demographics.csv": DEMOGRAPHICS.replace("AgeatEntry", "age when enrolled")}
    root = study(tmp_path / "study", tables=tables)
    assert rows_of(root)["age_years"].isna().all()
    rows = rows_of(root, columns={"age_at_entry": "Age when enrolled"})
    assert told(rows, "age_years")["sub-OAS39001_ses-d0129_run-01"] == 65.49
    with pytest.raises(Refused, match=r"columns.age: write `WORD: HEADER`; the words of the oasis3 reader"):
        rows_of(root, columns={"age": "x"})


@pytest.mark.parametrize("seed", range(5))
def test_neither_the_order_of_table_rows_nor_that_of_files_matters(tmp_path, seed):
    tables = TABLES | {"old.csv": ADRC}
    root = study(tmp_path / "study", tables=tables)
    expected, images = read(Download(root, tmp_path / "cache"), SETTINGS)
    draw = random.Random(seed)
    for name, content in tables.items():
        header, *lines = content.splitlines()
        draw.shuffle(lines)
        write(root, {name: "\n".join([header, *lines])})
    download = Download(root, tmp_path / "cache")
    draw.shuffle(download.items)
    found, same = read(download, SETTINGS)
    # Which line of a table is named depends on where it stands, and on nothing else does anything depend.
    pd.testing.assert_frame_equal(found.drop(columns="detail"), expected.drop(columns="detail"))
    assert same == images


def test_the_whole_stage_keeps_days_and_says_what_was_lost(run, tmp_path):
    found = run(study(tmp_path / "study"), reader="oasis3", selection={"same_visit_days": 30})
    assert found["scans"][["subject", "visit", "days"]].values.tolist() == [
        ["OAS39001", "d0129", 0], ["OAS39001", "d1340", 1211],
        ["OAS39002", "d0000", 0], ["OAS39002", "d0040", 40], ["OAS39002", "d10023", 10023],
    ]  # fmt: skip
    assert found["scans"]["acquired"].isna().all()
    assert set(found["rejected"]["reason"]) == {selection.NOT_T1, selection.NO_FILE, selection.NOT_CHOSEN}
