"""Peak signal-to-noise ratio inside the brain."""

import numpy as np

from brainlapse.evaluate.case import Case

REGION = "brain"


def score(case: Case) -> float:
    """10·log10(1 / mean squared error) in decibels; undefined for an exact copy, which has no error."""
    error = np.mean(case.error**2)
    return float(-10 * np.log10(error)) if error > 0 else float("nan")
