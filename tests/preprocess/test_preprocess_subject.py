"""One person's scans from beginning to end, with real ANTs on a made-up head."""

import hashlib
import json
from pathlib import Path

import ants
import nibabel as nib
import numpy as np
import pytest

from brainlapse import tables
from brainlapse.errors import Refused
from brainlapse.preprocess import run
from brainlapse.volumes import BACKGROUND, Grid, read_volume
from toy_heads import SETTINGS, HeadFolder

GRID = Grid(tuple(SETTINGS["grid"]["shape"]), SETTINGS["grid"]["spacing_mm"])


@pytest.fixture(scope="module")
def folder(visits, tmp_path_factory) -> HeadFolder:
    """Four scans of S1: all NaN, good, cut short, good."""
    heads = HeadFolder(tmp_path_factory.mktemp("heads"))
    nothing = np.full(visits[0].shape, np.nan, np.float32)
    heads.add("S1", "nan", 0, nib.Nifti1Image(nothing, visits[0].affine))
    heads.add("S1", "first", 10, visits[0])
    cut = heads.add("S1", "cut", 200, visits[1])
    cut.write_bytes(cut.read_bytes()[:-8])
    heads.add("S1", "second", 400, visits[1])
    return heads


@pytest.fixture(scope="module")
def done(folder, tmp_path_factory) -> Path:
    """What one run leaves, where an earlier run with another scan had been."""
    out = tmp_path_factory.mktemp("out")
    (out / "sub-S1" / "ses-gone" / "anat").mkdir(parents=True)
    run(folder.options(out, subject="S1"))
    return out


def derivative(out: Path, scan: str, ending: str) -> Path:
    return out / "sub-S1" / f"ses-{scan}" / "anat" / f"sub-S1_ses-{scan}_{ending}"


def hashes(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_broken_scans_are_named_and_the_rest_goes_on(done):
    quality = tables.read(done / "sub-S1" / "quality.tsv", tables.QUALITY).set_index("scan")
    assert list(quality.index) == ["nan", "first", "cut", "second"]
    assert list(quality["status"]) == ["quarantined", "accepted", "quarantined", "accepted"]
    assert quality.loc["nan", "reason"].startswith("NaN or Inf")
    assert quality.loc["cut", "reason"].startswith("unreadable")
    assert quality.loc["second", "baseline_correlation"] > 0.9
    assert {path.name for path in (done / "sub-S1").glob("ses-*")} == {"ses-first", "ses-second"}


def test_volumes_lie_on_the_grid_with_one_brain_and_an_exact_background(done):
    masks = []
    for scan in ("first", "second"):
        volume, affine = read_volume(derivative(done, scan, "space-MNI152_desc-preproc_T1w.nii.gz"))
        mask, _ = read_volume(derivative(done, scan, "space-MNI152_desc-brain_mask.nii.gz"))
        assert volume.shape == GRID.shape
        np.testing.assert_allclose(affine, GRID.affine)
        assert (volume[mask == 0] == BACKGROUND).all() and (volume[mask == 1] > BACKGROUND).all()
        assert volume.max() <= 1
        masks.append(mask)
    np.testing.assert_array_equal(*masks)


def test_the_transform_file_takes_the_raw_scan_to_the_grid(done, visits):
    """ANTs, given our file and the raw head, must find the brain where our volume has it."""
    volume, _ = read_volume(derivative(done, "second", "space-MNI152_desc-preproc_T1w.nii.gz"))
    path = str(derivative(done, "second", "from-T1w_to-MNI152_mode-image_xfm.txt"))
    grid = ants.image_read(str(derivative(done, "second", "space-MNI152_desc-preproc_T1w.nii.gz")))
    visits[1].to_filename(done / "raw.nii")
    raw = ants.image_read(str(done / "raw.nii"))
    (done / "raw.nii").unlink()
    moved = ants.apply_transforms(grid, raw, [path]).numpy()
    brain = volume > BACKGROUND
    assert np.corrcoef(moved[brain], volume[brain])[0, 1] > 0.9


def test_provenance_says_from_what_and_how(done, folder):
    told = json.loads(derivative(done, "second", "space-MNI152_desc-preproc_T1w.json").read_text())
    source = folder.root / "second.nii.gz"
    assert told["Sources"] == [str(source)]
    assert told["SourcesSHA256"] == [hashlib.sha256(source.read_bytes()).hexdigest()]
    assert told["Settings"] == SETTINGS and not told["Baseline"]


def test_the_same_input_gives_the_same_bytes(done, folder, tmp_path):
    run(folder.options(tmp_path, subject="S1"))
    assert hashes(tmp_path) == hashes(done)
    assert derivative(done, "second", "qc.png").is_file()


def test_a_head_upside_down_is_set_aside(visits, tmp_path):
    heads = HeadFolder(tmp_path)
    flipped = visits[0].get_fdata(dtype=np.float32)[:, ::-1]
    heads.add("S1", "flipped", 0, nib.Nifti1Image(flipped, visits[0].affine, visits[0].header))
    with pytest.raises(Refused, match="no scan was accepted"):
        run(heads.options(tmp_path / "out"))
    assert not list((tmp_path / "out").rglob("*.nii.gz"))


def test_an_unknown_subject_is_refused(folder, tmp_path):
    with pytest.raises(Refused, match="no scan of the subject 'S9'"):
        run(folder.options(tmp_path, subject="S9"))
