"""Whether people whose regions changed more are also foretold to change more, and by how much."""

import numpy as np
import pandas as pd

from brainlapse.evaluate.bootstrap import BOUNDS, means_with_intervals, resampled_counts

_GROUP = ["model", "cohort", "split", "region"]
PREDICTED, TRUE = "volume_change_percent", "true_volume_change_percent"
# What is predicted and true → the begin of the metrics' names. Changes over long and short intervals differ
# by the interval alone; rates do not.
PREDICTIONS = {
    "volume_change": (PREDICTED, TRUE),
    "volume_rate": ("volume_rate_percent_per_year", "true_volume_rate_percent_per_year"),
}
_NO_SPREAD = 1e-12  # variance in percent², far below what rounding of a volume can leave


def calibrations(scores: pd.DataFrame, resamplings: int, seed: int) -> list[dict]:
    """Rows of comparisons.tsv for each model and region, of changes and of rates a year.

    Over people, of the mean over their requests: `_slope`, the least-squares
    slope of predicted on true (1 is calibrated, 0 is blind), and `_pearson`,
    their correlation; of rates also `volume_rate_bias_percent_per_year`, the
    mean of predicted minus true. A gain over copying has no meaning here.
    """
    rows = []
    for name, (predicted, true) in PREDICTIONS.items():
        found = scores[scores["metric"].isin([predicted, true])]
        for group, part in found.groupby(_GROUP, sort=False):
            means = part.pivot_table(index="subject", columns="metric", values="value")
            means = means.reindex(columns=[predicted, true]).dropna().to_numpy()
            named = dict(zip(_GROUP, group, strict=True))
            named |= {"subjects": len(means), "requests": part["request"].nunique()}
            for metric, (value, low, high) in _of_people(name, means, resamplings, seed).items():
                rows.append(named | {"metric": metric, "value": value, "value_low": low, "value_high": high})
    return rows


def _of_people(name: str, means: np.ndarray, resamplings: int, seed: int) -> dict[str, tuple]:
    """By metric the value and the bounds, from (subjects, 2) predicted and true."""
    found = {
        f"{name}_slope": _with_interval(means, 0, resamplings, seed),
        f"{name}_pearson": _with_interval(means, 1, resamplings, seed),
    }
    if name == "volume_rate":
        bias = (means[:, 0] - means[:, 1])[None]
        found[f"{name}_bias_percent_per_year"] = tuple(means_with_intervals(bias, resamplings, seed)[0])
    return found


def slope_and_pearson(predicted: np.ndarray, true: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(2, draws): slope of predicted on true and Pearson r, each person counted as `counts` (draws, n) says.

    NaN where the true (or, for r, the predicted) values of a draw do not differ.
    """
    total = counts.sum(axis=1)

    def covariance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return counts @ (a * b) / total - (counts @ a / total) * (counts @ b / total)

    # Centred first: the difference of two large numbers would leave rounding for a variance.
    predicted, true = predicted - predicted.mean(), true - true.mean()
    spread_p, spread_t = covariance(predicted, predicted), covariance(true, true)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.where(spread_t > _NO_SPREAD, covariance(predicted, true) / spread_t, np.nan)
        r = slope * np.where(spread_p > _NO_SPREAD, np.sqrt(spread_t / spread_p), np.nan)
    return np.stack([slope, r])


def _with_interval(means: np.ndarray, index: int, resamplings: int, seed: int) -> tuple[float, float, float]:
    if len(means) < 3:
        return (np.nan,) * 3
    predicted, true = means.T
    value = slope_and_pearson(predicted, true, np.ones((1, len(means))))[index, 0]
    draws = slope_and_pearson(predicted, true, resampled_counts(len(means), resamplings, seed))[index]
    if np.isnan(value) or np.isnan(draws).all():
        return float(value), np.nan, np.nan
    low, high = np.nanpercentile(draws, BOUNDS)
    return float(value), float(low), float(high)
