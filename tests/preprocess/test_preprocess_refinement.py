"""Two scans of one head are laid upon each other to a fraction of a voxel, whatever gain and shading."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from brainlapse.preprocess.geometry import Image, resampled
from brainlapse.preprocess.refinement import refined

SHAPE, VOXEL_MM = (44, 52, 44), 3.5


@pytest.fixture(scope="module")
def baseline():
    rng = np.random.default_rng(0)
    axes = np.meshgrid(*[np.linspace(-1, 1, n) for n in SHAPE], indexing="ij")
    brain = sum(a**2 for a in axes) < 0.6
    texture = ndimage.gaussian_filter(rng.normal(size=SHAPE), 2)
    affine = np.diag([VOXEL_MM] * 3 + [1.0])
    affine[:3, 3] = -VOXEL_MM * np.array(SHAPE) / 2
    head = Image((600 * brain * (1 + 3 * texture)).astype(np.float32).clip(0), affine)
    return head, head.like(brain)


def motion(degrees, shift_mm) -> np.ndarray:
    moved = np.eye(4)
    moved[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    moved[:3, 3] = shift_mm
    return moved


@pytest.mark.parametrize("gain", [0.5, 1.0, 2.0])
def test_a_rigid_motion_is_found_under_gain_and_shading(baseline, gain):
    head, mask = baseline
    truth = motion((7, -5, 6), (4, -3, 5))
    place = head.millimetres(np.argwhere(np.ones(SHAPE, bool))).reshape(*SHAPE, 3)
    shading = np.exp(0.15 * np.sin(place[..., 0] / 60) + 0.1 * np.cos(place[..., 2] / 50))
    followup = resampled(head, SHAPE, head.affine, np.linalg.inv(truth))
    followup = followup.like(gain * followup.data * shading)
    start = motion((7.8, -4.4, 6.5), (5, -2.5, 4.3))
    found = refined(followup, head, mask, start, VOXEL_MM)
    brain = np.c_[head.millimetres(np.argwhere(mask.data > 0)), np.ones(int(mask.data.sum()))]
    error_mm = np.linalg.norm((brain @ (found - truth).T)[:, :3], axis=1)
    before_mm = np.linalg.norm((brain @ (start - truth).T)[:, :3], axis=1)
    assert error_mm.max() < 0.3 < before_mm.mean()


def test_the_answer_is_rigid(baseline):
    head, mask = baseline
    found = refined(head, head, mask, motion((1, 0, 0), (1, 0, 0)), VOXEL_MM)
    np.testing.assert_allclose(found[:3, :3] @ found[:3, :3].T, np.eye(3), atol=1e-9)


@pytest.mark.parametrize("side", [0.0, 0.8])
def test_shrinking_tissue_is_not_taken_for_motion(baseline, side):
    head, mask = baseline
    slope = np.linalg.norm(np.gradient(ndimage.gaussian_filter(head.data, 0.7), VOXEL_MM), axis=0)
    lean = 1 + side * np.linspace(-1, 1, SHAPE[0])[:, None, None]  # more on one side, as atrophy often is
    shrunk = head.like(np.maximum(head.data - 0.4 * lean * slope, 0))  # all edges withdraw by 0.4 mm
    found = refined(shrunk, head, mask, motion((0.5, -0.5, 0.5), (0.5, -0.5, 0.5)), VOXEL_MM)
    brain = head.millimetres(np.argwhere(mask.data > 0))
    off_mm = brain @ (found - np.eye(4))[:3, :3].T + found[:3, 3]
    assert np.linalg.norm(off_mm, axis=1).mean() < 0.05


def test_two_runs_give_the_same_bits(baseline):
    head, mask = baseline
    runs = [refined(head, head, mask, motion((1, 0, 0), (1, 0, 0)), VOXEL_MM) for _ in range(2)]
    np.testing.assert_array_equal(*runs)
