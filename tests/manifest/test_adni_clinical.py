"""Diagnosis, age and sex at a scan come from the clinical visit nearest to it, whatever the phase's codes."""

from datetime import date

import ida_forms
import pytest
from ida_forms import Shot, written

from brainlapse.errors import Refused

ANN, BEN = "941_S_0295", "941_S_10295"  # the RIDs 295 and 10295
SCANS = [
    Shot(1, ANN, date(2010, 1, 9), group="EMCI", age=70.0),
    Shot(2, ANN, date(2012, 1, 9), group="EMCI", age=72.0),
    Shot(3, BEN, date(2010, 1, 9), group="CN", age=64.0),
    Shot(4, BEN, date(2012, 1, 9), group="CN", age=66.0),
]
DXSUM = ["Phase", "RID", "PTID", "VISCODE", "VISCODE2", "EXAMDATE", "DXCHANGE", "DXCURREN", "DIAGNOSIS"]


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "adni"
    for shot in SCANS:
        ida_forms.place(root, shot)
    (root / "collection.csv").write_text(ida_forms.collection(SCANS))
    return root


def dxsum(*visits) -> str:
    rows = [["ADNI", int(who[-5:].strip("_S")), who, "v", "m", day, *codes] for who, day, codes in visits]
    return written(DXSUM, rows)


def diagnoses(found) -> list:
    return [text if isinstance(text, str) else None for text in found["scans"]["diagnosis"]]


def test_without_clinical_tables_the_enrolment_group_stands_in_and_says_so(run, root, caplog):
    scans = run(root)["scans"]
    assert list(scans["diagnosis"]) == ["MCI", "MCI", "CN", "CN"]
    assert set(scans["diagnosis_source"]) == {"enrolment"} and "entered the study with" in caplog.text


@pytest.mark.parametrize(
    ("codes", "diagnosis"),
    [
        (["", "1", ""], "CN"), (["", "2", ""], "MCI"), (["", "3", ""], "AD"),
        (["1", "", ""], "CN"), (["4", "", ""], "MCI"), (["5", "", ""], "AD"), (["7", "", ""], "CN"),
        (["8", "", ""], "MCI"), (["6", "", ""], "AD"), (["9", "", ""], "CN"),
        (["", "", "1"], "CN"), (["", "", "2.0"], "MCI"), (["", "", "3"], "AD"), (["", "", "Dementia"], "AD"),
        (["-4", "-4", "-4"], None), (["", "", ""], None),
    ],
)  # fmt: skip
def test_each_phase_has_its_codes(run, root, codes, diagnosis):
    visits = [(ANN, "2010-02-01", codes), (BEN, "2010-01-08", ["", "", "1"])]
    (root / "DXSUM_21Aug2025.csv").write_text(dxsum(*visits))
    found = run(root)
    assert diagnoses(found)[0] == diagnosis
    assert found["scans"]["diagnosis_source"].dropna().eq("visit").all()


def test_the_nearest_visit_counts_and_none_outside_the_window(run, root):
    visits = [
        (ANN, "2009-12-01", ["", "", "1"]),
        (ANN, "2010-01-20", ["", "", "2"]),
        (ANN, "2013-01-20", ["", "", "3"]),
    ]
    (root / "DXSUM_PDXCONV_ADNIALL.csv").write_text(dxsum(*visits))
    assert diagnoses(run(root)) == ["MCI", None, None, None]
    wide = run(root, selection={"diagnosis_window_days": 500})
    assert diagnoses(wide) == ["MCI", "AD", None, None]


def test_a_rid_of_five_digits_is_not_cut(run, root):
    (root / "DXSUM.csv").write_text(dxsum((BEN, "2010-01-09", ["", "", "3"])))
    assert diagnoses(run(root)) == [None, None, "AD", None]


def test_adnimerge_tells_diagnosis_age_and_sex(run, root):
    head = ["RID", "PTID", "VISCODE", "EXAMDATE", "DX_bl", "AGE", "PTGENDER", "DX", "EXAMDATE_bl"]
    rows = [
        [295, ANN, "bl", "2010-01-10", "LMCI", 69.4, "Male", "MCI", "2010-01-10"],
        [295, ANN, "m24", "2012-01-10", "LMCI", 69.4, "Male", "MCI to Dementia", "2010-01-10"],
    ]
    (root / "ADNIMERGE_21Aug2025.csv").write_text(written(head, rows))
    found = run(root)
    assert diagnoses(found) == ["MCI", "AD", None, None]
    assert list(found["scans"]["age_years"])[:2] == pytest.approx([69.4, 71.4], abs=0.02)


@pytest.mark.parametrize(
    ("head", "cells"),
    [(["PTDOBMM", "PTDOBYY"], ["7", "1940"]), (["PTDOB"], ["07/1940"]), (["PTDOB"], ["07/02/1940"])],
)
def test_the_month_of_birth_gives_the_age_to_a_month(run, root, head, cells):
    table = written(["PTID", "RID", "PTGENDER", *head], [[ANN, 295, 2, *cells]])
    (root / "PTDEMOG_21Aug2025.csv").write_text(table)
    scans = run(root)["scans"]
    assert scans["age_years"].iloc[0] == pytest.approx(69.49, abs=0.05)
    assert scans["age_years"].iloc[2] == 64  # of whom only whole years are known


def test_study_entry_gives_the_group_where_the_images_have_none(run, root):
    (root / "collection.csv").write_text(ida_forms.key_mri(SCANS))
    table = written(["subject_id", "entry_age", "entry_research_group"], [[ANN, 70, "AD"], [BEN, 64, "SMC"]])
    (root / "Mine_Study_Entry_21Aug2025.csv").write_text(table)
    assert diagnoses(run(root)) == ["AD", "AD", "CN", "CN"]


def test_two_states_of_one_table_are_refused_by_name_and_copies_are_not(run, root):
    old, new = (dxsum((ANN, "2010-01-09", ["", "", code])) for code in "12")
    (root / "DXSUM_21Aug2025.csv").write_text(old)
    (root / "copy").mkdir()
    (root / "copy" / "DXSUM_22Aug2025.csv").write_text(old)
    assert diagnoses(run(root))[0] == "CN"
    (root / "DXSUM_10Oct2025.csv").write_text(new)
    with pytest.raises(Refused, match=r"DXSUM_10Oct2025.csv and .*DXSUM_21Aug2025.csv are two states"):
        run(root)


def test_tables_of_different_people_are_read_together(run, root):
    (root / "A_DXSUM_21Aug2025.csv").write_text(dxsum((ANN, "2010-01-09", ["", "", "3"])))
    (root / "B_DXSUM_10Oct2025.csv").write_text(dxsum((BEN, "2010-01-09", ["", "", "1"])))
    assert diagnoses(run(root)) == ["AD", None, "CN", None]


def test_dxsum_wins_over_what_was_made_from_it(run, root):
    (root / "DXSUM.csv").write_text(dxsum((ANN, "2010-01-09", ["", "", "3"])))
    head = ["RID", "PTID", "EXAMDATE", "AGE", "DX"]
    (root / "ADNIMERGE.csv").write_text(written(head, [[295, ANN, "2010-01-09", 70, "CN"]]))
    assert diagnoses(run(root))[0] == "AD"


def test_a_table_of_no_use_is_named_with_what_to_add(run, root, caplog):
    (root / "APOERES.csv").write_text(written(["PTID", "APGEN1"], [[ANN, 3]]))
    run(root)
    assert "APOERES.csv names people but" in caplog.text and "APGEN1" in caplog.text
