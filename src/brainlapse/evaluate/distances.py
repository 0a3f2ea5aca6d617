"""Distances between the set of samples and the set of true follow-ups, with what they can mean.

Samples and truths are of the same people; the floor is the same distance
between two sets of true follow-ups of *different* people, half of the subjects
each. So a model can fall below the floor, and the floor, with fewer volumes,
is higher than it would be at n: read n and n_floor with it.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch

from brainlapse import tables
from brainlapse.evaluate.features import DIMENSIONS, NAME
from brainlapse.evaluate.fidelity import torch_fidelity

RESAMPLINGS = 500
HALVINGS = 20


def frechet(samples: np.ndarray, truths: np.ndarray) -> float:
    """Fréchet distance (Heusel et al. 2017, eq. 6) of features (n, d) and (m, d), by torch-fidelity."""
    fid = torch_fidelity.metric_fid
    statistics = [fid.fid_features_to_statistics(torch.from_numpy(one)) for one in (samples, truths)]
    return fid.fid_statistics_to_metric(*statistics, verbose=False)[fid.KEY_METRIC_FID]


def frechet_low_rank(samples: np.ndarray, truths: np.ndarray) -> float:
    """The same number without a d × d root: tr √(ΣₐΣᵦ) is the nuclear norm of XYᵀ, X and Y centred features.

    Quick enough to resample subjects hundreds of times.
    """
    x = (samples - samples.mean(axis=0)) / np.sqrt(len(samples) - 1)
    y = (truths - truths.mean(axis=0)) / np.sqrt(len(truths) - 1)
    shift = np.sum((samples.mean(axis=0) - truths.mean(axis=0)) ** 2)
    x, y = (np.linalg.qr(one, mode="r") if len(one) > one.shape[1] else one for one in (x, y))
    return float(shift + np.sum(x**2) + np.sum(y**2) - 2 * np.linalg.norm(x @ y.T, "nuc"))


def kernel(samples: np.ndarray, truths: np.ndarray) -> float:
    """Squared kernel distance (Bińkowski et al. 2018: cubic kernel, unbiased) of features (n, d), (m, d)."""
    size = min(len(samples), len(truths))
    features = [torch.from_numpy(one) for one in (samples, truths)]
    kid = torch_fidelity.metric_kid
    found = kid.kid_features_to_metric(*features, kid_subsets=1, kid_subset_size=size, verbose=False)
    return found[kid.KEY_METRIC_KID_MEAN]


def distributions(features: pd.DataFrame, who: dict[str, str], seed: int) -> pd.DataFrame:
    """Rows of distributions.tsv from the features of `scoring.score_requests`, a split at a time."""
    rows = []
    for split, part in features.groupby("split"):
        sets = {name: np.stack(list(part[name])) for name in ("sample", "truth")}
        people = _rows_of_each(part["subject"])
        for metric, distance, quick in (
            (f"frechet_{NAME}", frechet, frechet_low_rank),
            (f"kid_{NAME}", kernel, kernel),
        ):
            row = {"split": split, "metric": metric, "n": len(part), "d": DIMENSIONS}
            row |= _distance(sets, people, distance, quick, seed)
            rows.append(who | row)
    return pd.DataFrame(rows, columns=tables.DISTRIBUTIONS.names).astype({"n_floor": "Int64"})


def _rows_of_each(subjects: pd.Series) -> list[np.ndarray]:
    """The rows of each subject, subjects in sorted order."""
    return [np.flatnonzero(subjects.to_numpy() == subject) for subject in sorted(subjects.unique())]


def _distance(
    sets: dict[str, np.ndarray], people: list[np.ndarray], distance: Callable, quick: Callable, seed: int
) -> dict:
    samples, truths = sets["sample"], sets["truth"]
    found = {"value": distance(samples, truths) if len(samples) > 1 else np.nan}
    rng = np.random.default_rng(seed)
    found |= _floor(truths, people, quick, rng)
    if len(people) > 1:
        found["value_low"], found["value_high"] = _interval(samples, truths, people, quick, rng)
    return found


def _interval(
    samples: np.ndarray,
    truths: np.ndarray,
    people: list[np.ndarray],
    quick: Callable,
    rng: np.random.Generator,
) -> tuple[float, float]:
    """2.5 and 97.5 % bounds when subjects, with all their requests, are drawn anew.

    People drawn twice make both sets narrower than they are and lift every
    resampled distance, so the resampled values are centred on the measured one.
    """
    values = []
    for _ in range(RESAMPLINGS):
        chosen = np.concatenate([people[i] for i in rng.integers(len(people), size=len(people))])
        if len(chosen) > 1:
            values.append(quick(samples[chosen], truths[chosen]))
    low, high = np.percentile(values, [2.5, 97.5]) - np.mean(values)
    measured = quick(samples, truths)
    return measured + low, measured + high


def _floor(truths: np.ndarray, people: list[np.ndarray], quick: Callable, rng: np.random.Generator) -> dict:
    """Mean distance between true follow-ups of two disjoint halves of the subjects, over random halvings."""
    half = len(people) // 2
    values, sizes = [], []
    for _ in range(HALVINGS if half else 0):
        order = rng.permutation(len(people))
        first, second = (
            truths[np.concatenate([people[i] for i in chosen])]
            for chosen in (order[:half], order[half : 2 * half])
        )
        if min(len(first), len(second)) > 1:
            values.append(quick(first, second))
            sizes.append((len(first) + len(second)) / 2)
    if not values:
        return {"floor": np.nan, "n_floor": None}
    return {"floor": float(np.mean(values)), "n_floor": round(float(np.mean(sizes)))}
