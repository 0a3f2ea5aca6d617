"""BIDS datasets: what their names, side files and tables tell of a scan, and what they must not be asked."""

import json
import logging
import random
import shutil
import zipfile
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from brainlapse.errors import Refused
from brainlapse.manifest import selection
from brainlapse.manifest.bids import read
from brainlapse.manifest.inventory import Download

REAL = Path(__file__).parents[3] / "shared" / "data" / "real" / "openms"
SELECTION = {"images": "original", "same_visit_days": 45, "diagnosis_window_days": 183}
DESCRIPTION = {"dataset_description.json": json.dumps({"Name": "made up", "BIDSVersion": "1.10.0"})}
TWO_SESSIONS = {
    "sub-01/ses-M6/anat/sub-01_ses-M6_T1w.nii.gz": "first",
    "sub-01/ses-M12/anat/sub-01_ses-M12_T1w.nii.gz": "second",
}


def tsv(header: str, *rows: str) -> str:
    return "\n".join("\t".join(line.split()) for line in (header, *rows)) + "\n"


def scans_tsv(visit: str, acq_time: str) -> dict[str, str]:
    table = tsv("filename acq_time", f"anat/sub-01_ses-{visit}_T1w.nii.gz {acq_time}")
    return {f"sub-01/ses-{visit}/sub-01_ses-{visit}_scans.tsv": table}


BY_SCAN = TWO_SESSIONS | scans_tsv("M6", "2010-03-04T10:30:00") | scans_tsv("M12", "2010-10-05T08:00:00.123Z")


