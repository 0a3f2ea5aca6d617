"""The change from source to target, measured from what is usual, inside the source's brain.

Differences between two scans of one person are small, and most of what can be
foretold of them is the same for everybody: ventricles widen, sulci open. How
tissue moves in that is averaged over the training pairs before anything is
learnt, and moves this person's tissue; a network says only how this person differs
from it, in units of how much people usually differ. Or, with `start: source`, it says
the whole change.
"""

from collections.abc import Iterable

import torch
from torch import nn

from brainlapse.models.average_motion import average_motion
from brainlapse.models.batch import Batch
from brainlapse.models.conditions import FACTS
from brainlapse.models.motion import CHANNELS, change_of_moving
from brainlapse.models.pace import Pace, along
from brainlapse.volumes import BACKGROUND

_SMALLEST_SD = 1e-3
STARTS = ("source", "usual", "paced")


class UsualChange(nn.Module):
    """The average person's change on the grid and how far people are from it.

    Buffers: `mean` (1, CHANNELS, X, Y, Z), a displacement in voxels and a change of brightness
    in the units of a volume (motion.py), for one year if `interval` is among the row's
    `conditions`, else for a pair; `sd`, a scalar: the
    root mean square over brain voxels of what is left of a change after the
    expected one. From the source the mean is 0, and the `sd` that of the change itself.
    """

    def __init__(self, shape: tuple[int, int, int], conditions: tuple[str, ...], start: str = "usual"):
        super().__init__()
        self.by_interval, self.start = "interval" in conditions, start
        self.register_buffer("mean", torch.zeros(1, CHANNELS, *shape))
        self.register_buffer("sd", torch.ones(()))
        self.pace = Pace(tuple(name for name in conditions if name in FACTS)) if start == "paced" else None

    def fit(self, batches: Iterable[Batch]) -> None:
        """Fit mean, pace and sd, in this order; the batches are gone through once for each."""
        if self.start != "source":
            self.mean.copy_(average_motion(batches, self._years))
        if self.pace is not None:
            self._fit_pace(batches)
        squares, voxels = 0.0, 0
        for batch in batches:
            left = torch.where(batch.brain, batch.target - self.expected(batch), 0.0)
            squares, voxels = squares + left.double().square().sum().item(), voxels + int(batch.brain.sum())
        self.sd.fill_(max((squares / max(voxels, 1)) ** 0.5, _SMALLEST_SD))

    def _fit_pace(self, batches: Iterable[Batch]) -> None:
        known, seen, years = [], [], []
        for batch in batches:
            years.append(self._years(batch).flatten())
            change = self.of_a_year(batch)
            known.append(self.pace.known_of(batch, change))
            seen.append(along(batch.target - batch.source, batch, change) / years[-1])
        self.pace.fit(torch.cat(known), torch.cat(seen), torch.cat(years))

    def expected(self, batch: Batch, chance: torch.Tensor | None = None) -> torch.Tensor:
        """(B, 1, X, Y, Z): the source after the usual change; it may leave [-1, 1].

        With `chance`, (B,) normal numbers, at drawn paces; that needs `start: paced`.
        """
        years = self._years(batch)
        if self.pace is not None:
            years = years * self.pace(batch, self.of_a_year(batch), chance)[:, None, None, None, None]
        return batch.source + self._after(years, batch)

    def of_a_year(self, batch: Batch) -> torch.Tensor:
        """(B, 1, X, Y, Z): what the usual motion of a year, or of a pair, changes in these people."""
        return self._after(torch.ones_like(self._years(batch)), batch)

    def standardised(self, batch: Batch) -> torch.Tensor:
        """(B, 1, X, Y, Z): (target - expected) / sd in the brain of the source, 0 outside."""
        return torch.where(batch.brain, (batch.target - self.expected(batch)) / self.sd, 0.0)

    def followup(
        self, batch: Batch, change: torch.Tensor, chance: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The volume whose standardised change this is, kept in [-1, 1], background -1.

        With `chance`, (B,) normal numbers, it is measured from drawn paces.
        """
        return in_brain(self.expected(batch, chance) + self.sd * change, batch.brain)

    def within_range(self, batch: Batch, change: torch.Tensor) -> torch.Tensor:
        """The standardised change cut so that the follow-up stays in [-1, 1]; 0 outside the brain."""
        expected = self.expected(batch)
        lowest, highest = (BACKGROUND - expected) / self.sd, (1 - expected) / self.sd
        return torch.minimum(torch.maximum(change, lowest), highest) * batch.brain

    def _after(self, years: torch.Tensor, batch: Batch) -> torch.Tensor:
        displacement_voxels, brightness = years * self.mean[:, :3], years * self.mean[:, 3:]
        return change_of_moving(batch.source, displacement_voxels) + brightness

    def _years(self, batch: Batch) -> torch.Tensor:
        years = batch.interval_years if self.by_interval else torch.ones_like(batch.interval_years)
        return years[:, None, None, None, None]


def in_brain(volume: torch.Tensor, brain: torch.Tensor) -> torch.Tensor:
    """The volume kept in [-1, 1] inside the brain and exactly -1 outside."""
    return torch.where(brain, volume.clamp(BACKGROUND, 1.0), BACKGROUND)


def brain_mean(squares: torch.Tensor, brain: torch.Tensor) -> torch.Tensor:
    """The mean over the brain voxels of the whole batch."""
    return (squares * brain).sum() / brain.sum().clamp(min=1)
