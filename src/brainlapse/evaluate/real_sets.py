"""Which volumes the distances compare: samples, their true follow-ups, and real scans of other people."""

import numpy as np
import pandas as pd

from brainlapse.evaluate.distances import Sets
from brainlapse.evaluate.scans import Samples, Scans
from brainlapse.evaluate.spaces import Spaces


def sets_of(
    features: pd.DataFrame, samples: Samples, scans: Scans, spaces: Spaces, seed: int
) -> dict[tuple[str, str], Sets]:
    """The sets of each (split, space), from the features of `scoring.score_requests`."""
    found = {}
    for split, part in features.groupby("split"):
        others = [spaces.of_scan(scans.read(scan)[0]) for scan in _others(samples, scans, len(part), seed)]
        for space in spaces.all:
            found[split, space] = Sets(
                subjects=list(part["subject"]),
                samples=[by_space[space] for by_space in part["sample"]],
                truths=[by_space[space] for by_space in part["truth"]],
                others=[by_space[space] for by_space in others],
            )
    return found


def _others(samples: Samples, scans: Scans, wanted: int, seed: int) -> list[str]:
    """As many accepted scans of people without a request, drawn by the seed; none if there are too few."""
    rows = scans.rows[scans.rows["status"] == "accepted"]
    others = sorted(rows.index[~rows["subject"].isin(samples.requests["subject"])])
    if len(others) < wanted:
        return []
    return list(np.random.default_rng(seed).choice(others, wanted, replace=False))
