"""The whole phantom download, small: what is in it, where left and right are, and that it never changes."""

import argparse
import csv
import hashlib
import re
from datetime import datetime
from itertools import pairwise

import nibabel as nib
import numpy as np
import pytest

from brainlapse import phantom, tables
from brainlapse.errors import Refused
from brainlapse.phantom.study import Average, Participant
from brainlapse.phantom.subjects import Visit
from brainlapse.phantom.surround import FIDUCIAL_MM

VOXEL_MM = 5.0
SUBJECTS = 6
HEADER = (
    '"Image Data ID","Subject","Group","Sex","Age","Visit","Modality","Description","Type","Acq Date",'
    '"Format","Downloaded"'
)
PATH = re.compile(
    r"ADNI/(\d{3}_S_\d{4,5})/([\w-]+)/(\d{4}-\d\d-\d\d)_\d\d_\d\d_\d\d\.0/(I\d+)/"
    r"ADNI_\1_MR_\2_Br_\d{17}_S\d+_\4\.nii"
)


def write_study(out, subjects=SUBJECTS, seed=0, voxel_mm=VOXEL_MM):
    settings = {"seed": seed, "subjects": subjects, "voxel_mm": voxel_mm}
    phantom.run(argparse.Namespace(settings=settings, out=out))
    return out


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def participant():
    return Participant(Average.at(VOXEL_MM), 0, 0, VOXEL_MM)


def collection(study):
    (table,) = study.glob("*.csv")
    assert re.fullmatch(r"\w+_\d{1,2}_\d\d_\d{4}\.csv", table.name)
    assert table.read_text().splitlines()[0] == HEADER
    with table.open(newline="") as stream:
        return list(csv.DictReader(stream))


def digests(study):
    return {
        path.relative_to(study).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in study.rglob("*")
        if path.is_file()
    }


def test_every_file_has_its_row_and_every_row_but_one_its_file(study):
    files = {
        match[4]: match
        for path in study.rglob("*.nii")
        if (match := PATH.fullmatch(path.relative_to(study).as_posix()))
    }
    rows = {row["Image Data ID"]: row for row in collection(study)}
    assert len(files) == len(list(study.rglob("*.nii")))
    assert set(files) < set(rows)
    assert [rows[image]["Downloaded"] for image in set(rows) - set(files)] == [""]
    for image, match in files.items():
        row = rows[image]
        assert match[1] == row["Subject"]
        assert match[2] == re.sub(r"[^\w-]", "_", row["Description"])
        assert match[3] == datetime.strptime(row["Acq Date"], "%m/%d/%Y").strftime("%Y-%m-%d")
        assert row["Age"].isdigit() and not re.search(r"\b0", row["Acq Date"])


def test_it_holds_what_must_not_be_used(study):
    rows = collection(study)
    descriptions = {row["Description"] for row in rows}
    assert {"Localizer", "MPR; GradWarp; B1 Correction; N3; Scaled"} < descriptions
    assert any(description.endswith("Repeat") for description in descriptions)
    assert {row["Type"] for row in rows} == {"Original", "Processed"}
    truth = tables.read(study / "truth" / "truth.tsv", tables.TRUTH)
    unusable = {r["Image Data ID"] for r in rows if r["Type"] == "Processed" or not r["Downloaded"]}
    assert set(truth["scan"]) < {row["Image Data ID"] for row in rows} - unusable


def test_visit_codes_differ_within_a_subject(study):
    originals = tables.read(study / "truth" / "truth.tsv", tables.TRUTH)["scan"].tolist()
    seen = [(r["Subject"], r["Visit"]) for r in collection(study) if r["Image Data ID"] in originals]
    assert len(seen) == len(set(seen))


def test_the_truth_moves_one_way_and_faster_in_the_ill(study):
    truth = tables.read(study / "truth" / "truth.tsv", tables.TRUTH)
    rates = {diagnosis: [] for diagnosis in tables.DIAGNOSES}
    for _, visits in truth.groupby("subject"):
        columns = ["ventricles_ml", "hippocampi_ml", "brain_ml"]
        for earlier, later in pairwise(visits[columns].to_numpy()):
            assert later[0] > earlier[0] and later[1] < earlier[1] and later[2] < earlier[2]
        first, last = visits.iloc[0], visits.iloc[-1]
        rates[first.diagnosis].append(np.log(last.hippocampi_ml / first.hippocampi_ml) / last.years)
    healthy, impaired, ill = (np.mean(rates[diagnosis]) for diagnosis in tables.DIAGNOSES)
    assert 0 > healthy > impaired > ill


