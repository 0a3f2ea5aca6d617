"""Distances between the set of samples and the set of true follow-ups, with what they can mean.

A number alone says little: with few volumes most of a Fréchet distance is
bias. So each stands beside its floor, the same distance between two sets of
real scans of as many volumes. Samples and truths are of the same people, the
two real sets are not: a model can fall below the floor.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from brainlapse import tables
from brainlapse.evaluate import inception
from brainlapse.evaluate.fidelity import torch_fidelity

RESAMPLINGS = 500
RESAMPLINGS_OF_MANY_ROWS = 20
MANY_ROWS = 1000  # above it a Fréchet distance costs seconds
HALVINGS = 20
NEIGHBOURHOOD = 3  # nearest neighbours (Kynkäänniemi et al. 2019)
Rows = list[np.ndarray]  # of each volume its features (rows, d)


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


def precision(samples: np.ndarray, truths: np.ndarray) -> float:
    """Share of the samples that lie among the truths (Kynkäänniemi et al. 2019, eq. 2), k = NEIGHBOURHOOD."""
    return _precision_and_recall(samples, truths)[0]


def recall(samples: np.ndarray, truths: np.ndarray) -> float:
    """Share of the truths that lie among the samples: low where the samples lack variety."""
    return _precision_and_recall(samples, truths)[1]


def _precision_and_recall(samples: np.ndarray, truths: np.ndarray) -> tuple[float, float]:
    if min(len(samples), len(truths)) <= NEIGHBOURHOOD:
        return float("nan"), float("nan")
    prc = torch_fidelity.metric_prc
    found = prc.prc_features_to_metric(
        *(torch.from_numpy(one) for one in (samples, truths)), prc_neighborhood=NEIGHBOURHOOD,
        prc_batch_size=10_000, save_cpu_ram=False, verbose=False,
    )  # fmt: skip
    return float(found[prc.KEY_METRIC_PRECISION]), float(found[prc.KEY_METRIC_RECALL])


@dataclass(frozen=True)
class Distance:
    """How it is computed, a quick form for resampling, and whether people drawn twice leave it sound."""

    of: Callable[[np.ndarray, np.ndarray], float]
    quick: Callable[[np.ndarray, np.ndarray], float]
    resampled: bool = True


# A person drawn twice is their own nearest neighbour, so precision and recall get no interval.
DISTANCES = {
    "frechet": Distance(frechet, frechet_low_rank),
    "kid": Distance(kernel, kernel),
    "precision": Distance(precision, precision, resampled=False),
    "recall": Distance(recall, recall, resampled=False),
}


@dataclass(frozen=True)
class Sets:
    """Features in one space, an entry a volume: samples and truths of `subjects`, real scans of others."""

    subjects: list[str]
    samples: Rows
    truths: Rows
    others: Rows

    @property
    def people(self) -> list[np.ndarray]:
        """The volumes of each subject, subjects in sorted order."""
        subjects = np.array(self.subjects)
        return [np.flatnonzero(subjects == subject) for subject in sorted(set(self.subjects))]


def name_of(distance: str, space: str) -> str:
    """The metric's name. Only the Fréchet distance in the canonical space is called FID."""
    return f"{'fid' if (distance, space) == ('frechet', inception.NAME) else distance}_{space}"


def distributions(sets: dict[tuple[str, str], Sets], who: dict[str, str], seed: int) -> pd.DataFrame:
    """Rows of distributions.tsv from the sets of each (split, space)."""
    rows = []
    for (split, space), found in sets.items():
        for name, distance in DISTANCES.items():
            d = found.samples[0].shape[1] if found.samples else 0
            row = {"split": split, "metric": name_of(name, space), "n": len(found.samples), "d": d}
            rows.append(who | row | _measured(found, distance, np.random.default_rng(seed)))
    return pd.DataFrame(rows, columns=tables.DISTRIBUTIONS.names).astype({"n_floor": "Int64"})


def _measured(sets: Sets, distance: Distance, rng: np.random.Generator) -> dict:
    enough = len(sets.samples) > 1
    value = distance.of(np.concatenate(sets.samples), np.concatenate(sets.truths)) if enough else np.nan
    found = {"value": value} | _floor(sets, distance.quick, rng)
    if distance.resampled and len(sets.people) > 1:
        found["value_low"], found["value_high"] = _interval(sets, distance.quick, rng)
    return found


def _interval(sets: Sets, quick: Callable, rng: np.random.Generator) -> tuple[float, float]:
    """2.5 and 97.5 % bounds when subjects, with all their requests and slices, are drawn anew.

    People drawn twice make both sets narrower than they are and lift every
    resampled distance, so the resampled values are centred on the measured one.
    """
    people, values = sets.people, []
    many = sum(map(len, sets.samples)) > MANY_ROWS
    for _ in range(RESAMPLINGS_OF_MANY_ROWS if many else RESAMPLINGS):
        chosen = np.concatenate([people[i] for i in rng.integers(len(people), size=len(people))])
        if len(chosen) > 1:
            values.append(quick(_stacked(sets.samples, chosen), _stacked(sets.truths, chosen)))
    low, high = np.percentile(values, [2.5, 97.5]) - np.mean(values)
    measured = quick(np.concatenate(sets.samples), np.concatenate(sets.truths))
    return measured + low, measured + high


def _floor(sets: Sets, quick: Callable, rng: np.random.Generator) -> dict:
    """The distance between real scans of different people, and how many volumes were on each side.

    Of the true follow-ups and as many scans of people without a request; where
    there are too few of those, of two halves of the true follow-ups.
    """
    n = len(sets.truths)
    if 1 < n <= len(sets.others):
        value = quick(np.concatenate(sets.truths), np.concatenate(sets.others[:n]))
        return {"floor": value, "n_floor": n, "floor_of": "scans of other people"}
    values, sizes = [], []
    for first, second in _halvings(sets.people, rng):
        values.append(quick(_stacked(sets.truths, first), _stacked(sets.truths, second)))
        sizes.append((len(first) + len(second)) / 2)
    if not values:
        return {"floor": np.nan, "n_floor": None, "floor_of": None}
    size = round(float(np.mean(sizes)))
    return {"floor": float(np.mean(values)), "n_floor": size, "floor_of": "two halves of the people"}


def _halvings(people: list[np.ndarray], rng: np.random.Generator) -> Iterable[tuple[np.ndarray, np.ndarray]]:
    """Random partings of the people in two, as the volumes of each, with two volumes or more on each side."""
    half = len(people) // 2
    for _ in range(HALVINGS if half else 0):
        order = rng.permutation(len(people))
        parts = [
            np.concatenate([people[i] for i in chosen]) for chosen in (order[:half], order[half : 2 * half])
        ]
        if min(map(len, parts)) > 1:
            yield tuple(parts)


def _stacked(rows: Rows, chosen: np.ndarray) -> np.ndarray:
    return np.concatenate([rows[i] for i in chosen])
