"""What a metric is given: the scan started from, the true follow-up, the sample, and the brain."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage
from skimage.metrics import structural_similarity

CHANGE_SMOOTHING_VOXELS = 1.0


@dataclass(frozen=True)
class Case:
    """Four arrays (X, Y, Z) of one shape: intensities on [0, 1], background 0, and a boolean brain mask.

    `brain` is the source's brain mask, so it is the same for every model.
    `change_threshold` is the least smoothed change, as a part of [0, 1], that
    counts as changed. Maps that several metrics need are made once, when first
    asked for.
    """

    source: np.ndarray
    truth: np.ndarray
    sample: np.ndarray
    brain: np.ndarray
    change_threshold: float = 0.05

    @cached_property
    def ssim(self) -> tuple[float, np.ndarray]:
        """SSIM (Wang et al. 2004, eq. 13): mean over all full windows, and its map (X, Y, Z).

        Gaussian window of 11 voxels, σ 1.5, data range 1, population covariance.
        """
        return structural_similarity(
            self.truth, self.sample, data_range=1.0, gaussian_weights=True, sigma=1.5,
            use_sample_covariance=False, full=True,
        )  # fmt: skip

    @cached_property
    def true_change(self) -> np.ndarray:
        """truth − source, smoothed: what happened."""
        return smoothed(self.truth - self.source)

    @cached_property
    def change(self) -> np.ndarray:
        """sample − source, smoothed in the same way: what was foretold."""
        return smoothed(self.sample - self.source)

    @cached_property
    def changed(self) -> np.ndarray:
        """Boolean (X, Y, Z): where in the brain the truth differs from the source by more than noise does."""
        return self.brain & (np.abs(self.true_change) > self.change_threshold)


def smoothed(difference: np.ndarray) -> np.ndarray:
    """Gaussian of one voxel: takes away most of the scanner's noise, which is no change of the brain."""
    return ndimage.gaussian_filter(difference, CHANGE_SMOOTHING_VOXELS)