def write(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return root


@pytest.fixture
def rows_of(tmp_path):
    """A function that writes a dataset and returns its rows by scan id; `unused` are those without one."""

    def rows(files: dict[str, str], columns: dict | None = None, pack: bool = False) -> pd.DataFrame:
        root = write(tmp_path / "study", DESCRIPTION | files)
        if pack:
            shutil.make_archive(str(tmp_path / "packed" / "dataset"), "zip", root)
            root = tmp_path / "packed"
        settings = {"columns": columns or {}, "selection": SELECTION, "cohort": "mine"}
        found, images = read(Download(root, tmp_path / "cache"), settings)
        usable = found[found["reason"].isna()]
        assert found["scan"].is_unique
        assert all(images[row.scan].name == row.image for row in usable.itertuples())
        return found.set_index("scan")

    return rows


def told(rows: pd.DataFrame, name: str) -> dict:
    """Scan → value, None where it is missing."""
    return {scan: None if pd.isna(value) else value for scan, value in rows[name].items()}


@pytest.mark.parametrize("pack", [False, True], ids=["folder", "zip"])
def test_the_scans_table_tells_the_day_and_labels_do_not(rows_of, pack):
    rows = rows_of(BY_SCAN, pack=pack)
    assert told(rows, "acquired") == {"sub-01_ses-M12": "2010-10-05", "sub-01_ses-M6": "2010-03-04"}
    assert rows["reason"].isna().all() and rows["day"].isna().all()
    assert told(rows, "subject") == {"sub-01_ses-M12": "01", "sub-01_ses-M6": "01"}
    assert told(rows, "visit") == {"sub-01_ses-M12": "M12", "sub-01_ses-M6": "M6"}
    assert set(rows["table_rows"]) == {1}


def test_a_dataset_below_the_folder_is_found_and_two_are_not_mixed(rows_of, tmp_path):
    files = {f"ds000001/{name}": content for name, content in (DESCRIPTION | BY_SCAN).items()}
    assert len(rows_of(files)) == 2
    with pytest.raises(Refused, match=r"ds000001 and in ds000002.*a cohort of its own"):
        rows_of({"ds000002/sub-01/anat/sub-01_T1w.nii.gz": "someone else"})


def test_no_dataset_is_refused_and_a_missing_description_is_told(rows_of, tmp_path, caplog):
    with pytest.raises(Refused, match="no folder below it is named sub-LABEL"):
        rows_of({"patient1/T1.nii.gz": "x"})
    with caplog.at_level(logging.WARNING):
        read(
            Download(write(tmp_path / "bare", BY_SCAN), tmp_path / "c"),
            {"columns": {}, "selection": SELECTION},
        )
    assert "has no dataset_description.json" in caplog.text


def test_other_images_are_told_and_derivatives_are_left_out(rows_of, caplog):
    others = {
        "sub-01/ses-M6/anat/sub-01_ses-M6_T2w.nii.gz": "x",
        "sub-01/ses-M6/anat/sub-01_ses-M6_part-phase_T1w.nii.gz": "x",
        "sub-01/ses-M6/func/sub-01_ses-M6_task-rest_bold.nii.gz": "x",
        "template/mask.nii.gz": "x",
    }
    derived = {
        "derivatives/tool/sub-01/ses-M6/anat/sub-01_ses-M6_T1w.nii.gz": "x",
        "sourcedata/sub-02/anat/sub-02_T1w.nii.gz": "x",
    }
    with caplog.at_level(logging.INFO):
        rows = rows_of(BY_SCAN | others | derived | {"sub-01/ses-M6/anat/notes.txt": "x"})
    assert len(rows) == 6
    assert sum(rows["reason"].eq(selection.NOT_T1)) == 4
    assert rows.loc["sub-01_ses-M6_task-rest_bold", "detail"] == "bold in sub-01/ses-M6/func"
    assert rows.loc["sub-01_ses-M6_task-rest_bold", "visit"] == "M6"
    assert "2 files in derivatives/ or sourcedata/ are left out" in caplog.text


def test_a_name_that_contradicts_its_folder_is_a_conflict(rows_of):
    wrong = {"sub-01/ses-M6/anat/sub-02_ses-M6_T1w.nii.gz": "x", "sub-01/ses-M6/anat/sub-01_T1w.nii.gz": "x"}
    rows = rows_of(BY_SCAN | wrong)
    assert told(rows, "reason")["sub-02_ses-M6"] == selection.CONFLICT
    assert (
        rows.loc["sub-01", "detail"] == "the file's name says sub-01, no session, its folder sub-01, ses-M6"
    )


def test_files_that_the_scans_table_misses_are_rows_without_an_image(rows_of):
    more = "anat/sub-01_ses-M6_run-2_T1w.nii.gz\t2010-03-04T10:40:00\n"
    table = "sub-01/ses-M6/sub-01_ses-M6_scans.tsv"
    rows = rows_of(BY_SCAN | {table: BY_SCAN[table] + more + "eeg/sub-01_ses-M6_eeg.edf\tn/a\n"})
    missed = rows.loc["sub-01_ses-M6_run-2"]
    assert (missed["reason"], missed["subject"], missed["visit"]) == (selection.NO_FILE, "01", "M6")
    assert missed["detail"].endswith("sub-01_ses-M6_scans.tsv, line 3")
    assert len(rows) == 3


def test_a_second_run_is_a_repeat_and_a_reconstruction_is_kept_and_told(rows_of):
    anat = "sub-01/anat/sub-01"
    rows = rows_of(
        {f"{anat}_run-1_T1w.nii": "1", f"{anat}_run-02_T1w.nii": "2", f"{anat}_rec-norm_T1w.nii": "3"}
    )
    assert told(rows, "repeat") == {"sub-01_run-1": False, "sub-01_run-02": True, "sub-01_rec-norm": False}
    assert rows.loc["sub-01_rec-norm", "detail"] == "rec-norm" and rows["reason"].isna().all()


def test_side_files_are_inherited_and_the_nearest_wins(rows_of):
    anat = "sub-01/ses-M6/anat"
    rows = rows_of(
        BY_SCAN
        | {
            "T1w.json": json.dumps(
                {"MagneticFieldStrength": 1.5, "Manufacturer": "GE", "SeriesDescription": "A"}
            ),
            "acq-other_T1w.json": json.dumps({"Manufacturer": "Nobody"}),
            "sub-01/sub-01_T1w.json": json.dumps({"Manufacturer": "Philips"}),
            f"{anat}/sub-01_ses-M6_T1w.json": json.dumps(
                {
                    "MagneticFieldStrength": "3",
                    "ImageType": ["DERIVED", "PRIMARY"],
                    "SeriesDescription": " MP  RAGE ",
                }
            ),
        }
    )
    assert told(rows, "field_strength_t") == {"sub-01_ses-M12": 1.5, "sub-01_ses-M6": 3.0}
    assert told(rows, "manufacturer") == {"sub-01_ses-M12": "Philips", "sub-01_ses-M6": "Philips"}
    assert told(rows, "description") == {"sub-01_ses-M12": "A", "sub-01_ses-M6": "MP RAGE"}
    assert told(rows, "detail") == {"sub-01_ses-M12": None, "sub-01_ses-M6": "ImageType DERIVED"}


@pytest.mark.parametrize("content", ["{", "[1, 2]", '{"MagneticFieldStrength": 30000, "Manufacturer": 7}'])
def test_a_side_file_that_tells_nothing_costs_no_scan(rows_of, content, caplog):
    rows = rows_of(BY_SCAN | {"T1w.json": content})
    assert rows["reason"].isna().all()
    assert rows["field_strength_t"].isna().all() and rows["manufacturer"].isna().all()
    assert ("cannot be read" in caplog.text) == (not content.startswith('{"'))


SESSIONS = "sub-01/sub-01_sessions.tsv"


def test_the_sessions_table_tells_the_day_where_the_scans_table_does_not(rows_of):
    tables = {
        SESSIONS: tsv("session_id acq_time", "ses-M6 1899-03-04T10:30:00", "M12 1899-10-05"),
        "sub-01/ses-M6/sub-01_ses-M6_scans.tsv": tsv(
            "filename acq_time", "anat/sub-01_ses-M6_T1w.nii.gz n/a"
        ),
    }
    rows = rows_of(TWO_SESSIONS | tables)
    assert told(rows, "acquired") == {"sub-01_ses-M12": "1899-10-05", "sub-01_ses-M6": "1899-03-04"}


@pytest.mark.parametrize("text", ["03/04/2010", "10:30:00", "2010-13-01", "3010-01-01", "yesterday"])
def test_a_time_that_is_no_iso_date_is_the_problem_of_its_row(rows_of, text):
    rows = rows_of(
        TWO_SESSIONS | {SESSIONS: tsv("session_id acq_time", f"ses-M6 {text}", "ses-M12 2010-10-05")}
    )
    bad = rows.loc["sub-01_ses-M6"]
    assert bad["reason"] == selection.IMPOSSIBLE_DATE
    assert f"sub-01_sessions.tsv, line 2: {text!r} is no ISO 8601 date" in bad["detail"]
    assert pd.isna(rows.loc["sub-01_ses-M12", "reason"])


@pytest.mark.parametrize("missing", ["n/a", "NA", "xx", "N/A", "nan"])
def test_a_scan_without_a_time_beside_scans_with_one_has_no_date(rows_of, missing):
    rows = rows_of(
        TWO_SESSIONS | {SESSIONS: tsv("session_id acq_time", f"ses-M6 {missing}", "ses-M12 2010-10-05")}
    )
    assert told(rows, "reason") == {"sub-01_ses-M12": None, "sub-01_ses-M6": selection.NO_DATE}


def test_two_times_of_one_session_are_none(rows_of, caplog):
    twice = tsv("session_id acq_time", "ses-M6 2010-03-04", "ses-M6 2011-03-04", "ses-M12 2010-10-05")
    rows = rows_of(TWO_SESSIONS | {SESSIONS: twice})
    assert rows.loc["sub-01_ses-M6", "reason"] == selection.NO_DATE
    assert "two values of `acq_time`" in caplog.text


def test_days_come_from_the_column_that_the_config_names(rows_of):
    table = tsv("session_id days_from_baseline", "ses-M6 -2", "ses-M12 212.6")
    rows = rows_of(TWO_SESSIONS | {SESSIONS: table}, {"days": "days_from_baseline"})
    assert told(rows, "day") == {"sub-01_ses-M12": 213.0, "sub-01_ses-M6": -2.0}
    assert rows["acquired"].isna().all() and rows["reason"].isna().all()


def test_a_persons_times_are_of_one_clock(rows_of):
    three = {**TWO_SESSIONS, "sub-01/ses-M24/anat/sub-01_ses-M24_T1w.nii.gz": "third"}
    table = tsv("session_id acq_time days", "ses-M6 2010-03-04 0", "ses-M12 n/a 200", "ses-M24 n/a 700")
    rows = rows_of(three | {SESSIONS: table}, {"days": "days"})
    assert told(rows, "day") == {"sub-01_ses-M12": 200.0, "sub-01_ses-M24": 700.0, "sub-01_ses-M6": 0.0}
    assert rows["acquired"].isna().all()
    both = tsv("session_id acq_time days", "ses-M6 2010-03-04 0", "ses-M12 2010-10-05 n/a", "ses-M24 n/a 700")
    rows = rows_of(three | {SESSIONS: both}, {"days": "days"})
    assert rows.loc["sub-01_ses-M24", "reason"] == selection.NO_DATE
    assert rows.loc["sub-01_ses-M6", "acquired"] == "2010-03-04"


# A dataset like DLBS: no acq_time, integer ages and years between the waves in participants.tsv.

WAVES = {
    f"sub-{who}/ses-wave{wave}/anat/sub-{who}_ses-wave{wave}_acq-MPRAGE_run-1_T1w.nii.gz": f"{who} {wave}"
    for who, waves in (("900", "123"), ("901", "12"), ("902", "13"))
    for wave in waves
}
DLBS = WAVES | {
    "participants.tsv": tsv(
        "participant_id AgeMRI_W1 AgeMRI_W2 AgeMRI_W3 MRIW1toW2 MRIW1toW3 Sex",
        "sub-900 61 65 70 4.1 9.03 f",
        "sub-901 48 52 NA 3.9 NA m",
        "sub-902 30 xx 40 xx 9.9 xx",
    )
}
DLBS_COLUMNS = {
    "years_since_first": {"wave2": "MRIW1toW2", "wave3": "MRIW1toW3"},
    "age_years": {"wave1": "AgeMRI_W1", "wave2": "AgeMRI_W2", "ses-wave3": "AgeMRI_W3"},
    "sex": "Sex",
}


def test_years_between_sessions_come_from_the_columns_that_the_config_names(rows_of):
    rows = rows_of(DLBS, DLBS_COLUMNS)
    days = {scan.split("_acq")[0]: day for scan, day in told(rows, "day").items()}
    assert days == {
        "sub-900_ses-wave1": 0, "sub-900_ses-wave2": 1498, "sub-900_ses-wave3": 3298,
        "sub-901_ses-wave1": 0, "sub-901_ses-wave2": 1424, "sub-902_ses-wave1": 0, "sub-902_ses-wave3": 3616,
    }  # fmt: skip
    assert rows["age_years"].tolist() == [61, 65, 70, 48, 52, 30, 40]
    assert list(told(rows, "sex").values()) == ["F"] * 3 + ["M"] * 2 + [None] * 2


def test_the_whole_stage_on_years_between_sessions(run, tmp_path):
    root = write(tmp_path / "dlbs", DESCRIPTION | DLBS)
    scans = run(root, reader="bids", columns=DLBS_COLUMNS)["scans"]
    assert scans[["subject", "visit", "days"]].values.tolist() == [
        ["900", "wave1", 0], ["900", "wave2", 1498], ["900", "wave3", 3298],
        ["901", "wave1", 0], ["901", "wave2", 1424],
        ["902", "wave1", 0], ["902", "wave3", 3616],
    ]  # fmt: skip


@pytest.mark.parametrize("years", ["NA", "-3.9", "1424", "four"])
def test_years_that_are_missing_or_cannot_be_reject_the_scan_and_never_make_it_a_baseline(rows_of, years):
    table = DLBS["participants.tsv"].replace("3.9", years)
    rows = rows_of(DLBS | {"participants.tsv": table}, DLBS_COLUMNS)
    expected = selection.NO_DATE if years == "NA" else selection.IMPOSSIBLE_DATE
    assert told(rows, "reason")["sub-901_ses-wave2_acq-MPRAGE_run-1"] == expected


def test_only_one_session_can_be_the_first(rows_of):
    with pytest.raises(Refused, match="the sessions wave1, wave3 have no column, and only the first"):
        rows_of(DLBS, {"years_since_first": {"wave2": "MRIW1toW2"}})


def test_several_sessions_without_any_time_are_refused_with_the_headers_and_what_to_add(rows_of):
    tables = {"sub-900/sub-900_sessions.tsv": tsv("session_id months", "ses-wave1 0", "ses-wave2 49")}
    with pytest.raises(Refused) as refusal:
        rows_of(DLBS | tables)
    said = str(refusal.value)
    assert "headers of participants.tsv: participant_id, AgeMRI_W1" in said
    assert "headers of …_sessions.tsv: session_id, months\n" in said
    assert "    cohorts:\n      mine:\n        columns:\n          days: HEADER" in said


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"day": "x"}, r"cohorts.mine.columns.day: the bids reader knows days, years_since_first"),
        ({"days": "MRIW1toW2"}, "columns.days: there is no column MRIW1toW2"),
        (
            {"sex": "Gender"},
            "columns.sex: there is no column Gender.\n  headers of participants.tsv: participant",
        ),
        ({"years_since_first": {"wave2": "W2", "wave3": "MRIW1toW3"}}, "there is no column W2"),
    ],
)
def test_a_word_or_header_of_the_config_that_is_not_there_is_refused(rows_of, columns, message):
    with pytest.raises(Refused, match=message):
        rows_of(DLBS, columns)


