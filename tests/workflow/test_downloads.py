"""Four studies as they are downloaded, in one workflow, for real, from zips and DICOM to pairs."""

import shutil
from pathlib import Path

import downloads
import nibabel as nib
import numpy as np
import pytest
from study import TINY, Study

from brainlapse import tables

pytestmark = pytest.mark.slow  # two minutes

COHORTS = {
    "adni": {"reader": "adni", "root": "data/adni", "role": "study"},
    "mine": {"reader": "bids", "root": "data/mine", "role": "external"},
    "oasis3": {"reader": "oasis3", "root": "data/oasis3", "role": "external"},
    "aibl": {"reader": "aibl", "root": "data/aibl", "role": "external"},
}
FORMS = {"mine": downloads.as_bids, "oasis3": downloads.as_oasis3, "aibl": downloads.as_aibl}


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    """The phantom download as it was, before it was turned into a mess."""
    return tmp_path_factory.mktemp("before") / "adni"


@pytest.fixture(scope="module")
def study(tmp_path_factory, before):
    study = Study(tmp_path_factory.mktemp("studies"), {**TINY, "cohorts": COHORTS})
    data = study.folder / "data"
    for seed, (cohort, people) in enumerate({"adni": 6, "other": 2}.items()):
        written = study.stage(
            "phantom", {"seed": seed, "subjects": people, "voxel_mm": 5.0}, "--out", f"data/{cohort}"
        )
        assert written.returncode == 0, written.stderr
    shutil.copytree(data / "adni", before)
    downloads.as_adni(data / "adni")
    for cohort, turn in FORMS.items():
        turn(data / "other", data / cohort)
    shutil.rmtree(data / "other")
    answer = study.snakemake("results/3_pairs/pairs.tsv")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return study


def table(study, place: str, kind: tables.Table):
    return tables.read(study.folder / "results" / place / kind.name, kind)


def test_every_usable_head_of_the_mess_is_found_with_its_day_and_diagnosis(study, before):
    scans = table(study, "1_manifest/adni", tables.SCANS).set_index("scan")
    usable = downloads.heads(before)
    people = {head.subject for head in usable if sum(h.subject == head.subject for h in usable) > 1}
    expected = {head.scan: (str(head.acquired), head.diagnosis) for head in usable if head.subject in people}
    found = {scan: (row["acquired"], row["diagnosis"]) for scan, row in scans.iterrows()}
    assert found == expected
    assert set(scans["diagnosis_source"]) == {"visit"}


def test_converted_and_unpacked_images_are_those_that_were_packed(study, before):
    scans = table(study, "1_manifest/adni", tables.SCANS).set_index("scan")
    made = [Path(image) for image in scans["image"] if image.startswith("results/")]
    assert {path.parts[4] for path in made} == {"converted", "unpacked"}
    for head in downloads.heads(before):
        if head.scan not in scans.index:
            continue
        image = nib.as_closest_canonical(nib.load(study.folder / scans.loc[head.scan, "image"]))
        original = nib.as_closest_canonical(nib.load(head.image))
        np.testing.assert_allclose(image.affine, original.affine, atol=1e-3)
        np.testing.assert_array_equal(np.asarray(image.dataobj), np.asarray(original.dataobj))


def test_nothing_was_written_into_a_download(study):
    assert not list((study.folder / "data").rglob("*converted*")) and not list(
        (study.folder / "data").rglob(".partial*")
    )


def test_all_four_studies_reach_the_pairs_with_the_intervals_of_their_days(study):
    pairs = table(study, "3_pairs", tables.PAIRS)
    assert set(pairs["cohort"]) == set(COHORTS)
    same = pairs[pairs["cohort"] != "adni"].groupby("cohort")["interval_years"].apply(sorted)
    np.testing.assert_allclose(same["mine"], same["oasis3"])
    np.testing.assert_allclose(same["mine"], same["aibl"])
    assert (pairs["interval_years"] >= 0.4).all()
    assert set(pairs.loc[pairs["cohort"] != "adni", "split"]) == {"test"}


def test_a_further_file_in_a_download_makes_nobody_again(study):
    root, scans = study.folder / "data/adni", table(study, "1_manifest/adni", tables.SCANS)
    unpacked = [study.folder / image for image in scans["image"] if image.startswith("results/")]
    times = [path.stat().st_mtime_ns for path in unpacked]
    (root / "empty.txt").write_text("a note")
    answer = study.snakemake("results/3_pairs/pairs.tsv")
    said = answer.stdout + answer.stderr
    assert answer.returncode == 0, said
    assert "preprocess: 9" not in said  # nobody's scans are made again
    assert [path.stat().st_mtime_ns for path in unpacked] == times
