"""The BIDS copy is a valid dataset, says nothing private, takes no space twice and is whole or not there."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brainlapse import tables
from brainlapse.errors import Refused
from brainlapse.preprocess.bids_copy import write_bids
from brainlapse.preprocess.bids_labels import session_labels, subject_labels
from brainlapse.preprocess.derivatives import SPATIAL_REFERENCE, ScanFiles
from brainlapse.volumes import Grid, write_volume

GRID = Grid((8, 10, 8), 20.0)
IMAGES = "/home/alice/studies/adni"
PEOPLE = {
    "002_S_0295": {"I1": 0, "I2": 400},
    "sub-01": {"sub-01_ses-M12": 365, "sub-01_ses-M6": 182, "sub-01_ses-M6_run-2": 183},
    "sub-02": {"sub-02": 0},
    "old": {"x": 0},
}
VALIDATOR = Path(sys.executable).with_name("bids-validator-deno")  # requirements/test.txt installs it


def scans_of(people: dict[str, dict[str, int]]) -> pd.DataFrame:
    rows = [
        {
            "cohort": "toy",
            "subject": subject,
            "scan": scan,
            "days": days,
            "acquired": "2011-03-14",
            "age_years": (93.4 if subject == "old" else 71.26) + days / 365.25,
            "sex": "F",
            "diagnosis": "MCI",
            "image": f"{IMAGES}/{subject}/a folder+/{scan}.nii",
        }
        for subject, scans in people.items()
        for scan, days in scans.items()
    ]
    return pd.DataFrame(rows).reindex(columns=tables.SCANS.names)


def preprocessed(scans: pd.DataFrame, out: Path, quarantined: tuple[str, ...] = ()) -> pd.DataFrame:
    """Leave what preprocessing leaves of the scans; return the quality table."""
    rows = []
    for subject, scan in zip(scans["subject"], scans["scan"], strict=True):
        row, files = {"cohort": "toy", "subject": subject, "scan": scan}, ScanFiles(out, subject, scan)
        if scan in quarantined:
            rows.append(row | {"status": "quarantined", "reason": "constant: all voxels are 7"})
            continue
        values = np.random.default_rng(len(rows)).uniform(-1, 1, GRID.shape)
        write_volume(files.image, values.astype(np.float32), GRID.affine)
        write_volume(files.mask, (values > 0).astype(np.uint8), GRID.affine)
        files.transform.write_text("#Insight Transform File V1.0\n")
        files.picture.write_bytes(b"\x89PNG")
        told = {"Description": "a brain", "SpatialReference": SPATIAL_REFERENCE, "SkullStripped": True}
        told |= {"Sources": [f"{IMAGES}/{scan}.nii"], "Resolution": "20 mm", "IntensityTop": 7.0}
        told["Settings"] = {"template": f"{IMAGES}/own head/", "brain": "ants"}
        files.sidecar.write_text(json.dumps(told))
        paths = {"image": files.image, "mask": files.mask, "picture": files.picture}
        rows.append(row | {"status": "accepted"} | {k: str(p.relative_to(out)) for k, p in paths.items()})
    return pd.DataFrame(rows).reindex(columns=tables.QUALITY.names)


def copied(out: Path, people=PEOPLE, quarantined: tuple[str, ...] = ()) -> Path:
    scans = scans_of(people)
    write_bids(preprocessed(scans, out, quarantined), scans, out)
    return out / "bids"


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def columns(path: Path) -> dict[str, list[str]]:
    return pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False).to_dict("list")


def test_the_bids_validator_finds_no_error(tmp_path):
    bids = copied(tmp_path / "out", quarantined=("I2",))
    environment = os.environ | {"DENO_DIR": str(tmp_path / "deno"), "NO_COLOR": "1"}
    told = subprocess.run([VALIDATOR, bids, "--format", "json"], env=environment, capture_output=True)
    found = json.loads(told.stdout)
    assert found["summary"]["totalFiles"] > 20 and len(found["summary"]["subjects"]) == 4
    issues = found["issues"]["issues"]
    assert [issue for issue in issues if issue["severity"] == "error"] == [] and told.returncode == 0
    # Authors are the user's to name, and a table's description would be a column of that name.
    expected = {("TOO_FEW_AUTHORS", None), ("SIDECAR_KEY_RECOMMENDED", "Description")}
    assert {(issue["code"], issue.get("subCode")) for issue in issues} <= expected


def test_the_validator_would_find_a_wrong_name(tmp_path):
    bids = copied(tmp_path / "out")
    next(bids.rglob("*_mask.json")).rename(bids / "sub-01" / "sub-0_1.json")
    environment = os.environ | {"DENO_DIR": str(tmp_path / "deno")}
    assert subprocess.run([VALIDATOR, bids], env=environment, capture_output=True).returncode != 0


def test_the_files_are_the_same_files(tmp_path):
    bids = copied(tmp_path)
    name = "sub-002S0295_ses-I1_space-MNI152NLin2009aSym_desc-preproc_T1w.nii.gz"
    link = bids / "sub-002S0295" / "ses-I1" / "anat" / name
    assert os.path.samefile(link, ScanFiles(tmp_path, "002_S_0295", "I1").image)


def test_where_there_are_no_hard_links_files_are_copied(tmp_path, monkeypatch):
    linked = files_in(copied(tmp_path))

    def no_links(source, target):
        os.stat(source)
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    assert files_in(copied(tmp_path)) == linked


def test_tables_tell_whom_and_what_the_labels_stand_for(tmp_path):
    bids = copied(tmp_path)
    people = columns(bids / "participants.tsv")
    assert people["participant_id"] == ["sub-002S0295", "sub-01", "sub-02", "sub-old"]
    assert people["subject"] == ["002_S_0295", "sub-01", "sub-02", "old"]
    assert people["age"] == ["71.3", "71.8", "71.3", "89.0"]
    sessions = columns(bids / "sub-01" / "sub-01_sessions.tsv")
    assert sessions["session_id"] == ["ses-M6", "ses-M6run2", "ses-M12"]  # in the order of time
    assert sessions["scan"] == ["sub-01_ses-M6", "sub-01_ses-M6_run-2", "sub-01_ses-M12"]
    assert sessions["days"] == ["182", "183", "365"]
    described = json.loads((bids / "sessions.json").read_text())
    assert list(described) == list(sessions)


def test_nothing_private_is_told(tmp_path):
    for name, content in files_in(copied(tmp_path)).items():
        assert not name.endswith(("json", "tsv")) or not {b"alice", b"2011"} & set(
            re.split(rb"\W", content)
        ), name


def test_sources_are_uris_below_the_folder_of_all_images(tmp_path):
    bids = copied(tmp_path, quarantined=("I1",))
    anat, name = bids / "sub-01" / "ses-M12" / "anat", "sub-01_ses-M12_space-MNI152NLin2009aSym_desc-"
    first, own = (f"bids:study:sub-01/a%20folder%2B/sub-01_ses-{which}.nii" for which in ("M6", "M12"))
    image = json.loads((anat / f"{name}preproc_T1w.json").read_text())
    assert image["Sources"] == [own, first] and image["IntensityTop"] == 7.0
    mask = json.loads((anat / f"{name}brain_mask.json").read_text())
    assert mask["Type"] == "Brain" and mask["Sources"] == [first]
    links = json.loads((bids / "dataset_description.json").read_text())["DatasetLinks"]
    assert links == {"study": "sourcedata"}


def test_made_again_it_is_the_same_and_holds_no_leftovers(tmp_path):
    before = files_in(copied(tmp_path))
    assert files_in(copied(tmp_path)) == before
    bids = copied(tmp_path, {"002_S_0295": {"I1": 0, "I2": 400}}, quarantined=("I2",))
    assert {path.name for path in bids.glob("sub-*")} == {"sub-002S0295"}
    assert not list(bids.rglob("*I2*"))
    assert sorted(path.name for path in tmp_path.iterdir() if "bids" in path.name) == ["bids"]


def test_a_derivative_that_is_gone_is_named_and_the_old_copy_stays(tmp_path):
    before = files_in(copied(tmp_path))
    scans = scans_of(PEOPLE)
    quality = preprocessed(scans, tmp_path)
    gone = ScanFiles(tmp_path, "sub-01", "sub-01_ses-M6").mask
    gone.unlink()
    with pytest.raises(Refused, match=rf"{gone.name} is not there. Preprocess the subject again"):
        write_bids(quality, scans, tmp_path)
    assert files_in(tmp_path / "bids") == before
    assert not (tmp_path / ".bids-new").exists()


def test_what_a_killed_run_left_is_removed(tmp_path):
    for leftover in (".bids-new", ".bids-old"):
        (tmp_path / leftover / "sub-gone").mkdir(parents=True)
    assert not list(copied(tmp_path).glob("sub-gone"))
    assert not list(tmp_path.glob(".bids*"))


@given(st.sets(st.text("aA1_-. é", max_size=4), max_size=8), st.text("aA1_-. é", max_size=4))
def test_labels_are_valid_and_distinct_whatever_the_ids(ids, another):
    labels = subject_labels(ids)
    assert all(label.isascii() and label.isalnum() for label in labels.values())
    assert len({label.lower() for label in labels.values()}) == len(ids)
    assert subject_labels(sorted(ids, reverse=True)) == labels
    changed = {
        one for one, label in subject_labels(ids | {another}).items() if labels.get(one, label) != label
    }
    # Only an id whose letters and digits the other one shares may get another label.
    alike = {one for one in ids if letters(one) == letters(another)}
    assert changed <= alike


def letters(text: str) -> str:
    return "".join(c for c in text.removeprefix("sub-") if c.isascii() and c.isalnum()).lower()


@pytest.mark.parametrize(
    ("subject", "scan", "label"),
    [
        ("002_S_0295", "I118673", "I118673"),
        ("sub-01", "sub-01_ses-1", "1"),
        ("01", "sub-01_ses-1", "1"),
        ("sub-01", "sub-01_ses-1_run-2", "1run2"),
        ("sub-01", "sub-01", "sub01"),
        ("OAS30001", "OAS30001_MR_d0129", "MRd0129"),
        ("1", "10_x", "10x"),
    ],
)
def test_a_scan_does_not_repeat_whose_it_is(subject, scan, label):
    assert session_labels(subject, [scan]) == {scan: label}
