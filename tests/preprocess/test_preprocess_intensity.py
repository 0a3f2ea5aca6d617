"""Unchanged tissue gets the same value at every visit, and true change is kept."""

import numpy as np
import pytest
from scipy.ndimage import binary_erosion, gaussian_filter

from brainlapse.preprocess.geometry import Image
from brainlapse.preprocess.intensity import gain_to, matched, residual, to_range, without_bias
from brainlapse.volumes import BACKGROUND, brain_of, from_bytes, to_bytes

SPACING_MM = 4.0


@pytest.fixture
def brain():
    """(values, mask): a ball of random tissue of 100 mm."""
    rng = np.random.default_rng(0)
    radius = np.linalg.norm((np.indices((40, 40, 40)) - 19.5) * SPACING_MM, axis=0)
    tissue = np.where(gaussian_filter(rng.normal(size=radius.shape), 1.5) > 0, 100.0, 65.0)
    return tissue, radius < 70


def shading(shape, seed, sigma=8):
    field = gaussian_filter(np.random.default_rng(seed).normal(size=shape), sigma)
    return np.exp(0.1 * field / field.std())


def test_the_gain_is_not_misled_by_what_changed(brain):
    values, mask = brain
    later = values / 1.7 + np.random.default_rng(1).normal(0, 0.5, values.shape)
    later[15:25, 15:25, 15:25] = 5  # a lesion
    assert gain_to(values[mask], later[mask]) == pytest.approx(1.7, rel=0.005)


def test_shading_between_visits_goes_and_change_stays(brain):
    values, mask = brain
    later = values * 0.6 * shading(values.shape, 2)
    changed = np.zeros_like(mask)
    changed[16:22, 16:22, 16:22] = True
    later[changed] *= 0.5
    noise = np.random.default_rng(3).normal(0, 1, values.shape)
    again = matched(values, later + noise, mask, 100.0, SPACING_MM)
    still = mask & ~changed
    before = gain_to(values[mask], later[mask]) * later
    assert np.abs(again - values)[still].mean() < 0.5 * np.abs(before - values)[still].mean()
    assert (again / values)[changed].mean() == pytest.approx(0.5, abs=0.03)


def test_the_bias_of_one_scan_is_removed(brain):
    values, mask = brain
    shaded = values * shading(values.shape, 4, sigma=10)
    image = Image(np.where(mask, shaded, 0).astype(np.float32), np.diag([SPACING_MM] * 3 + [1.0]))
    corrected = without_bias(image, image.like(mask), SPACING_MM).data
    spread = [np.std(np.log(v[mask] / values[mask])) for v in (shaded, corrected)]
    assert spread[1] < 0.6 * spread[0]


def test_brain_and_background_stay_apart_even_as_bytes(brain):
    values, mask = brain
    values[10, 20, 20] = 0  # as dark as the background, but in the brain
    volume = to_range(values, mask, 90.0)
    assert (volume[~mask] == BACKGROUND).all() and volume.max() == 1
    np.testing.assert_array_equal(brain_of(volume), mask)
    np.testing.assert_array_equal(brain_of(from_bytes(to_bytes(volume))), mask)


def test_the_residual_is_that_of_most_tissue_well_inside(brain):
    values, mask = brain
    volume = to_range(values, mask, 110.0)
    later = np.where(mask, volume + 0.02, BACKGROUND)
    later[18:22, 18:22, 18:22] = 1.0  # what changed counts for nothing
    assert residual(later, volume, mask) == pytest.approx(0.02, abs=1e-6)
    rim = mask & ~binary_erosion(mask, iterations=2)
    assert residual(np.where(rim, 1.0, volume), volume, mask) == 0


def test_a_brain_too_thin_to_look_inside_has_no_residual(brain):
    values, mask = brain
    sliver = mask & (np.indices(mask.shape)[0] == 20)
    assert np.isnan(residual(values, values, sliver))
