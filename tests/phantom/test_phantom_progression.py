"""A head that ages: its volumes change by what was asked for, and its skull stays where it is."""

from dataclasses import astuple

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from brainlapse import atlas
from brainlapse.phantom.fields import Lattice, jacobian
from brainlapse.phantom.hull import hull_distance_mm
from brainlapse.phantom.progression import Progression
from brainlapse.phantom.surround import CSF_LAYER_MM

HEAD = Lattice.around((-84, -119, -84), (84, 85, 94), 3.0)


@pytest.fixture(scope="module")
def progression():
    return Progression(4.0)


def change(before, after):
    return np.log(np.array(astuple(after)) / np.array(astuple(before)))


@pytest.mark.parametrize(
    "wanted",
    [(0.0, -0.1, 0.0), (0.3, 0.0, 0.0), (0.3, -0.1, -0.05), (0.98, -0.45, -0.1), (-0.4, 0.1, 0.03)],
)
def test_the_volumes_change_by_what_was_asked_for(progression, wanted):
    field = progression.displacement(np.array(wanted))
    np.testing.assert_allclose(progression.log_volumes_of(field), wanted, atol=0.02)
    points = HEAD.points()
    before = progression.volumes(points, HEAD.voxel_ml)
    after = progression.volumes(points + progression.lattice.sample_field(field, points), HEAD.voxel_ml)
    # Measured on finer maps, of which the calibration knows nothing.
    np.testing.assert_allclose(change(before, after)[:2], wanted[:2], atol=0.05)


@pytest.mark.parametrize("wanted", [(1.1, -0.6, -0.16), (-0.5, 0.25, 0.08)])
def test_the_strongest_change_does_not_fold(progression, wanted):
    field = progression.displacement(np.array(wanted))
    assert jacobian(field, progression.lattice.spacing_mm).min() > 0


def test_no_change_is_the_same_image(progression):
    image = np.random.default_rng(0).random(HEAD.shape, dtype=np.float32)
    same, before, after = progression.progress(image, HEAD.affine, np.eye(4), np.zeros(3))
    np.testing.assert_array_equal(same, image)
    assert before == after


def test_nothing_outside_the_skull_moves_and_something_inside_does(progression):
    image = np.random.default_rng(0).random(HEAD.shape, dtype=np.float32)
    warped, *_ = progression.progress(image, HEAD.affine, np.eye(4), np.array([0.5, -0.3, -0.1]))
    x, y, z = HEAD.points()
    hull_mm = hull_distance_mm(atlas.maps(HEAD.shape, HEAD.affine)["brain"], HEAD.spacing_mm)
    far = hull_mm > CSF_LAYER_MM + 5.0  # the skull, but for what a voxel's width blurs
    ventricles = (np.abs(x) < 20) & (np.abs(y) < 25) & (z > 5) & (z < 25)
    assert far.sum() > 5000
    np.testing.assert_allclose(warped[far], image[far], atol=2e-3)
    assert np.abs(warped - image)[ventricles].mean() > 0.1


def test_a_head_that_lies_elsewhere_ages_alike(progression):
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_euler("xyz", [20, -10, 15], degrees=True).as_matrix() * 1.1
    turn[:3, 3] = (5, -8, 12)
    wanted = np.array([0.3, -0.15, -0.03])
    straight = progression.progress(np.zeros(HEAD.shape), HEAD.affine, np.eye(4), wanted)[1:]
    turned = progression.progress(np.zeros(HEAD.shape), np.linalg.inv(turn) @ HEAD.affine, turn, wanted)[1:]
    np.testing.assert_allclose(change(*turned), change(*straight), atol=1e-3)
    assert turned[0].brain_ml == pytest.approx(straight[0].brain_ml / 1.1**3, rel=1e-3)
