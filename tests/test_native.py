"""A volume on the grid goes back to the voxels its scan is stored in: place, values and outline are right."""

import itertools

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from brainlapse.native import to_native
from brainlapse.preprocess.geometry import Image, resampled
from brainlapse.volumes import BACKGROUND, Grid, brain_of, read_volume, write_volume

GRID = Grid((26, 30, 26), 6.0)
# Three of the 48, beside RAS: what IXI, OpenMS and many FreeSurfer volumes are stored as.
ORDERS = ["RAS", "LAS", "PSR", "LIA"]
CODES = [
    "".join(sides)
    for order in itertools.permutations(("LR", "PA", "IS"))
    for sides in itertools.product(*order)
]


def grid_to_scan() -> np.ndarray:
    """An affine that turns, shifts and swells as one found by registration may."""
    turn, swell = np.deg2rad(12), np.diag([1.05, 0.97, 1.02, 1.0])
    found = np.eye(4)
    found[1:3, 1:3] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    found[:3, 3] = 4.0, -7.0, 11.0
    return found @ swell


def scan_stored_as(code: str) -> tuple[tuple[int, int, int], np.ndarray]:
    """Shape and affine of a field of view around the grid's, with other voxels, in a stored orientation."""
    shape, affine = (52, 60, 56), np.diag([4.0, 4.0, 4.2, 1.0])
    affine[:3, 3] = -100.0, -136.0, -110.0
    empty = nib.Nifti1Image(np.zeros(shape, np.uint8), affine)
    wanted = nib.orientations.axcodes2ornt(code)
    stored = empty.as_reoriented(nib.orientations.ornt_transform(nib.io_orientation(affine), wanted))
    return stored.shape, stored.affine


def smooth_brain(seed: int = 0) -> np.ndarray:
    """An ellipsoid of smooth texture on the grid."""
    centred = [np.linspace(-1, 1, side) for side in GRID.shape]
    inside = sum(axis**2 for axis in np.meshgrid(*centred, indexing="ij")) < 0.6
    texture = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=GRID.shape), 2.0)
    return np.where(inside, np.clip(texture / texture.std() * 0.3, -0.95, 0.95), BACKGROUND).astype(
        np.float32
    )


@pytest.mark.parametrize("code", CODES)
def test_a_marker_comes_back_to_its_own_voxels(code):
    """A bright ball, far from every plane of symmetry, whose place in the scan is known in millimetres."""
    shape, affine = scan_stored_as(code)
    volume = np.where(brain_of(smooth_brain()), np.float32(-0.5), np.float32(BACKGROUND))
    marker = np.array([17, 10, 16])
    volume[tuple(slice(at - 1, at + 2) for at in marker)] = 1
    native = to_native(volume, GRID.affine, grid_to_scan(), shape, affine)
    assert native.shape == shape and nib.aff2axcodes(affine) == tuple(code)
    weight = np.where(native > 0.25, native + 0.5, 0)
    found = affine @ np.append(ndimage.center_of_mass(weight), 1)
    np.testing.assert_allclose(found, grid_to_scan() @ GRID.affine @ np.append(marker, 1), atol=0.6)


@pytest.mark.parametrize("code", ORDERS)
def test_preprocessing_the_native_volume_gives_the_volume_again(code):
    shape, affine = scan_stored_as(code)
    volume = smooth_brain()
    native = to_native(volume, GRID.affine, grid_to_scan(), shape, affine)
    read = resampled(Image(native + 1, affine), GRID.shape, GRID.affine, grid_to_scan()).data - 1
    inner = ndimage.binary_erosion(brain_of(volume), iterations=2)
    assert np.abs(read - volume)[inner].mean() < 0.002
    outline = resampled(
        Image(brain_of(native).astype(np.float32), affine), GRID.shape, GRID.affine, grid_to_scan()
    )
    overlap = (outline.data > 0.5) & brain_of(volume)
    assert 2 * overlap.sum() / ((outline.data > 0.5).sum() + brain_of(volume).sum()) > 0.99


def test_values_stay_in_range_and_the_background_is_exact():
    shape, affine = scan_stored_as("PSR")
    volume = np.where(brain_of(smooth_brain()), np.float32(1), np.float32(BACKGROUND))
    volume[::2] = np.where(brain_of(volume[::2]), -0.99, BACKGROUND)  # stripes that splines overshoot
    native = to_native(volume, GRID.affine, grid_to_scan(), shape, affine)
    assert native.dtype == np.float32 and native.min() == BACKGROUND and native.max() <= 1
    volume_mm3 = [brain_of(native).sum() * 4.0 * 4.0 * 4.2, brain_of(volume).sum() * 6.0**3]
    assert volume_mm3[0] / volume_mm3[1] == pytest.approx(np.linalg.det(grid_to_scan()), rel=0.01)


def test_the_brain_at_the_edge_does_not_darken():
    """A brain of one value is of that value up to its outline: the background does not bleed in."""
    shape, affine = scan_stored_as("LAS")
    volume = np.where(brain_of(smooth_brain()), np.float32(0.4), np.float32(BACKGROUND))
    native = to_native(volume, GRID.affine, grid_to_scan(), shape, affine)
    np.testing.assert_allclose(native[brain_of(native)], 0.4, atol=1e-4)


@pytest.mark.parametrize(
    "volume",
    [np.full(GRID.shape, BACKGROUND, np.float32), smooth_brain()],
    ids=["no brain", "a brain outside the scan's field of view"],
)
def test_without_a_brain_all_is_background(volume):
    shape, affine = scan_stored_as("RAS")
    affine[:3, 3] += 1000 if brain_of(volume).any() else 0
    assert (to_native(volume, GRID.affine, grid_to_scan(), shape, affine) == BACKGROUND).all()


def test_a_native_file_says_that_it_lies_in_the_scanner(tmp_path):
    shape, affine = scan_stored_as("PSR")
    for name in ("one.nii.gz", "two.nii.gz"):
        write_volume(tmp_path / name, np.zeros(shape, np.float32), affine, space="scanner")
    header = nib.load(tmp_path / "one.nii.gz").header
    assert int(header["sform_code"]) == int(header["qform_code"]) == 1  # NIFTI_XFORM_SCANNER_ANAT
    np.testing.assert_allclose(read_volume(tmp_path / "one.nii.gz")[1], affine, atol=1e-4)
    assert (tmp_path / "one.nii.gz").read_bytes() == (tmp_path / "two.nii.gz").read_bytes()
