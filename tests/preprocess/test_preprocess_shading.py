"""Shading between two visits is found up to the brain's rim, and edges that moved are not taken for it."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, gaussian_gradient_magnitude

from brainlapse.preprocess.intensity import matched
from brainlapse.preprocess.shading import shading_between

SPACING_MM, TOP, FAINT = 2.8, 110.0, 25.0


@pytest.fixture(scope="module")
def brain():
    """(values, mask): a ball of tissue of two brightnesses with dark clefts, 140 mm wide."""
    rng = np.random.default_rng(0)
    shape = (56, 56, 56)
    radius = np.linalg.norm((np.indices(shape) - 27.5) * SPACING_MM, axis=0)
    bright = gaussian_filter(rng.normal(size=shape), 3) > 0
    cleft = np.abs(gaussian_filter(rng.normal(size=shape), 2.5)) < 0.004
    values = np.where(bright, 100.0, 70.0)
    values[(cleft & (radius > 40)) | (radius > 66)] = 20.0
    return gaussian_filter(values, 0.6), radius < 70


def coil(shape, seed):
    """The log of a shading that varies by 8 % over some 60 mm."""
    field = gaussian_filter(
        np.random.default_rng(seed).normal(size=shape), 60 / 2.355 / SPACING_MM, mode="wrap"
    )
    return 0.08 * field / field.std()


def noisy(values, seed):
    return values + np.random.default_rng(seed).normal(0, 1.5, values.shape)


def tissue(values, mask):
    return np.clip((values[mask] - 32) / 25, 0, 1).sum()


@pytest.mark.parametrize("seed", range(3))
def test_at_least_four_fifths_of_the_shading_are_found(brain, seed):
    values, mask = brain
    truth = coil(values.shape, seed)
    found = shading_between(noisy(values, 10), noisy(values * np.exp(truth), 11), mask, FAINT, SPACING_MM)
    assert np.abs(found - truth)[mask].mean() < 0.2 * np.abs(truth)[mask].mean()


def test_without_a_difference_the_two_are_alike(brain):
    values, mask = brain
    np.testing.assert_allclose(shading_between(values, values, mask, FAINT, SPACING_MM), 0, atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_a_rescan_has_the_tissue_it_had(brain, seed):
    values, mask = brain
    first, again = noisy(values, 20 + seed), noisy(1.3 * values * np.exp(coil(values.shape, seed)), 30 + seed)
    again = matched(first, again, mask, TOP, SPACING_MM)
    assert tissue(again, mask) / tissue(first, mask) == pytest.approx(1, abs=0.001)


@pytest.mark.parametrize("seed", range(3))
def test_a_brain_that_shrinks_everywhere_keeps_its_loss(brain, seed):
    values, mask = brain
    shrunk = values - 0.6 * gaussian_gradient_magnitude(values, 0.7) / SPACING_MM  # all edges by 0.6 mm
    first, later = noisy(values, 40 + seed), noisy(shrunk * np.exp(coil(values.shape, seed)), 50 + seed)
    later = matched(first, later, mask, TOP, SPACING_MM)
    true_loss = 1 - tissue(shrunk, mask) / tissue(values, mask)
    assert true_loss > 0.015
    assert 1 - tissue(later, mask) / tissue(first, mask) == pytest.approx(
        true_loss, rel=0.05
    )  # the ratio smoothed keeps 57 %


def test_far_from_the_brain_nothing_runs_away(brain):
    values, mask = brain
    small = mask & (np.indices(mask.shape)[0] < 20)
    found = shading_between(values, values * np.exp(coil(values.shape, 1)), small, FAINT, SPACING_MM)
    assert np.isfinite(found).all() and np.abs(found).max() <= np.log(4) + 1e-6


def test_where_nothing_is_bright_enough_there_is_no_shading(brain):
    values, mask = brain
    assert not shading_between(values, values, mask, 1000.0, SPACING_MM).any()


def test_two_runs_give_the_same_bits(brain):
    values, mask = brain
    later = noisy(values * np.exp(coil(values.shape, 1)), 3)
    np.testing.assert_array_equal(*(matched(values, later, mask, TOP, SPACING_MM) for _ in range(2)))
