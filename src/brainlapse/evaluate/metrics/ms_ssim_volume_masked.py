"""Structural similarity over several scales, of the whole box emptied outside the source's brain."""

from brainlapse.evaluate.case import Case

REGION = "volume"


def score(case: Case) -> float:
    """MS-SSIM (Wang et al. 2003) in [0, 1], 1 is identity; undefined on a grid smaller than a window.

    A grid of 128 voxels has four of the five published scales, the demo's of 40 two; their weights are
    scaled to sum to 1, so values of different grids cannot be compared.
    """
    return case.ms_ssim_masked
