"""Left stays left, and what cannot be a head is set aside with a reason."""

import itertools

import nibabel as nib
import numpy as np
import pytest

from brainlapse.preprocess.inputs import read_scan
from brainlapse.preprocess.quarantine import Quarantined

SHAPE = (40, 44, 36)
MIRROR = np.diag([-1.0, 1, 1, 1])
ORIENTATIONS = [
    [(axis, sign) for axis, sign in zip(axes, signs, strict=True)]
    for axes in itertools.permutations(range(3))
    for signs in itertools.product((1, -1), repeat=3)
]


@pytest.fixture
def marked() -> nib.Nifti1Image:
    """Noise with one bright cube to the right, in front and at the top; 4 mm, RAS."""
    data = np.random.default_rng(0).uniform(10, 20, SHAPE).astype(np.float32)
    data[30:34, 34:38, 26:30] = 100
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    affine[:3, 3] = -80
    image = nib.Nifti1Image(data, affine)
    image.set_sform(affine, 1)
    image.set_qform(affine, 1)
    return image


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_the_marker_stays_on_its_side(tmp_path, marked, limits, orientation):
    nib.save(marked.as_reoriented(np.array(orientation)), tmp_path / "head.nii")
    scan = read_scan(tmp_path / "head.nii", limits)
    np.testing.assert_array_equal(scan.data, marked.get_fdata(dtype=np.float32))
    np.testing.assert_allclose(scan.affine, marked.affine)


def changed(marked, values=None, affine=None, sform=1, qform=1) -> nib.Nifti1Image:
    values = marked.get_fdata(dtype=np.float32) if values is None else values
    affine = marked.affine if affine is None else affine
    image = nib.Nifti1Image(values, affine)
    image.set_sform(affine, sform)
    image.set_qform(affine, qform)
    return image


def broken(marked, part: float, value: float):
    values = marked.get_fdata(dtype=np.float32).copy()
    values.ravel()[: int(part * values.size)] = value
    return changed(marked, values)


def disagreeing(marked, other: np.ndarray):
    image = changed(marked)
    image.set_qform(other, 1)
    return image


WRONG = {
    "NaN or Inf": lambda m: broken(m, 0.2, np.nan),
    "NaN or Inf: ": lambda m: broken(m, 1.0, np.inf),
    "constant": lambda m: changed(m, np.full(SHAPE, 7.0, np.float32)),
    "not one 3D volume": lambda m: changed(m, np.ones((*SHAPE, 2), np.float32)),
    "not one 3D volume: its shape is 40×44$": lambda m: changed(m, np.ones(SHAPE[:2], np.float32)),
    "unknown orientation": lambda m: changed(m, sform=0, qform=0),
    "sform and qform disagree: voxels": lambda m: disagreeing(m, m.affine @ np.diag([2, 2, 2, 1.0])),
    "sform and qform disagree: axes RAS or LAS": lambda m: disagreeing(m, MIRROR @ m.affine),
    "voxel size": lambda m: changed(m, affine=np.diag([0.004, 0.004, 0.004, 1])),
    "field of view": lambda m: changed(m, m.get_fdata(dtype=np.float32)[:, :, :5]),
}


@pytest.mark.parametrize("reason", WRONG)
def test_no_head_is_set_aside_with_its_reason(tmp_path, marked, limits, reason):
    nib.save(WRONG[reason](marked), tmp_path / "head.nii.gz")
    with pytest.raises(Quarantined, match=reason):
        read_scan(tmp_path / "head.nii.gz", limits)


@pytest.mark.parametrize("lost", [1, 8, 5000])
def test_a_file_cut_short_is_set_aside(tmp_path, marked, limits, lost):
    path = tmp_path / "head.nii.gz"
    nib.save(marked, path)
    path.write_bytes(path.read_bytes()[:-lost])
    with pytest.raises(Quarantined, match="unreadable"):
        read_scan(path, limits)


def test_colours_and_folders_are_set_aside(tmp_path, marked, limits):
    colours = np.zeros(SHAPE, dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.save(nib.Nifti1Image(colours, marked.affine), tmp_path / "head.nii")
    with pytest.raises(Quarantined, match="unreadable"):
        read_scan(tmp_path / "head.nii", limits)
    with pytest.raises(Quarantined, match="dcm2niix"):
        read_scan(tmp_path, limits)


def test_harmless_oddities_are_mended(tmp_path, marked, limits):
    """One volume in a fourth axis, a few NaN, negative values, no qform."""
    values = marked.get_fdata(dtype=np.float32)[..., None] - 12
    values.ravel()[:50] = np.nan
    nib.save(changed(marked, values, qform=0), tmp_path / "head.nii")
    scan = read_scan(tmp_path / "head.nii", limits)
    assert scan.data.shape == SHAPE and np.isfinite(scan.data).all() and scan.data.min() == 0
