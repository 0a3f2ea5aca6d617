"""Fields have the divergence that was asked for, and flowing along them never folds."""

import numpy as np
import pytest

from brainlapse.phantom.fields import (
    Lattice,
    divergence,
    divergence_field,
    exponential,
    jacobian,
    random_velocity,
    smooth_noise,
)

LATTICE = Lattice.around((-40, -50, -45), (40, 50, 45), 4.0)


def blob():
    return np.exp(-np.sum(LATTICE.points() ** 2, axis=0) / (2 * 16.0**2))


def test_a_field_has_the_divergence_of_its_source():
    source = blob()
    found = divergence(divergence_field(source, LATTICE.spacing_mm), LATTICE.spacing_mm)
    inner = (slice(2, -2),) * 3
    np.testing.assert_allclose(found[inner], (source - source.mean())[inner], atol=0.04)


@pytest.mark.parametrize("seed", range(3))
def test_a_strong_random_flow_does_not_fold_and_its_reverse_undoes_it(seed):
    velocity = random_velocity(LATTICE, 40.0, 4.0, np.random.default_rng(seed))
    there, back = exponential(velocity, LATTICE), exponential(-velocity, LATTICE)
    assert jacobian(there, LATTICE.spacing_mm).min() > 0.2
    left = there + LATTICE.sample_field(back, LATTICE.points() + there)
    inner = (slice(None), *(slice(4, -4),) * 3)
    assert np.abs(left[inner]).max() < 0.05 * np.abs(there[inner]).max()


def test_sampling_at_the_voxels_gives_the_voxels_back():
    noise = smooth_noise(LATTICE, 20.0, np.random.default_rng(0))
    np.testing.assert_allclose(LATTICE.sample(noise, LATTICE.points()), noise, atol=1e-5)


def test_noise_does_not_depend_on_how_finely_it_is_sampled():
    fine = Lattice(tuple(2 * n for n in LATTICE.shape), LATTICE.spacing_mm / 2, LATTICE.origin_mm)
    coarse_noise = smooth_noise(LATTICE, 20.0, np.random.default_rng(0))
    fine_noise = smooth_noise(fine, 20.0, np.random.default_rng(0))
    np.testing.assert_allclose(fine_noise[::2, ::2, ::2], coarse_noise, atol=1e-4)