def test_a_dataset_with_one_session_needs_no_time(rows_of):
    people = tsv("participant_id age sex", "sub-01 61 female", "sub-02 89+ Male")
    rows = rows_of(
        {f"sub-{who}/anat/sub-{who}_T1w.nii.gz": who for who in ("01", "02")} | {"participants.tsv": people}
    )
    assert rows["reason"].isna().all() and set(rows["day"]) == {0}
    assert told(rows, "age_years") == {"sub-01": 61, "sub-02": None}
    assert told(rows, "sex") == {"sub-01": "F", "sub-02": "M"}
    assert rows["visit"].notna().all()


def test_an_image_outside_the_persons_sessions_has_no_session(rows_of):
    rows = rows_of(BY_SCAN | {"sub-01/anat/sub-01_T1w.nii.gz": "x"})
    assert rows.loc["sub-01", "reason"] == selection.NO_SESSION


def test_the_participants_age_is_used_only_where_it_is_clear_which_scan_it_is_about(rows_of):
    files = BY_SCAN | {"participants.tsv": tsv("participant_id age", "01 61.5")}
    assert rows_of(files)["age_years"].isna().all()
    assert told(rows_of(files, {"age_years": "age"}), "age_years") == {
        "sub-01_ses-M12": 62.09,
        "sub-01_ses-M6": 61.5,
    }
    sessions = {SESSIONS: tsv("session_id age", "ses-M6 61.5", "ses-M12 62.1")}
    assert told(rows_of(files | sessions), "age_years") == {"sub-01_ses-M12": 62.1, "sub-01_ses-M6": 61.5}


