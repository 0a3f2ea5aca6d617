"""Whether what truly changed is foretold to change in the right direction, however little."""

import numpy as np

from brainlapse.evaluate.case import Case

REGION = "changed"


def score(case: Case) -> float:
    """Share of the truly changed voxels whose predicted change has the sign of the true one, in [0, 1].

    Guessing scores ½ and copying, which says no sign, 0; undefined if the truth changed nowhere.
    """
    if not case.pair.changed.any():
        return float("nan")
    agrees = np.sign(case.change) == np.sign(case.pair.true_change)
    return float(agrees[case.pair.changed].mean())
