"""Carrying the brain of a head template into a scan: both heads lie on MNI152 already, SyN does the rest."""

from functools import lru_cache

import numpy as np
from scipy import ndimage

from brainlapse.preprocess.alignment import bright_end_cut, head_to_template
from brainlapse.preprocess.geometry import Image, coarser, cropped, resampled
from brainlapse.preprocess.intensity import without_bias
from brainlapse.preprocess.registration import Levels, register, warped
from brainlapse.preprocess.template import Template

WARP_MM = 4.0  # voxel size of the registrations; 3 mm took three times as long for the same overlap
REACH_MM = 20.0  # how far outside the brain the two heads are compared
AFFINE = Levels((40, 20), (2, 1))
SYN = (20, 10)  # iterations at 8 and at 4 mm


def warped_brain(head: Image, to_head: np.ndarray, template: Template, spacing_mm: float) -> Image:
    """Return the part of each voxel of `head` that the head template's brain fills, on the head's grid.

    `head` has no bias field, and `to_head` takes MNI152 to it. Symmetric
    normalisation: Avants et al. 2008, doi 10.1016/j.media.2007.06.004.
    """
    own_head, to_own = _laid_on_mni(template, spacing_mm)
    start = to_own @ np.linalg.inv(to_head)
    fixed, moving = (bright_end_cut(coarser(image, WARP_MM)) for image in (head, own_head))
    rough = resampled(template.own.brain, fixed.data.shape, fixed.affine, start).data > 0.5
    near = ndimage.distance_transform_edt(~rough) * WARP_MM <= REACH_MM
    fixed, near = cropped(fixed, near, margin=1)
    start = register("Affine", fixed, moving, start, AFFINE, near)
    carried = warped(fixed, moving, template.own.brain, start, SYN, near)
    return resampled(carried, head.data.shape, head.affine)


@lru_cache(maxsize=1)
def _laid_on_mni(template: Template, spacing_mm: float) -> tuple[Image, np.ndarray]:
    """The head template without bias field, and the affine from MNI152 to it: the same for all scans."""
    to_own = head_to_template(template.own.head, template, spacing_mm)
    return without_bias(template.own.head, template.own.brain, spacing_mm), to_own
