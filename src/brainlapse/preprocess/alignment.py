"""Where a head lies: first guesses, head → template, brain → template, follow-up → baseline.

All results are (4, 4) matrices from the fixed to the moving image's millimetres.
"""

import numpy as np
from scipy import ndimage
from skimage.filters import threshold_otsu

from brainlapse.preprocess.geometry import Image, coarser, correlation, resampled
from brainlapse.preprocess.registration import Levels, register
from brainlapse.preprocess.template import Template, coarser_template
from brainlapse.volumes import BRAIN_CENTRE_MM

COARSE_MM, FINE_MM = 8.0, 4.0  # voxel sizes at which a whole head is laid on the template
# Pitch in degrees and size relative to the template's large brain, the likeliest first.
STARTS = ((8, 0.92), (8, 0.8), (8, 1.03), (-15, 0.9), (28, 0.9))
GOOD_ENOUGH = 0.47  # correlation in the brain; right starts reach 0.52 to 0.69, wrong ones at most 0.36
HEAD_HEIGHT_MM = 130.0  # from the crown to below the brain
CROWN_TO_CENTRE_MM = 70.0
TEMPLATE_CENTRE_MM = np.array([0.0, -17.0, 12.0])


def head_to_template(head: Image, template: Template, spacing_mm: float) -> np.ndarray:
    """Template → head, affine, for a whole head in any position with up to about 30 degrees of nod.

    Each start is fitted coarsely and finely, to the head first, then to the
    brain and its surroundings alone, which repairs a scalp taken for cortex.
    The first good start is taken, else the best of all.
    """
    clipped = bright_end_cut(head)
    fine_mm = max(spacing_mm, FINE_MM)
    low, fine = coarser(clipped, COARSE_MM), coarser(clipped, fine_mm)
    low_template = coarser_template(template, COARSE_MM)
    template = coarser_template(template, fine_mm)
    centre = head_centre(head)
    best, best_score = None, -np.inf
    for pitch, size in STARTS:
        found = _from_start(centre, pitch, size, low, fine, low_template, template)
        score = brain_correlation(fine, template, found)
        if score > best_score:
            best, best_score = found, score
        if score > GOOD_ENOUGH:
            break
    return best


def brain_to_template(brain: Image, template: Template, start: np.ndarray, spacing_mm: float) -> np.ndarray:
    """Template → stripped brain, 12 degrees of freedom."""
    levels = Levels((60, 40, 10), (4, 2, 1), 0.25)
    return register("Affine", template.brain, coarser(brain, spacing_mm), start, levels)


def brain_start(mask: Image) -> np.ndarray:
    """Template → brain by the centre and size of the brain mask alone."""
    inside = mask.millimetres(np.argwhere(mask.data > 0.5))
    size = (np.ptp(inside, axis=0) / (145, 181, 155)).clip(0.7, 1.3)
    return _placed(inside.min(axis=0) / 2 + inside.max(axis=0) / 2, np.diag(size), np.array(BRAIN_CENTRE_MM))


def followup_to_baseline(
    followup: Image, baseline: Image, baseline_mask: Image, spacing_mm: float
) -> np.ndarray:
    """Baseline → follow-up, rigid: the whole head coarsely, then only in and near the brain.

    Jaw, eyes, neck and scalp move between visits and must not pull at the brain.
    """
    heads = bright_end_cut(followup), bright_end_cut(baseline)
    shift = np.eye(4)
    shift[:3, 3] = head_centre(followup) - head_centre(baseline)
    low = [coarser(head, COARSE_MM) for head in heads]
    found = register("Rigid", low[1], low[0], shift, Levels((60, 30), (2, 1), 0.5))
    moving, fixed = (coarser(head, spacing_mm) for head in heads)
    near = resampled(baseline_mask, fixed.data.shape, fixed.affine).data > 0.5
    near = ndimage.distance_transform_edt(~near) * spacing_mm <= 5
    return register("Rigid", fixed, moving, found, Levels((100, 60), (2, 1), 0.5), near)


def head_centre(head: Image) -> np.ndarray:
    """(3,) millimetres of the middle of the upper head, whatever neck is in the picture."""
    small = coarser(bright_end_cut(head), 4.0)
    bright = ndimage.binary_opening(small.data > 0.6 * threshold_otsu(small.data))
    parts, count = ndimage.label(bright)
    if not count:
        return head.millimetres((np.array(head.data.shape)[None] - 1) / 2)[0]
    largest = parts == 1 + np.argmax(ndimage.sum_labels(bright, parts, range(1, count + 1)))
    points = small.millimetres(np.argwhere(largest))
    crown = np.percentile(points[:, 2], 99.5)
    upper = points[points[:, 2] > crown - HEAD_HEIGHT_MM]
    centre = (upper.min(axis=0) + upper.max(axis=0)) / 2
    centre[2] = crown - CROWN_TO_CENTRE_MM
    return centre


def brain_correlation(head: Image, template: Template, transform: np.ndarray) -> float:
    """Correlation of head and template inside the template's brain."""
    inside = template.mask.data > 0.5
    read = resampled(head, template.brain.data.shape, template.brain.affine, transform)
    return correlation(read.data[inside], template.brain.data[inside])


def bright_end_cut(image: Image) -> Image:
    """Without the few voxels, fat and vessels, that would fill the histogram's range."""
    return image.like(np.minimum(image.data, np.percentile(image.data, 99.5)))


def _from_start(
    centre: np.ndarray,
    pitch: float,
    size: float,
    low: Image,
    fine: Image,
    low_template: Template,
    template: Template,
) -> np.ndarray:
    nod = np.deg2rad(pitch)
    turn = np.eye(3)
    turn[1:, 1:] = [[np.cos(nod), -np.sin(nod)], [np.sin(nod), np.cos(nod)]]
    found = _placed(centre, size * turn, TEMPLATE_CENTRE_MM)
    for kind, levels in (("Rigid", Levels((60, 40), (2, 1), 1.0)), ("Affine", Levels((60,), (1,), 1.0))):
        found = register(kind, low_template.head, low, found, levels, low_template.around)
    for where in (template.near, template.around):
        found = register("Affine", template.head, fine, found, Levels((40, 20), (2, 1)), where)
    return found


def _placed(moving_centre: np.ndarray, linear: np.ndarray, fixed_centre: np.ndarray) -> np.ndarray:
    placed = np.eye(4)
    placed[:3, :3] = linear
    placed[:3, 3] = moving_centre - linear @ fixed_centre
    return placed
