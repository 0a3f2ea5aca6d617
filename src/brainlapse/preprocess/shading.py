"""What two visits' coils shaded differently, told apart from what the brain lost.

The logarithm of the two scans' ratio, smoothed, would be the difference of the
shadings (Lewis and Fox 2004, doi 10.1016/j.neuroimage.2004.07.007), if nothing
else were smooth. But where the cortex thins, all sulci of a lobe get darker,
and smoothing takes that for shading: nearly half of a brain's shrinking was
lost. So two maps are fitted together: a shading, which darkens all tissue
alike, and a drift of the edges, which darkens where the brightness has a slope.
"""

import numpy as np
from numpy.polynomial.polynomial import polygrid3d, polyvander3d
from scipy.ndimage import affine_transform, gaussian_filter, gaussian_gradient_magnitude

from brainlapse.preprocess.refinement import robust_least_squares

EDGE_MM = 1.5  # Gaussian sigma under which the slope of the brightness is taken
DEGREE, DRIFT_DEGREE = 4, 2  # of the polynomials over the whole brain
WIDTHS_MM = (15.0, 10.0, 7.0)  # Gaussian sigmas of what the polynomials leave
# Per cent of the tissue's voxels, the flattest: for the polynomials, which reach everywhere from the white
# matter, and for the Gaussians, which need some near by. The steepest voxels darken less than in proportion.
FLAT_PERCENT, GENTLE_PERCENT = 30, 88
BLOCK_MM = 3.0  # voxels are taken in blocks of about this size: all that is sought is wider
SPARSE, FAINT_SLOPE = 0.01, 0.03  # part of a block, and slope per mm, at which nothing is known
LARGEST = np.log(4.0)  # far from the brain the polynomials would run away


def shading_between(
    baseline: np.ndarray, followup: np.ndarray, mask: np.ndarray, faint: float, spacing_mm: float
) -> np.ndarray:
    """Return the smooth log ratio follow-up / baseline on every voxel, as if no tissue had moved.

    Both arrays (X, Y, Z) are on one brightness scale; what is fainter than
    `faint` does not count. What still deviates by three robust standard
    deviations is left out of the local part.
    """
    middle = (baseline + followup) / 2  # neither visit alone decides which voxels count
    inside = mask & (middle > faint) & (np.minimum(baseline, followup) > 0)
    if not inside.any():
        return np.zeros(mask.shape, np.float32)
    slope = gaussian_gradient_magnitude(middle, EDGE_MM / spacing_mm) / spacing_mm
    slope /= np.maximum(middle, faint)  # relative, per mm
    flat, gentle = np.percentile(slope[inside], (FLAT_PERCENT, GENTLE_PERCENT))
    ratio = np.log(np.where(inside, followup, 1) / np.where(inside, baseline, 1))
    block = max(1, round(BLOCK_MM / spacing_mm))
    shading, drift = _over_the_brain(ratio, slope, inside & (slope <= flat), block)
    rest = ratio - shading - slope * drift
    shading += _around_each_place(rest, slope, inside & (slope <= gentle), block, spacing_mm)
    return np.clip(shading, -LARGEST, LARGEST)


def _over_the_brain(
    ratio: np.ndarray, slope: np.ndarray, inside: np.ndarray, every: int
) -> tuple[np.ndarray, np.ndarray]:
    """Polynomials of shading and drift; unlike an average they do not sag at the brain's rim."""
    axes = [np.linspace(-1, 1, length) for length in ratio.shape]
    places = tuple(np.argwhere(inside[::every, ::every, ::every]).T * every)
    at = [axis[place] for axis, place in zip(axes, places, strict=True)]
    of_shading, of_drift = (
        polyvander3d(*at, [degree] * 3)[:, _up_to(degree).ravel()] for degree in (DEGREE, DRIFT_DEGREE)
    )
    effects = np.hstack([of_shading, of_drift * slope[places][:, None]])
    found = robust_least_squares(effects, ratio[places].astype(float))
    shading, drift = np.split(found, [of_shading.shape[1]])
    return _polynomial(shading, DEGREE, axes), _polynomial(drift, DRIFT_DEGREE, axes)


def _up_to(degree: int) -> np.ndarray:
    """Which powers of x, y and z are of this total degree or less."""
    return np.indices([degree + 1] * 3).sum(axis=0) <= degree


def _polynomial(found: np.ndarray, degree: int, axes: list[np.ndarray]) -> np.ndarray:
    coefficients = np.zeros([degree + 1] * 3)
    coefficients[_up_to(degree)] = found
    return polygrid3d(*axes, coefficients).astype(np.float32)


def _around_each_place(
    ratio: np.ndarray, slope: np.ndarray, inside: np.ndarray, block: int, spacing_mm: float
) -> np.ndarray:
    """The shading, ever finer, from the voxels around each place."""
    shading = drift = np.zeros_like(_block_sums(inside, block))
    for width_mm in WIDTHS_MM:
        rest = ratio - _on_voxels(shading, block, ratio.shape)
        rest -= slope * _on_voxels(drift, block, ratio.shape)
        misfit = np.abs(rest - np.median(rest[inside]))
        kept = inside & (misfit <= 3 * 1.4826 * np.median(misfit[inside]))
        more = _local_line(slope, rest, kept, block, width_mm / spacing_mm / block)
        shading, drift = shading + more[0], drift + more[1]
    return _on_voxels(shading, block, ratio.shape)


def _local_line(
    slope: np.ndarray, rest: np.ndarray, kept: np.ndarray, block: int, width: float
) -> tuple[np.ndarray, np.ndarray]:
    """The line `rest` over `slope` around each block, by Gaussian weights: its height at 0, its steepness."""
    terms = (kept, kept * slope, kept * slope**2, kept * rest, kept * slope * rest)
    count, x, xx, y, xy = (gaussian_filter(_block_sums(term, block), width) for term in terms)
    count = count + SPARSE * block**3  # where little is known the line falls to 0
    xx = xx + SPARSE * block**3 * FAINT_SLOPE**2
    spread = np.maximum(count * xx - x**2, 1e-3 * count * xx)
    return (xx * y - x * xy) / spread, (count * xy - x * y) / spread


def _block_sums(values: np.ndarray, block: int) -> np.ndarray:
    """Sums over cubes of `block` voxels a side, the last ones filled up with zeros."""
    counts = [-(-length // block) for length in values.shape]
    widths = [(0, count * block - length) for count, length in zip(counts, values.shape, strict=True)]
    padded = np.pad(values.astype(np.float32), widths)
    cubes = padded.reshape(counts[0], block, counts[1], block, counts[2], block)
    return cubes.sum(axis=(1, 3, 5))


def _on_voxels(sums: np.ndarray, block: int, shape: tuple[int, ...]) -> np.ndarray:
    """A map on the blocks, read linearly at the centres of the voxels."""
    offset = np.full(3, (1 - block) / (2 * block))
    return affine_transform(sums, np.eye(3) / block, offset, shape, order=1, mode="nearest")
