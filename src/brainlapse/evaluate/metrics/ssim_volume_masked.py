"""Structural similarity of the whole box once both volumes are emptied outside the source's brain.

What papers report that mask their samples: the background agrees by construction and lifts every score.
"""

from brainlapse.evaluate.case import Case

REGION = "volume"


def score(case: Case) -> float:
    """Mean SSIM over all full windows of the box, in [-1, 1]; 1 is identity inside the brain."""
    return case.ssim_masked.mean_of_volume()
