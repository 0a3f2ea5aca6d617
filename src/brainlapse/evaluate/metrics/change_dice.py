"""Overlap of the regions that changed and that were foretold to change, loss and gain apart."""

import numpy as np

from brainlapse.evaluate.case import Case

REGION = "brain"


def score(case: Case) -> float:
    """Dice's coefficient of the voxels whose smoothed change passes the threshold, in [0, 1].

    A voxel is in both regions only if its brightness changed and was foretold to change the same way.
    Copying scores 0; undefined if the truth changed nowhere.
    """
    if not case.pair.changed.any():
        return float("nan")
    foretold = np.abs(case.change) > case.pair.change_threshold
    both = case.pair.changed & foretold & (np.sign(case.change) == np.sign(case.pair.true_change))
    return float(2 * both.sum() / (case.pair.changed.sum() + foretold.sum()))