def test_the_diagnosis_is_the_sessions_or_else_that_of_entry_and_unknown_words_are_listed(rows_of, caplog):
    table = tsv("session_id diagnosis", "ses-M6 EMCI", "ses-M12 ftd")
    people = {"participants.tsv": "participant_id\tgroup\n01\tAlzheimer's disease\n"}
    rows = rows_of(BY_SCAN | people | {SESSIONS: table})
    assert told(rows, "diagnosis") == {"sub-01_ses-M12": None, "sub-01_ses-M6": "MCI"}
    assert told(rows, "diagnosis_source") == {"sub-01_ses-M12": None, "sub-01_ses-M6": "visit"}
    assert "diagnosis is taken as missing where it is ftd" in caplog.text
    rows = rows_of(BY_SCAN | people, {"diagnosis": "group"})
    assert set(rows["diagnosis"]) == {"AD"} and set(rows["diagnosis_source"]) == {"enrolment"}


def test_an_unpacked_copy_beside_its_archive_is_one_image_and_a_broken_one_is_not_used(
    rows_of, tmp_path, caplog
):
    rows_of(BY_SCAN)
    shutil.make_archive(str(tmp_path / "study" / "parts"), "zip", tmp_path / "study")
    (tmp_path / "study" / "sub-01/ses-M6/anat/sub-01_ses-M6_T1w.nii.gz").write_text("fir")
    rows = rows_of({"sub-01/ses-M6/anat/sub-01_ses-M6_T1w.nii.gz": "fir"})
    assert len(rows) == 2 and rows["reason"].isna().all()
    assert "parts.zip/" in rows.loc["sub-01_ses-M6", "image"]
    assert "parts.zip/" not in rows.loc["sub-01_ses-M12", "image"]
    assert "unpacked only in part" in caplog.text


