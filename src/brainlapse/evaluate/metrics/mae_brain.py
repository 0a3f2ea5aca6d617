"""Mean absolute error inside the brain."""

import numpy as np

from brainlapse.evaluate.case import Case

REGION = "brain"


def score(case: Case) -> float:
    """Mean of |truth − sample| over the brain, in intensity on [0, 1]; 0 is identity."""
    return float(np.abs(case.error).mean())
