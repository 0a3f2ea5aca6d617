"""How much the draws of one request differ: a model that ignores its noise has none."""

import numpy as np


class Variety:
    """Takes draws (X, Y, Z) one at a time, so that memory does not grow with their number."""

    def __init__(self):
        self.count, self._mean, self._squares = 0, 0.0, 0.0

    def add(self, draw: np.ndarray) -> None:
        """Take one draw (Welford 1962, the running sum of squares about the mean)."""
        self.count += 1
        off = draw - self._mean
        self._mean = self._mean + off / self.count
        self._squares = self._squares + off * (draw - self._mean)

    def spread(self, brain: np.ndarray) -> float:
        """Root mean square over the brain's voxels of their standard deviation over the draws.

        In the draws' own units; the variance is the unbiased one. NaN for fewer than two draws.
        """
        if self.count < 2:
            return float("nan")
        return float(np.sqrt((self._squares[brain] / (self.count - 1)).mean()))
