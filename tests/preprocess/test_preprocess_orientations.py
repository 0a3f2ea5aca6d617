"""Left stays left: whatever order a file stores its voxels in, the head comes out in the same place."""

import itertools

import nibabel as nib
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from brainlapse.preprocess.inputs import read_scan
from brainlapse.preprocess.subject import Ground, begin
from toy_heads import SETTINGS

SHAPE = (40, 44, 36)
MARKED = np.s_[30:34, 34:38, 26:30]  # to the right, in front and at the top
ORIENTATIONS = [
    [(axis, sign) for axis, sign in zip(axes, signs, strict=True)]
    for axes in itertools.permutations(range(3))
    for signs in itertools.product((1, -1), repeat=3)
]


def coded(data: np.ndarray, affine: np.ndarray) -> nib.Nifti1Image:
    image = nib.Nifti1Image(data, affine)
    image.set_sform(affine, 1)
    image.set_qform(affine, 1)
    return image


@pytest.fixture
def marked() -> nib.Nifti1Image:
    """Noise with one bright block that no mirror or turn leaves in its place; RAS, a little oblique."""
    data = np.random.default_rng(0).uniform(10, 20, SHAPE).astype(np.float32)
    data[MARKED] = 100
    affine = np.diag([4.0, 4.2, 4.5, 1.0])
    affine[:3, :3] = Rotation.from_euler("xyz", (9, -6, 4), degrees=True).as_matrix() @ affine[:3, :3]
    affine[:3, 3] = -80, -90, -75
    return coded(data, affine)


def test_there_are_48_orientations_and_each_moves_the_marker(marked):
    seen = {marked.as_reoriented(np.array(each)).get_fdata().tobytes() for each in ORIENTATIONS}
    assert len(ORIENTATIONS) == len(seen) == 48


@pytest.mark.parametrize(
    "orientation", ORIENTATIONS, ids=lambda o: "".join(f"{axis}{sign:+d}" for axis, sign in o)
)
def test_the_marker_stays_on_its_side(tmp_path, marked, limits, orientation):
    nib.save(marked.as_reoriented(np.array(orientation)), tmp_path / "head.nii")
    scan = read_scan(tmp_path / "head.nii", limits)
    np.testing.assert_array_equal(scan.data, marked.get_fdata(dtype=np.float32))
    np.testing.assert_allclose(scan.affine, marked.affine, atol=1e-4)
    assert nib.aff2axcodes(scan.affine) == ("R", "A", "S")
    where = scan.millimetres(np.argwhere(scan.data == 100))
    np.testing.assert_allclose(where.mean(axis=0), marker_mm(marked), atol=1e-3)


def marker_mm(image: nib.Nifti1Image) -> np.ndarray:
    """The marker's middle by nibabel's own arithmetic."""
    places = np.argwhere(image.get_fdata() == 100)
    return nib.affines.apply_affine(image.affine, places).mean(axis=0)


def test_the_sform_alone_and_the_qform_alone_say_the_same(tmp_path, marked, limits):
    scans = []
    for codes in ((1, 0), (0, 1)):
        image = nib.Nifti1Image(marked.get_fdata(dtype=np.float32), marked.affine)
        image.set_sform(marked.affine, codes[0])
        image.set_qform(marked.affine, codes[1])
        nib.save(image, tmp_path / "head.nii")
        scans.append(read_scan(tmp_path / "head.nii", limits))
    np.testing.assert_array_equal(scans[0].data, scans[1].data)
    np.testing.assert_allclose(scans[0].affine, scans[1].affine, atol=1e-4)


@pytest.fixture(scope="module")
def ground() -> Ground:
    """The small grid of the toy settings."""
    return Ground.of(SETTINGS)


@pytest.fixture(scope="module")
def lopsided(visits) -> nib.Nifti1Image:
    """A phantom head with a dark ball in its right hemisphere."""
    data = visits[0].get_fdata(dtype=np.float32)
    places = nib.affines.apply_affine(visits[0].affine, np.argwhere(np.ones(data.shape, bool)))
    ball = np.linalg.norm(places - middle_mm(visits[0]) - (35, 0, 20), axis=1) < 14
    data.ravel()[ball] *= 0.3
    return coded(data, visits[0].affine)


def middle_mm(image: nib.Nifti1Image) -> np.ndarray:
    places = np.argwhere(image.get_fdata() > 0)
    return nib.affines.apply_affine(image.affine, places).mean(axis=0)


@pytest.fixture(scope="module")
def upright(lopsided, ground, tmp_path_factory) -> np.ndarray:
    """The head's volume on the grid, read from a file in RAS."""
    return on_the_grid(lopsided, ground, tmp_path_factory.mktemp("upright"))


def on_the_grid(image: nib.Nifti1Image, ground: Ground, folder) -> np.ndarray:
    nib.save(image, folder / "head.nii")
    baseline = begin(read_scan(folder / "head.nii", SETTINGS["limits"]), ground)
    return baseline.prepared.volume


def alike(volume: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Dice of the two brains, and the mean difference where both are, on a range of 2."""
    first, second = volume > -1, other > -1
    dice = 2 * (first & second).sum() / (first.sum() + second.sum())
    return dice, np.abs(volume - other)[first & second].mean()


def test_the_ball_is_on_the_right_and_a_mirror_would_be_seen(upright):
    """Else the tests below would pass on a head that is the same on both sides."""
    left, right = upright[: upright.shape[0] // 2], upright[upright.shape[0] // 2 :]
    dark = [np.mean(half[half > -1] < -0.3) for half in (left, right)]
    assert dark[1] > 1.2 * dark[0]
    assert alike(upright, upright[::-1])[1] > 0.1


@pytest.mark.parametrize("stored", ["PSR"])
def test_the_stored_order_moves_nothing_on_the_grid(tmp_path, lopsided, upright, ground, stored):
    """Not to the last bit: the origin in the header, a float32, is rounded otherwise."""
    turn = nib.orientations.ornt_transform(
        nib.io_orientation(lopsided.affine), nib.orientations.axcodes2ornt(stored)
    )
    image = lopsided.as_reoriented(turn)
    assert nib.aff2axcodes(image.affine) == tuple(stored)
    dice, difference = alike(on_the_grid(image, ground, tmp_path), upright)
    assert dice > 0.99 and difference < 0.02


def test_a_head_that_lies_askew_is_put_upright(tmp_path, lopsided, upright, ground):
    """Turned by 12, 5 and 8 degrees and moved by 10 cm in the scanner, and the header says so."""
    motion = np.eye(4)
    motion[:3, :3] = Rotation.from_euler("xyz", (12, 5, 8), degrees=True).as_matrix()
    motion[:3, 3] = 100, -60, 40
    askew = coded(lopsided.get_fdata(dtype=np.float32), motion @ lopsided.affine)
    dice, difference = alike(on_the_grid(askew, ground, tmp_path), upright)
    assert dice > 0.97 and difference < 0.08
