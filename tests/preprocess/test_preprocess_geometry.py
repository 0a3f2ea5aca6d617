"""Points go through transforms as they should, and one reading equals what was promised."""

import ants
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from brainlapse.preprocess.geometry import Image, coarser, covered, cropped, itk_text, resampled


def turned(degrees, shift) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    matrix[:3, 3] = shift
    return matrix


def centre(image: Image) -> np.ndarray:
    return image.millimetres(np.argwhere(image.data > -1)).T @ image.data.ravel() / image.data.sum()


@pytest.fixture
def image():
    """A smooth blob off the centre, so that every axis and sign matters."""
    at = np.indices((30, 34, 28)).reshape(3, -1).T
    values = np.exp(-np.sum(((at - (11, 20, 16)) / (5, 3, 4)) ** 2, axis=1)).reshape(30, 34, 28)
    affine = turned((3, -4, 5), (-30, -35, -25)) @ np.diag([2, 2.2, 2.4, 1])
    return Image(values.astype(np.float32), affine)


def test_one_composed_reading_finds_what_two_steps_find(image):
    first, second = turned((5, 0, 8), (4, -3, 2)), turned((-6, 4, 0), (1, 5, -2))
    grid = np.diag([1.5, 1.5, 1.5, 1.0])
    grid[:3, 3] = -35
    once = resampled(image, (50, 50, 50), grid, second @ first)
    between = np.eye(4)
    between[:3, 3] = -40
    halfway = resampled(image, (80, 80, 80), between, second)
    twice = resampled(halfway, (50, 50, 50), grid, first)
    assert np.abs(once.data - twice.data).max() < 0.06  # two linear readings blur once more
    peaks = [grid[:3, :3] @ np.unravel_index(v.data.argmax(), v.data.shape) for v in (once, twice)]
    assert np.linalg.norm(peaks[0] - peaks[1]) <= 1.5


def test_the_itk_file_sends_points_where_the_matrix_does(tmp_path):
    pull = turned((7, -3, 11), (5, -8, 13)) @ np.diag([1.1, 0.9, 1.05, 1])
    path = tmp_path / "xfm.txt"
    path.write_text(itk_text(pull))
    lps = np.array([-1, -1, 1])
    in_floats = 3 * np.spacing(np.float32(100))  # ITK computes in these
    for point in np.random.default_rng(0).uniform(-80, 80, (5, 3)):
        sent = np.array(ants.read_transform(str(path)).apply_to_point(list(point * lps))) * lps
        np.testing.assert_allclose(sent, (pull @ [*point, 1])[:3], rtol=0, atol=in_floats)


def test_coarser_keeps_the_place_and_the_total(image):
    small = coarser(image, 5.0)
    np.testing.assert_allclose(centre(image), centre(small), atol=0.5)
    totals = [img.data.sum() * np.prod(img.voxel_mm) for img in (image, small)]
    assert totals[1] == pytest.approx(totals[0], rel=0.03)


def test_a_crop_stays_where_it_was(image):
    part, mask = cropped(image, image.data > 0.5, margin=2)
    assert part.data.shape == mask.shape < image.data.shape
    again = resampled(part, image.data.shape, image.affine).data
    inside = image.data > 0.5
    np.testing.assert_allclose(again[inside], image.data[inside], atol=1e-5)


def test_what_the_scan_did_not_see_is_known(image):
    seen = covered(image, image.data.shape, image.affine, np.eye(4))
    assert seen.all()
    beside = np.eye(4)
    beside[:3, 3] = image.affine[:3, 0] * 10  # ten voxels along the first axis
    assert covered(image, image.data.shape, image.affine, beside).mean() == pytest.approx(20 / 30)


def test_an_image_read_on_its_own_grid_keeps_its_outermost_slices():
    """This affine's inverse is off by a rounding error, which is enough to fall outside."""
    turn = Rotation.from_euler("xyz", (3.1, -7.3, 1.7), degrees=True).as_matrix()
    for size in (0.71875, 0.9, 1.1, 3.0):
        affine = np.eye(4)
        affine[:3, :3] = turn * (size, size, 3)
        affine[:3, 3] = (-113.7, 92.1, -61.3)
        image = Image(np.ones((30, 32, 9), np.float32), affine)
        assert resampled(image, image.data.shape, affine).data.min() == 1
