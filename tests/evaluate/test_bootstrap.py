"""Intervals cover the truth as often as they say, count people and not requests, and repeat exactly."""

import numpy as np
import pytest

from brainlapse.evaluate.bootstrap import difference_with_interval, means_with_intervals, resampled_counts


def mean_with_interval(values, resamplings, seed):
    return means_with_intervals(np.atleast_2d(values), resamplings, seed)[0].tolist()


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
    assert mean_with_interval(np.ones(7), 100, 0) == [1.0, 1.0, 1.0]
    assert mean_with_interval(np.array([2.0]), 100, 0) == pytest.approx([2.0, np.nan, np.nan], nan_ok=True)


def test_rows_with_gaps_are_as_each_row_alone():
    values = np.random.default_rng(2).normal(size=(30, 8))
    values[np.random.default_rng(3).random(values.shape) < 0.3] = np.nan
    values[0] = np.nan
    together = means_with_intervals(values, 200, 0)
    alone = [mean_with_interval(row[~np.isnan(row)], 200, 0) for row in values]
    np.testing.assert_allclose(together, alone)
    assert np.isnan(together[0]).all()


def test_the_difference_of_two_groups_covers_the_truth_about_as_often_as_it_says():
    rng, covered = np.random.default_rng(0), 0
    for trial in range(200):
        one, other = rng.normal(1, 1, 30), rng.normal(0.5, 2, 50)
        _, low, high = difference_with_interval(np.append(one, np.nan), other, 400, trial)
        covered += low <= 0.5 <= high
    assert 0.88 <= covered / 200 <= 0.99


def test_equal_groups_are_resampled_apart():
    """Were both resampled alike, the difference of a group from itself would have no width."""
    values = np.random.default_rng(4).normal(size=20)
    difference, low, high = difference_with_interval(values, values, 300, 0)
    assert difference == 0 and low < -0.2 and high > 0.2
    assert np.isnan(difference_with_interval(values[:1], values, 300, 0)[1:]).all()
    assert np.isnan(difference_with_interval(values[:0], values, 300, 0)).all()
