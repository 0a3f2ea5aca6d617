"""Intervals cover the truth as often as they say, count people and not requests, and repeat exactly."""

import numpy as np
import pytest

from brainlapse.evaluate.bootstrap import mean_with_interval, resampled_counts


def test_the_interval_covers_the_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    covered = 0
    for trial in range(200):
        _, low, high = mean_with_interval(rng.normal(1.0, 2.0, 40), 400, trial)
        covered += low <= 1.0 <= high
    assert 0.88 <= covered / 200 <= 0.99


def test_the_same_seed_gives_the_same_interval():
    values = np.random.default_rng(1).normal(size=30)
    assert mean_with_interval(values, 300, 7) == mean_with_interval(values, 300, 7)
    assert mean_with_interval(values, 300, 7) != mean_with_interval(values, 300, 8)


def test_every_resampling_draws_as_many_as_there_are():
    assert (resampled_counts(9, 50, 0).sum(axis=1) == 9).all()


def test_a_constant_has_no_width_and_one_person_no_interval():
    assert mean_with_interval(np.ones(7), 100, 0) == (1.0, 1.0, 1.0)
    assert mean_with_interval(np.array([2.0]), 100, 0) == pytest.approx((2.0, np.nan, np.nan), nan_ok=True)
