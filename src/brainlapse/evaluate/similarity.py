"""Structural similarity (Wang et al. 2004), of whole volumes, of a part, and over several scales.

Window 11 voxels, Gaussian with σ 1.5, data range 1, population covariance. A
mean over "the volume" is one over all windows that lie in it whole, as
scikit-image and MONAI have it. Where both volumes are empty the similarity is
exactly 1, so only the box around what is there is computed.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from brainlapse.evaluate.windows import RADIUS, WINDOW, Box, gaussian, whole_box

C1, C2 = 0.01**2, 0.03**2
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the scales, fine to coarse (Wang et al. 2003)


class Windowed:
    """A volume (X, Y, Z) on [0, 1] that is empty outside `box`, and what its windows hold."""

    def __init__(self, volume: np.ndarray, box: Box):
        self.shape, self.box = volume.shape, box
        self.inside = np.ascontiguousarray(volume[box], dtype=np.float32)

    @cached_property
    def mean(self) -> np.ndarray:
        """Mean of each window."""
        return gaussian(self.inside)

    @cached_property
    def variance(self) -> np.ndarray:
        """Variance of each window."""
        return gaussian(self.inside * self.inside) - self.mean * self.mean

    @cached_property
    def halved(self) -> "Windowed":
        """The volume, whole, at half the resolution: means of 2 × 2 × 2 voxels, an odd last one left out.

        Its windows reach twice as far, so it is given no box. The box must start at even voxels.
        """
        volume = np.zeros([size // 2 for size in self.shape], dtype=np.float32)
        smaller = self.inside
        for axis in range(3):  # an axis at a time: quicker than one mean over blocks
            even = smaller.shape[axis] // 2 * 2
            pairs = np.moveaxis(smaller, axis, 0)[:even]
            smaller = np.moveaxis(0.5 * (pairs[0::2] + pairs[1::2]), 0, axis)
        corner = [part.start // 2 for part in self.box]
        volume[tuple(slice(at, at + n) for at, n in zip(corner, smaller.shape, strict=True))] = smaller
        return Windowed(volume, whole_box(volume))


@dataclass(frozen=True)
class Similarity:
    """The maps of two volumes, within their box: luminance, and contrast with structure."""

    luminance: np.ndarray
    contrast: np.ndarray
    box: Box
    shape: tuple[int, int, int]

    @cached_property
    def ssim(self) -> np.ndarray:
        """The map of SSIM within the box (eq. 13)."""
        return self.luminance * self.contrast

    def mean(self, part: np.ndarray) -> float:
        """Mean SSIM over the True voxels of `part` (X, Y, Z), which must lie in the box."""
        return float(self.ssim[part[self.box]].mean(dtype=np.float64))

    def mean_of_volume(self, of: np.ndarray | None = None) -> float:
        """Mean of a map, if none is named of SSIM, over all windows that lie whole in the volume.

        NaN if the volume is smaller than a window.
        """
        of = self.ssim if of is None else of
        whole = np.prod([max(0, size - 2 * RADIUS) for size in self.shape])
        if not whole:
            return float("nan")
        inner = of[tuple(
            slice(max(0, RADIUS - part.start), min(part.stop, size - RADIUS) - part.start)
            for part, size in zip(self.box, self.shape, strict=True)
        )]  # fmt: skip
        return float((inner.sum(dtype=np.float64) + (whole - inner.size)) / whole)


def similarity(truth: Windowed, sample: Windowed) -> Similarity:
    """The maps of two volumes with the same box."""
    covariance = gaussian(truth.inside * sample.inside) - truth.mean * sample.mean
    means = truth.mean * truth.mean + sample.mean * sample.mean
    luminance = (2 * truth.mean * sample.mean + C1) / (means + C1)
    contrast = (2 * covariance + C2) / (truth.variance + sample.variance + C2)
    return Similarity(luminance, contrast, truth.box, truth.shape)


def multiscale(truth: Windowed, sample: Windowed, finest: Similarity) -> float:
    """MS-SSIM (Wang et al. 2003, eq. 7) of two volumes whose `similarity` at full resolution is `finest`.

    Over as many of the five scales as a window fits into, the weights scaled to
    sum to 1; a negative mean counts as 0. NaN if it fits into none.
    """
    scales = sum(min(truth.shape) // 2**scale >= WINDOW for scale in range(len(WEIGHTS)))
    weights = np.array(WEIGHTS[:scales]) / sum(WEIGHTS[:scales]) if scales else []
    product, found = 1.0 if scales else float("nan"), finest
    for scale, weight in enumerate(weights, start=1):
        last = scale == scales
        product *= max(0.0, found.mean_of_volume(None if last else found.contrast)) ** weight
        if not last:
            truth, sample = truth.halved, sample.halved
            found = similarity(truth, sample)
    return float(product)