def test_two_archives_with_different_files_of_one_image(rows_of, tmp_path):
    rows_of(BY_SCAN)
    for part, content in (("a", "one"), ("b", "another")):
        with zipfile.ZipFile(tmp_path / "study" / f"{part}.zip", "w") as archive:
            archive.writestr("sub-02/anat/sub-02_T1w.nii.gz", content)
    rows = rows_of({})
    assert rows.loc["sub-02", "reason"] == selection.TWO_FILES


@pytest.mark.parametrize("seed", range(5))
def test_neither_the_order_of_table_rows_nor_that_of_files_matters(tmp_path, seed):
    settings = {"columns": DLBS_COLUMNS, "selection": SELECTION}
    root = write(tmp_path / "study", DESCRIPTION | DLBS)
    expected, images = read(Download(root, tmp_path / "cache"), settings)
    draw = random.Random(seed)
    header, *people = DLBS["participants.tsv"].splitlines()
    draw.shuffle(people)
    write(root, {"participants.tsv": "\n".join([header, *people])})
    download = Download(root, tmp_path / "cache")
    draw.shuffle(download.items)
    found, same = read(download, settings)
    pd.testing.assert_frame_equal(found, expected)
    assert same == images


@pytest.mark.skipif(not REAL.is_dir(), reason=f"the real heads of {REAL} are not here")
def test_the_openms_people_as_a_bids_dataset(run, tmp_path):
    root = write(tmp_path / "openms", DESCRIPTION)
    days = {"01": ("2001-01-10", "2001-08-01"), "12": ("2002-02-10", "2002-05-02")}
    for who, acquired in days.items():
        names = []
        for visit in (1, 2):
            name = f"ses-{visit}/anat/sub-{who}_ses-{visit}_T1w.nii.gz"
            (root / f"sub-{who}" / name).parent.mkdir(parents=True)
            shutil.copy(REAL / f"patient{who}_study{visit}_T1W.nii.gz", root / f"sub-{who}" / name)
            names.append(f"{name} {acquired[visit - 1]}T12:00:00")
        write(root, {f"sub-{who}/sub-{who}_scans.tsv": tsv("filename acq_time", *names)})
    write(root, {"participants.tsv": tsv("participant_id sex", "sub-01 F", "sub-12 M")})
    scans = run(root, reader="bids")["scans"]
    assert scans[["subject", "days", "sex"]].values.tolist() == [
        ["01", 0, "F"], ["01", 203, "F"], ["12", 0, "M"], ["12", 81, "M"],
    ]  # fmt: skip
    assert all(date.fromisoformat(day) for day in scans["acquired"])
    assert all(Path(image).is_file() for image in scans["image"])
