"""The slices on a person's page: the source, what is predicted after so many years, and what came true."""

import numpy as np

from brainlapse.report.pictures import PLANES, box_of, change_between, slice_of
from brainlapse.report.pixels import change_levels, change_picture, grey_levels, grey_picture

CHANGE_LIMIT = 0.1  # of the intensity range: where the scale of all these pages ends, whoever the person is
SHOWN = ("axial", "coronal")
_REACH = 4  # voxels: as far as smoothing by one voxel looks


class Slices:
    """Slices through the middle of a person's brain, where the ventricles are, of any volume on its grid.

    `source` is (X, Y, Z) in [-1, 1], `brain` its mask.
    """

    def __init__(self, source: np.ndarray, brain: np.ndarray):
        self.source, self.brain, self.box = source, brain, box_of(brain)
        self.centre = tuple((part.start + part.stop) // 2 for part in self.box)

    def column(self, title: str, volume: np.ndarray | None = None) -> dict:
        """`title`, and a picture of each plane of a volume, each with its change; without one the source."""
        planes = [
            {
                "plane": plane,
                "image": grey_picture(self._slice(grey_levels(self._shown(volume)), plane)),
                "change": None if volume is None else self._change(volume, plane),
            }
            for plane in SHOWN
        ]
        return {"title": title, "planes": planes}

    def _shown(self, volume: np.ndarray | None) -> np.ndarray:
        return self.source if volume is None else volume

    def _change(self, volume: np.ndarray, plane: str) -> str:
        axis = 2 - PLANES.index(plane)
        first = max(self.centre[axis] - _REACH, 0)
        slab = tuple(
            slice(first, self.centre[axis] + _REACH + 1) if n == axis else slice(None) for n in range(3)
        )
        change = change_between(volume[slab], self.source[slab], self.brain[slab])
        centre = tuple(at - first if n == axis else at for n, at in enumerate(self.centre))
        return change_picture(change_levels(self._slice(change, plane, centre), CHANGE_LIMIT))

    def _slice(self, volume: np.ndarray, plane: str, centre: tuple[int, ...] | None = None) -> np.ndarray:
        """(rows, columns), the first row on top."""
        return slice_of(volume, plane, centre or self.centre, self.box)[::-1]
