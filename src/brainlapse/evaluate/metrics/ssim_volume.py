"""Structural similarity of the whole box, as most papers report it.

Mostly a detector of background: an empty volume scores high, and a little noise
outside the head costs half. Never the primary metric.
"""

from brainlapse.evaluate.case import Case

REGION = "volume"


def score(case: Case) -> float:
    """Mean SSIM over all full windows of the box, in [-1, 1]; 1 is identity."""
    return case.ssim.mean_of_volume()
