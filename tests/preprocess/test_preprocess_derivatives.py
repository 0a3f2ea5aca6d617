"""What a scan's files say is enough to take its volume back to the scan's own voxels, and to cite it."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from brainlapse.native import to_native
from brainlapse.preprocess.derivatives import ScanFiles, stored_voxels, write_scan
from brainlapse.preprocess.inputs import read_scan
from brainlapse.preprocess.intensity import to_range
from brainlapse.preprocess.subject import Baseline, Ground, begin, follow
from brainlapse.volumes import brain_of, read_volume
from toy_heads import SETTINGS as COARSE
from toy_heads import HeadFolder

# The heads have voxels of 4 mm; to 2 mm the study's own grid is as fine as this.
SETTINGS = COARSE | {"grid": {"shape": [64, 80, 64], "spacing_mm": 2.8}}


def stored_as(image: nib.Nifti1Image, code: str) -> nib.Nifti1Image:
    """The same head with its voxels in another order."""
    wanted = nib.orientations.axcodes2ornt(code)
    return image.as_reoriented(nib.orientations.ornt_transform(nib.io_orientation(image.affine), wanted))


@pytest.fixture(scope="module")
def heads(visits, tmp_path_factory) -> HeadFolder:
    """One person's two visits, stored as IXI and as OpenMS store theirs."""
    heads = HeadFolder(tmp_path_factory.mktemp("heads"))
    heads.add("002_S_0295", "I1", 0, stored_as(visits[0], "PSR"))
    heads.add("002_S_0295", "I2", 400, stored_as(visits[1], "LPS"))
    return heads


@pytest.fixture(scope="module")
def baseline(heads) -> Baseline:
    """The first visit, as preprocessing sees it."""
    return begin(read_scan(heads.root / "I1.nii.gz", SETTINGS["limits"]), Ground.of(SETTINGS))


@pytest.fixture(scope="module")
def done(heads, baseline, tmp_path_factory) -> Path:
    """The derivatives of both."""
    out, ground = tmp_path_factory.mktemp("out"), Ground.of(SETTINGS)
    later = follow(read_scan(heads.root / "I2.nii.gz", SETTINGS["limits"]), baseline, ground)
    for visit, prepared in zip(heads.scans.itertuples(), (baseline.prepared, later), strict=True):
        write_scan(visit, prepared, baseline, ground, out)
    return out


def told_of(done: Path, scan: str) -> dict:
    return json.loads(ScanFiles(done, "002_S_0295", scan).sidecar.read_text())


def back(done: Path, scan: str) -> np.ndarray:
    """The scan's volume in its own voxels, by what the files say alone."""
    volume, affine = read_volume(ScanFiles(done, "002_S_0295", scan).image)
    told = told_of(done, scan)
    places = (np.array(told[key]) for key in ("GridToScanMillimetresRAS", "ScanAffine"))
    grid_to_scan, scan_affine = places
    return to_native(volume, affine, grid_to_scan, tuple(told["ScanShape"]), scan_affine)


def test_names_are_the_studys_own(done):
    files = ScanFiles(done, "002_S_0295", "I1")
    assert files.image.name == "sub-002_S_0295_ses-I1_space-MNI152_desc-preproc_T1w.nii.gz"
    for path in (files.image, files.mask, files.sidecar, files.transform, files.picture):
        assert path.is_file() and path.parent == done / "sub-002_S_0295" / "ses-I1" / "anat"


def test_the_sidecar_tells_what_bids_asks_of_a_derivative(done):
    told = told_of(done, "I2")
    assert told["SkullStripped"] is True and told["SpatialReference"].startswith("https://")
    assert told["Description"] and told["Resolution"] == "64 × 80 × 64 voxels of 2.8 mm"
    assert told["GeneratedBy"][0]["Name"] == "brainlapse"


@pytest.mark.parametrize(("scan", "code"), [("I1", "PSR"), ("I2", "LPS")])
def test_the_scans_voxels_are_told_as_its_file_has_them(done, heads, scan, code):
    image, told = nib.load(heads.root / f"{scan}.nii.gz"), told_of(done, scan)
    assert tuple(told["ScanShape"]) == image.shape
    assert nib.aff2axcodes(np.array(told["ScanAffine"])) == tuple(code)
    np.testing.assert_allclose(told["ScanAffine"], image.affine)


@pytest.mark.parametrize("scan", ["I1", "I2"])
def test_the_brain_goes_back_to_where_it_was_in_the_scan(done, heads, scan):
    """The raw head correlates with what comes back, voxel by voxel as stored; mirrored it would not."""
    raw, _ = read_volume(heads.root / f"{scan}.nii.gz")
    native = back(done, scan)
    brain = brain_of(native)
    likeness = np.corrcoef(raw[brain], native[brain])[0, 1]
    assert likeness > 0.9
    for axis in range(3):
        assert np.corrcoef(np.flip(raw, axis)[brain], native[brain])[0, 1] < likeness - 0.1


def test_the_first_scan_comes_back_within_the_tolerance(done, baseline):
    """Against its own N4-corrected brain, normalised before anything was interpolated."""
    inside = baseline.mask.data > 0.5
    normalised = to_range(baseline.head.data, inside, baseline.top)
    truth = stored_as(nib.Nifti1Image(normalised, baseline.head.affine), "PSR").get_fdata()
    assert np.abs(back(done, "I1") - truth)[truth > -1].mean() < 0.02


def test_metres_become_millimetres(tmp_path, visits):
    small = nib.Nifti1Image(np.zeros((4, 5, 6), np.float32), np.diag([0.002, 0.002, 0.003, 1]))
    small.header.set_xyzt_units("meter")
    nib.save(small, tmp_path / "small.nii")
    told = stored_voxels(tmp_path / "small.nii")
    np.testing.assert_allclose(told["ScanAffine"], np.diag([2, 2, 3, 1]), rtol=1e-6)
    assert told["ScanShape"] == [4, 5, 6]
