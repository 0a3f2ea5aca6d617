"""How much of the change is missed: 0 is none, 1 is what copying scores, more is worse than copying."""

import numpy as np

from brainlapse.evaluate.case import Case

REGION = "brain"


def score(case: Case) -> float:
    """Σ|predicted − true change| / Σ|true change| over the brain, of the smoothed maps.

    Undefined if the truth did not change.
    """
    size = np.abs(case.pair.true_change).sum(dtype=np.float64)
    if size == 0:
        return float("nan")
    return float(np.abs(case.change - case.pair.true_change).sum(dtype=np.float64) / size)
