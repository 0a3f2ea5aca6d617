"""The primary metric: structural similarity inside the brain."""

from brainlapse.evaluate.case import Case

REGION = "brain"


def score(case: Case) -> float:
    """Mean of the SSIM map over the source's brain mask, in [-1, 1]; 1 is identity."""
    return case.ssim.mean(case.pair.brain)
