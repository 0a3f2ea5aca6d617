"""Mean absolute error where the brain truly changed: the part that copying the source cannot get right."""

import numpy as np

from brainlapse.evaluate.case import Case

REGION = "changed"


def score(case: Case) -> float:
    """Mean of |truth − sample| where |smoothed true change| is above the threshold; undefined if nowhere."""
    if not case.pair.changed.any():
        return float("nan")
    return float(np.abs(case.error[case.pair.changed]).mean())
