"""Confidence intervals that resample people, since the scans of one person are not independent."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

BOUNDS = (2.5, 97.5)
_NOTHING = (np.nan,) * 3


@lru_cache(maxsize=16)  # the same people stand behind most rows of a table
def resampled_counts(subjects: int, resamplings: int, seed: int | tuple[int, ...]) -> np.ndarray:
    """(resamplings, subjects) integers: how often each subject is drawn; a row sums to `subjects`.

    The same for every model and metric of one group of subjects, so that
    differences between rows are differences on the same draws. Read-only.
    """
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(subjects, np.full(subjects, 1 / subjects), size=resamplings)
    counts.flags.writeable = False
    return counts


def means_with_intervals(values: np.ndarray, resamplings: int, seed: int) -> np.ndarray:
    """(rows, 3): each row's mean over subjects and the bounds of its 95 % interval.

    It is the percentile interval of the bootstrap (Efron 1979). `values`
    (rows, subjects) has one value a subject, NaN for a subject without one. All
    three are NaN for a row without a subject, the bounds for a row with one.
    """
    found = np.full((len(values), 3), np.nan)
    for rows, subjects in _alike(~np.isnan(values)):
        found[rows] = _mean_with_interval(values[np.ix_(rows, subjects)], resamplings, seed)
    return found


def difference_with_interval(
    one: np.ndarray, other: np.ndarray, resamplings: int, seed: int
) -> tuple[float, float, float]:
    """Mean of `one` minus mean of `other`, values a subject of two sets of people, and its 95 % interval.

    A value may be NaN: it is left out. Each set is resampled by itself. The
    bounds are NaN where a set has a single person, all three where it has none.
    """
    one, other = one[~np.isnan(one)], other[~np.isnan(other)]
    if not (one.size and other.size):
        return _NOTHING
    difference = float(one.mean() - other.mean())
    if min(one.size, other.size) == 1:
        return difference, np.nan, np.nan
    means = [
        resampled_counts(part.size, resamplings, (seed, which)) @ part / part.size
        for which, part in enumerate((one, other))
    ]
    low, high = np.percentile(means[0] - means[1], BOUNDS)
    return difference, float(low), float(high)


def _alike(known: np.ndarray) -> Sequence[tuple[np.ndarray, np.ndarray]]:
    """Which rows of `known` (rows, subjects) know the same subjects: indices of those rows and subjects."""
    if not known.size:
        return []
    patterns, which = np.unique(known, axis=0, return_inverse=True)
    which = which.reshape(-1)
    return [(np.flatnonzero(which == n), np.flatnonzero(pattern)) for n, pattern in enumerate(patterns)]


def _mean_with_interval(values: np.ndarray, resamplings: int, seed: int) -> np.ndarray:
    """The same for (rows, subjects) without a gap."""
    subjects = values.shape[1]
    found = np.full((len(values), 3), np.nan)
    if subjects:
        found[:, 0] = values.mean(axis=1)
    if subjects > 1:
        means = resampled_counts(subjects, resamplings, seed) @ values.T / subjects
        found[:, 1:] = np.percentile(means, BOUNDS, axis=0).T
    return found
