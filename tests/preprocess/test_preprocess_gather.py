"""The packed store holds what the NIfTIs hold, and nothing absent is passed over."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from brainlapse import tables
from brainlapse.config import complete, gather_settings, preprocess_settings
from brainlapse.errors import Refused
from brainlapse.preprocess import run
from brainlapse.volumes import FAINTEST, Grid, from_bytes, read_volume, write_volume
from toy_heads import SETTINGS, HeadFolder

GRID = Grid(tuple(SETTINGS["grid"]["shape"]), SETTINGS["grid"]["spacing_mm"])
SCANS = [("B", "b1", 0), ("A", "a1", 0), ("A", "a2", 300), ("B", "b2", 400)]


@pytest.fixture
def heads(tmp_path) -> HeadFolder:
    (tmp_path / "in").mkdir()
    heads = HeadFolder(tmp_path / "in")
    for subject, scan, days in SCANS:
        heads.add(subject, scan, days, nib.Nifti1Image(np.zeros((2, 2, 2), np.float32), np.eye(4)))
    return heads


def leave(out, subject: str, quarantined: tuple[str, ...] = ()) -> None:
    """What a run for one subject leaves behind."""
    rows = []
    for owner, scan, _ in SCANS:
        if owner != subject:
            continue
        row = {"cohort": "toy", "subject": subject, "scan": scan}
        if scan in quarantined:
            rows.append(row | {"status": "quarantined", "reason": "constant: all voxels are 7"})
            continue
        image = f"sub-{subject}/ses-{scan}/anat/{scan}.nii.gz"
        values = np.random.default_rng(len(scan) + ord(scan[1])).uniform(-1, 1, GRID.shape)
        write_volume(out / image, values.astype(np.float32), GRID.affine)
        rows.append(row | {"status": "accepted", "image": image, "mask": image})
    quality = pd.DataFrame(rows).reindex(columns=tables.QUALITY.names)
    tables.write(quality, out / f"sub-{subject}" / "quality.tsv", tables.QUALITY)


def test_the_store_holds_what_the_images_hold(heads, tmp_path, caplog):
    out = tmp_path / "out"
    leave(out, "A", quarantined=("a1",))
    leave(out, "B")
    with caplog.at_level("INFO"):
        run(heads.options(out, gather=True))
    assert "3 scans of 2 subjects accepted, 1 quarantined: constant ×1" in caplog.text
    quality = tables.read(out / "quality.tsv", tables.QUALITY)
    assert list(quality["scan"]) == ["b1", "a1", "a2", "b2"]  # the order of scans.tsv
    store = np.load(out / "volumes.npy", mmap_mode="r")
    assert store.dtype == np.uint8 and store.shape == (3, *GRID.shape)
    for row in quality[quality["status"] == "accepted"].itertuples():
        volume, _ = read_volume(out / row.image)
        assert np.abs(from_bytes(store[row.packed_row]) - volume).max() <= 1 / 255 + 1e-6
    assert quality.loc[quality["scan"] == "a1", "packed_row"].isna().all()


def test_two_bytes_a_voxel_hold_more_and_keep_the_background(heads, tmp_path):
    out = tmp_path / "out"
    leave(out, "A")
    leave(out, "B")
    options = heads.options(out, gather=True)
    options.settings["store"] = "float16"
    run(options)
    store = np.load(out / "volumes.npy", mmap_mode="r")
    assert store.dtype == np.float16
    for row in tables.read(out / "quality.tsv", tables.QUALITY).itertuples():
        volume, _ = read_volume(out / row.image)
        assert np.abs(store[row.packed_row].astype(np.float32) - volume).max() <= 1 / 4096
    brain = np.array([-1.0, FAINTEST], np.float32).astype(np.float16)
    assert brain[0] == -1 and brain[1] > -1


def test_how_volumes_are_packed_preprocesses_nothing_anew():
    def config(store):
        cohorts = {"toy": {"reader": "adni", "root": "toy"}}
        models = {"regression": {"family": "regression"}}
        return complete({"cohorts": cohorts, "models": models, "preprocess": {"store": store}})

    assert preprocess_settings(config("uint8")) == preprocess_settings(config("float16"))
    assert gather_settings(config("uint8")) != gather_settings(config("float16"))


def test_a_subject_not_yet_done_is_named(heads, tmp_path):
    leave(tmp_path / "out", "A")
    with pytest.raises(Refused, match=r"sub-B/quality\.tsv is not there"):
        run(heads.options(tmp_path / "out", gather=True))


def test_a_scan_that_came_later_is_named(heads, tmp_path):
    for subject in "AB":
        leave(tmp_path / "out", subject)
    heads.add("A", "a3", 700, nib.Nifti1Image(np.zeros((2, 2, 2), np.float32), np.eye(4)))
    with pytest.raises(Refused, match="differ in a3"):
        run(heads.options(tmp_path / "out", gather=True))


def test_a_cohort_without_any_good_scan_is_refused(heads, tmp_path):
    leave(tmp_path / "out", "A", quarantined=("a1", "a2"))
    leave(tmp_path / "out", "B", quarantined=("b1", "b2"))
    with pytest.raises(Refused, match="constant ×4"):
        run(heads.options(tmp_path / "out", gather=True))
    assert not (tmp_path / "out" / "volumes.npy").exists()
