"""Whether the change is foretold in the right places and with the right sign.

Both maps hold the source's noise with the same sign. A sample that did nothing
but remove it would score up to √½ where nothing else changed, and next to
nothing where the change stands well above the smoothed noise: read it beside
mae_changed, which such a sample cannot lower much. Copying scores 0 by definition.
"""

import numpy as np

from brainlapse.evaluate.case import Case

REGION = "brain"


def score(case: Case) -> float:
    """Pearson correlation over the brain of the smoothed predicted and true change maps, in [-1, 1].

    0 for a prediction of no change; undefined if the truth did not change.
    """
    true, predicted = case.pair.true_change, case.change
    if np.ptp(true) == 0:
        return float("nan")
    if np.ptp(predicted) == 0:
        return 0.0
    return float(np.corrcoef(true, predicted)[0, 1])
