"""Confidence intervals that resample people, since the scans of one person are not independent."""

import numpy as np

BOUNDS = (2.5, 97.5)


def resampled_counts(subjects: int, resamplings: int, seed: int) -> np.ndarray:
    """(resamplings, subjects) integers: how often each subject is drawn; a row sums to `subjects`.

    The same for every model and metric of one group of subjects, so that
    differences between rows are differences on the same draws.
    """
    rng = np.random.default_rng(seed)
    return rng.multinomial(subjects, np.full(subjects, 1 / subjects), size=resamplings)


def mean_with_interval(values: np.ndarray, resamplings: int, seed: int) -> tuple[float, float, float]:
    """Mean of one value a subject and the 95 % percentile interval of the bootstrap (Efron 1979).

    All NaN without a subject; the bounds are NaN for a single one.
    """
    if values.size == 0:
        return (np.nan,) * 3
    if values.size == 1:
        return float(values[0]), np.nan, np.nan
    means = resampled_counts(values.size, resamplings, seed) @ values / values.size
    low, high = np.percentile(means, BOUNDS)
    return float(values.mean()), float(low), float(high)
