"""A simulated second scan differs from the first as a real second scan would, and in nothing else."""

import numpy as np
import pytest

from brainlapse import atlas
from brainlapse.sample.rescan import noise_sd, rescanned
from brainlapse.volumes import BACKGROUND, Grid

GRID = Grid((64, 80, 64), 2.8)


@pytest.fixture(scope="module")
def head():
    """The template's brain in [-1, 1] without noise, and its mask."""
    maps = atlas.maps(GRID.shape, GRID.affine)
    brain = maps["brain"] > 0.5
    signal = 0.15 * maps["csf"] + 0.55 * maps["grey"] + 0.8 * maps["white"]
    return np.where(brain, 2 * np.clip(signal, 0.05, 1) - 1, BACKGROUND).astype(np.float32), brain


def scan(head, sd, seed):
    signal, brain = head
    noise = sd * np.random.default_rng(seed).standard_normal(signal.shape)
    return np.where(brain, np.clip(signal + noise, -0.99, 1), BACKGROUND).astype(np.float32)


@pytest.mark.parametrize("sd", [0.05, 0.1])
def test_the_noise_of_a_scan_is_found(head, sd):
    assert noise_sd(scan(head, sd, 0)) == pytest.approx(sd, rel=0.15)


@pytest.mark.parametrize("sd", [0.05, 0.1])
def test_it_differs_from_the_first_as_much_as_a_real_second_scan_does(head, sd):
    _, brain = head
    first, second = scan(head, sd, 0), scan(head, sd, 1)
    simulated = rescanned(first, GRID.spacing_mm, np.random.default_rng(2))
    real, ours = ((other - first)[brain].std() for other in (second, simulated))
    assert ours == pytest.approx(real, rel=0.25)
    assert abs((simulated - first)[brain].mean()) < 0.02


def test_the_brain_stays_and_the_same_numbers_give_the_same_scan(head):
    first = scan(head, 0.05, 0)
    again, once_more, other = (
        rescanned(first, GRID.spacing_mm, np.random.default_rng(seed)) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(again, once_more)
    np.testing.assert_array_equal(again > BACKGROUND, first > BACKGROUND)
    assert again.dtype == np.float32 and again.max() <= 1 and not np.array_equal(again, other)


def test_an_empty_volume_stays_empty():
    empty = np.full((8, 8, 8), BACKGROUND, np.float32)
    assert noise_sd(empty) == 0
    np.testing.assert_array_equal(rescanned(empty, 11.0, np.random.default_rng(0)), empty)