def test_the_true_rates_are_those_that_were_set(participant):
    subject = participant.subject
    first, last = (
        participant.scan(Visit(0, subject.visits[0].acquired, years)).volumes for years in (0.0, 3.0)
    )
    wanted = subject.log_volumes(3.0) - subject.log_volumes(0.0)
    assert np.log(last.ventricles_ml / first.ventricles_ml) == pytest.approx(wanted[0], rel=0.2)
    assert np.log(last.hippocampi_ml / first.hippocampi_ml) == pytest.approx(wanted[1], rel=0.2)


def test_the_capsule_on_the_right_temple_is_on_the_right_in_every_file(tmp_path):
    voxel_mm = 3.0  # as in the demo; 5 mm blur the skin into the capsule's mirror image
    study = write_study(tmp_path, subjects=1, voxel_mm=voxel_mm)
    participant = Participant(Average.at(voxel_mm), 0, 0, voxel_mm)
    subject = participant.subject
    for visit in subject.visits:
        image = nib.load(next(study.rglob(f"*_I{7000000 + 10 * visit.number}.nii")))
        assert image.get_data_dtype() == np.int16
        assert image.header["qform_code"] == image.header["sform_code"] == 1
        np.testing.assert_allclose(image.get_qform(), image.get_sform(), atol=1e-3)
        session = participant.scan(visit).session
        average = participant.anatomy.to_average(session.points_in_head())
        right, left = (brightness_at(image, session, average, side) for side in (1, -1))
        assert right > 5 * left
        canonical = nib.as_closest_canonical(image)
        middle = nib.affines.apply_affine(canonical.affine, (np.array(canonical.shape) - 1) / 2)
        assert world_of(session, average, 1)[0] > middle[0] + 30


def world_of(session, average, side):
    """Where the capsule, or its mirror image, lies in the scanner, mm."""
    wanted = np.array(FIDUCIAL_MM).reshape(3, 1, 1, 1) * np.array([side, 1, 1]).reshape(3, 1, 1, 1)
    nearest = np.argmin(np.sum((average - wanted) ** 2, axis=0))
    return nib.affines.apply_affine(session.affine, np.unravel_index(nearest, session.shape))


def brightness_at(image, session, average, side):
    voxel = nib.affines.apply_affine(np.linalg.inv(image.affine), world_of(session, average, side))
    return float(image.get_fdata()[tuple(np.rint(voxel).astype(int))])


def test_files_are_stored_in_more_than_one_order_and_heads_lie_differently(study):
    orders = {nib.aff2axcodes(nib.load(path).affine) for path in study.rglob("*.nii")}
    assert len(orders) > 2


def test_the_same_settings_give_the_same_bytes_and_more_subjects_change_nobody(study, tmp_path):
    before, after = digests(study), digests(write_study(tmp_path, SUBJECTS + 1))
    changed = {path for path in before if before[path] != after.get(path)}
    assert {path.split("/")[0] for path in changed} <= {"truth", "Phantom_Study_7_01_2026.csv"}
    rows = {row["Image Data ID"]: row for row in collection(tmp_path)}
    assert all(rows[row["Image Data ID"]] == row for row in collection(study))


def test_another_seed_is_another_study(study, tmp_path):
    other = digests(write_study(tmp_path, 1, seed=1))
    assert not set(other.values()) & {v for k, v in digests(study).items() if k.endswith(".nii")}


def test_a_smaller_study_leaves_no_image_of_the_larger_one(tmp_path):
    write_study(tmp_path, subjects=2)
    write_study(tmp_path, subjects=1)
    images = {path.relative_to(tmp_path).parts[1] for path in tmp_path.rglob("*.nii")}
    assert images == {Participant(Average.at(VOXEL_MM), 0, 0, VOXEL_MM).subject.ptid}


def test_a_folder_of_somebodys_data_is_left_alone(tmp_path):
    (tmp_path / "ADNI").mkdir()
    (tmp_path / "ADNI" / "scan.nii").touch()
    with pytest.raises(Refused, match="holds something that is no phantom study"):
        write_study(tmp_path)
    assert (tmp_path / "ADNI" / "scan.nii").exists()
