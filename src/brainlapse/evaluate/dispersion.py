"""Whether a model's draws differ from each other by as much as their mean differs from the truth."""

import numpy as np
import pandas as pd

from brainlapse.evaluate.bootstrap import BOUNDS, resampled_counts
from brainlapse.evaluate.calibration import PREDICTED, TRUE
from brainlapse.evaluate.uncertainty import DRAWS, ERROR_OF_MEAN, SPREAD, VOLUME_SPREAD

_GROUP = ["model", "cohort", "split", "region"]
_REQUEST = [*_GROUP, "subject", "request"]


def spread_error_ratios(scores: pd.DataFrame, resamplings: int, seed: int) -> list[dict]:
    """Rows of comparisons.tsv: `spread_error_ratio` of voxels, `volume_change_spread_error_ratio` of regions.

    The root of the draws' mean variance, times (k + 1)/k, over the mean squared
    error of their mean (Fortin et al. 2014), both means over people of
    the mean over their requests: 1 if the truth is as one more draw, less if
    the draws differ too little. A ratio of means and not a mean of ratios, for
    a request alone has a single error of each volume.
    """
    names = [DRAWS, SPREAD, ERROR_OF_MEAN, VOLUME_SPREAD, PREDICTED, TRUE]
    wide = scores[scores["metric"].isin(names)]
    wide = wide.set_index([*_REQUEST, "metric"])["value"].unstack("metric").reindex(columns=names)
    # `draws` stands once a request, at the brain; it holds for every region of it.
    wide[DRAWS] = wide[DRAWS].groupby(["model", "cohort", "split", "subject", "request"]).transform("max")
    more = np.sqrt(1 + 1 / wide[DRAWS])
    squares = {
        "spread_error_ratio": (more * wide[SPREAD], wide[ERROR_OF_MEAN]),
        "volume_change_spread_error_ratio": (more * wide[VOLUME_SPREAD], wide[PREDICTED] - wide[TRUE]),
    }
    return [
        row
        for metric, (spread, error) in squares.items()
        for row in _rows(metric, pd.DataFrame({"spread": spread**2, "error": error**2}), resamplings, seed)
    ]


def _rows(metric: str, squares: pd.DataFrame, resamplings: int, seed: int) -> list[dict]:
    rows = []
    for group, part in squares.dropna().groupby(_GROUP, sort=False):
        means = part.groupby("subject").mean().to_numpy()
        value, low, high = _with_interval(means, resamplings, seed)
        named = dict(zip(_GROUP, group, strict=True)) | {"metric": metric}
        named |= {"subjects": len(means), "requests": len(part)}
        rows.append(named | {"value": value, "value_low": low, "value_high": high})
    return rows


def _with_interval(means: np.ndarray, resamplings: int, seed: int) -> tuple[float, float, float]:
    """Of (subjects, 2) mean squares of spread and error; the bounds are NaN for a single subject."""
    spread, error = means.mean(axis=0)
    value = float(np.sqrt(spread / error)) if error > 0 else np.nan
    if len(means) < 2 or np.isnan(value):
        return value, np.nan, np.nan
    spread, error = (resampled_counts(len(means), resamplings, seed) @ means).T
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = np.where(error > 0, np.sqrt(spread / error), np.nan)
    low, high = np.nanpercentile(drawn, BOUNDS)
    return value, float(low), float(high)
