"""Brightness: the coil's slow shading out, a subject's visits to one scale, the brain into [-1, 1].

Nothing here is fitted across subjects.
"""

import ants
import numpy as np
from scipy.ndimage import binary_erosion

from brainlapse.preprocess.geometry import Image, coarser, cropped, resampled
from brainlapse.preprocess.quarantine import Quarantined
from brainlapse.preprocess.registration import to_ants
from brainlapse.preprocess.shading import shading_between
from brainlapse.volumes import BACKGROUND, FAINTEST

# Voxel size at which the shading is estimated and which of these voxels are used: every second, or every
# third where all is coarse. More would cost ten times as much and change the field by some per cent.
BIAS_MM, SHRINK, HASTY_SHRINK = 4.0, 2, 3
KNOTS_MM = 200.0
# Knots halve with every level. A fourth, at 25 mm, fitted the noise of each visit: between two visits
# it left twice the smooth differences that three levels leave.
ITERATIONS = [50, 50, 30]
FAINT_PART = 0.25  # of the bright end: fluid below it is mostly noise


def without_bias(image: Image, mask: Image, spacing_mm: float) -> Image:
    """The image divided by its bias field, found by N4 inside the mask on a coarse copy.

    N4: Tustison et al. 2010, doi 10.1109/TMI.2010.2046908. Values stay ≥ 0.
    """
    dull = image.like(np.minimum(image.data, np.percentile(image.data, 99.9)))
    small = coarser(dull, max(spacing_mm, BIAS_MM))
    inside = resampled(mask, small.data.shape, small.affine).data > 0.5
    if not inside.any():
        raise Quarantined("no brain found", "the brain mask is empty")
    small, inside = cropped(small, inside, margin=3)
    field = ants.n4_bias_field_correction(
        to_ants(small),
        mask=to_ants(small.like(inside)),
        shrink_factor=SHRINK if spacing_mm < BIAS_MM else HASTY_SHRINK,
        convergence={"iters": ITERATIONS, "tol": 1e-7},
        spline_param=KNOTS_MM,
        return_bias_field=True,
    ).numpy()
    field = np.log(np.clip(field, 0.05, 20))
    field = small.like(field - field[inside].mean())
    field = resampled(field, image.data.shape, image.affine, outside="nearest")
    return image.like(image.data / np.exp(field.data))


def bright_end(brain: np.ndarray) -> float:
    """The value that becomes 1: the 99.5th percentile of the brain's voxels."""
    return float(np.percentile(brain, 99.5))


def gain_to(baseline: np.ndarray, followup: np.ndarray) -> float:
    """Return the factor that brings a follow-up to the baseline's scale, voxel by voxel the same tissue.

    Least squares through the origin; voxels whose misfit is beyond three robust
    standard deviations, the changed and the misaligned, are left out, five times over.
    """
    kept = (baseline > 0) & (followup > 0)
    gain = 1.0
    for _ in range(5):
        first, second = baseline[kept].astype(float), followup[kept].astype(float)
        gain = float(np.sum(first * second) / np.sum(second**2))
        misfit = np.abs(baseline - gain * followup)
        kept = (baseline > 0) & (followup > 0) & (misfit < 3 * 1.4826 * np.median(misfit) + 1e-12)
    return gain


def matched(
    baseline: np.ndarray, followup: np.ndarray, mask: np.ndarray, top: float, spacing_mm: float
) -> np.ndarray:
    """Return the follow-up on the baseline's scale, the shading between the two visits divided out.

    Both arrays (X, Y, Z) lie on one grid. Atrophy is kept, since the shading is
    told apart from edges that moved. A change of brightness without motion
    that is both fainter than the noise and wider than some 20 mm would be lost.
    """
    scaled = followup * gain_to(baseline[mask], followup[mask])
    return scaled / np.exp(shading_between(baseline, scaled, mask, FAINT_PART * top, spacing_mm))


def residual(volume: np.ndarray, baseline: np.ndarray, mask: np.ndarray) -> float:
    """Median absolute difference of two visits well inside the brain: of tissue that did not change.

    Both volumes lie in [-1, 1]. It is the floor under every change that can be seen.
    """
    inside = binary_erosion(mask, iterations=2)
    return float(np.median(np.abs(volume[inside] - baseline[inside]))) if inside.any() else float("nan")


def to_range(values: np.ndarray, mask: np.ndarray, top: float) -> np.ndarray:
    """Map [0, top] to [-1, 1] inside the mask, clipped; the background is exactly -1, the brain never."""
    scaled = np.clip(2 * values / top - 1, FAINTEST, 1)
    return np.where(mask, scaled, BACKGROUND).astype(np.float32)
