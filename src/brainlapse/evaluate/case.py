"""What a metric is given: the scan started from, the true follow-up, the sample, and the brain.

What several metrics need is made once, when first asked for: for a pair of
scans once for all of its samples, for a sample once for all metrics.
"""

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

from brainlapse.evaluate.similarity import Similarity, Windowed, multiscale, similarity
from brainlapse.evaluate.windows import RADIUS, Box, box_around, gaussian, whole_box

CHANGE_SMOOTHING_VOXELS = 1.0
_SMOOTHING_RADIUS = 4  # voxels, at which the smoothing is cut off
_MARGIN = max(RADIUS, _SMOOTHING_RADIUS)


class Pair:
    """A source scan and its true follow-up: two arrays (X, Y, Z) on [0, 1], background 0, and a brain mask.

    `brain` is the source's brain mask, so it is the same for every sample.
    `change_threshold` is the least smoothed change, as a part of [0, 1], that
    counts as changed.
    """

    def __init__(
        self, source: np.ndarray, truth: np.ndarray, brain: np.ndarray, change_threshold: float = 0.05
    ):
        self.source, self.truth, self.brain, self.change_threshold = source, truth, brain, change_threshold

    @cached_property
    def box(self) -> Box:
        """Outside of it both scans are empty, so far that no window reaches in; starts at even voxels."""
        filled = (self.source != 0) | (self.truth != 0) | self.brain
        return box_around(filled, _MARGIN, multiple=2)

    @cached_property
    def brain_in_box(self) -> np.ndarray:
        """The brain's voxels of what lies in the box."""
        return self.brain[self.box]

    @cached_property
    def true_change(self) -> np.ndarray:
        """truth − source in the brain, smoothed: (voxels,), what happened."""
        return self.change_to(self.truth)

    @cached_property
    def changed(self) -> np.ndarray:
        """(voxels of the brain,) boolean: where truth and source differ by more than noise does."""
        return np.abs(self.true_change) > self.change_threshold

    def change_to(self, volume: np.ndarray) -> np.ndarray:
        """volume (X, Y, Z) − source in the brain, smoothed by one voxel: (voxels of the brain,).

        Scanner noise, which is no change, mostly goes.
        """
        difference = volume[self.box] - self.source[self.box]
        return gaussian(difference, CHANGE_SMOOTHING_VOXELS, _SMOOTHING_RADIUS)[self.brain_in_box]

    @cached_property
    def masked(self) -> bool:
        """Whether the truth is empty outside the source's brain, as preprocessing leaves it."""
        return not self.truth[~self.brain].any()

    @cache  # noqa: B019 - a pair lives as long as its request
    def windowed(self, masked: bool, whole: bool) -> Windowed:
        """The truth, or what of it lies in the source's brain; in the box or the whole volume."""
        volume = np.where(self.brain, self.truth, 0) if masked else self.truth
        return Windowed(volume, whole_box(volume) if whole else self.box)


@dataclass(frozen=True)
class Case:
    """A pair and one sample (X, Y, Z) on [0, 1] of its follow-up."""

    pair: Pair
    sample: np.ndarray

    @cached_property
    def error(self) -> np.ndarray:
        """(voxels of the brain,) sample − truth."""
        return self.sample[self.pair.brain] - self.pair.truth[self.pair.brain]

    @cached_property
    def change(self) -> np.ndarray:
        """(voxels of the brain,) sample − source, smoothed like it: what was foretold."""
        return self.pair.change_to(self.sample)

    @cached_property
    def ssim(self) -> Similarity:
        """SSIM of the volumes as they are."""
        return similarity(self.pair.windowed(masked=False, whole=self._spills), self._windowed)

    @cached_property
    def ssim_masked(self) -> Similarity:
        """SSIM with both volumes emptied outside the source's brain."""
        return self.ssim if self._masked else similarity(*self._both_masked)

    @cached_property
    def ms_ssim_masked(self) -> float:
        """MS-SSIM of the same."""
        return multiscale(*self._both_masked, self.ssim_masked)

    @cached_property
    def _in_box(self) -> Windowed:
        return Windowed(self.sample, self.pair.box)

    @cached_property
    def _spills(self) -> bool:
        """Whether the sample has something outside the pair's box."""
        return np.count_nonzero(self.sample) > np.count_nonzero(self._in_box.inside)

    @cached_property
    def _windowed(self) -> Windowed:
        return Windowed(self.sample, whole_box(self.sample)) if self._spills else self._in_box

    @cached_property
    def _masked(self) -> bool:
        """Whether both volumes are empty outside the source's brain as they are."""
        outside = np.count_nonzero(self.sample) > np.count_nonzero(self.sample[self.pair.brain])
        return self.pair.masked and not outside

    @cached_property
    def _both_masked(self) -> tuple[Windowed, Windowed]:
        """Truth and sample, emptied outside the source's brain."""
        truth = self.pair.windowed(masked=not self.pair.masked, whole=False)
        if self._masked:
            return truth, self._windowed
        return truth, Windowed(np.where(self.pair.brain, self.sample, 0), self.pair.box)
