"""The change from source to target, in units of its standard deviation, inside the source's brain.

Differences between two scans of one person are small; a network that starts at
"no change" and predicts in units of what is usual needs to learn only what is left.
"""

from collections.abc import Iterable

import torch

from brainlapse.models.batch import Batch
from brainlapse.volumes import BACKGROUND


def change_of(batch: Batch, change_sd: torch.Tensor) -> torch.Tensor:
    """(B, 1, X, Y, Z): (target - source) / change_sd in the brain of the source, 0 outside."""
    return torch.where(batch.brain, (batch.target - batch.source) / change_sd, 0.0)


def with_change(batch: Batch, change: torch.Tensor, change_sd: torch.Tensor) -> torch.Tensor:
    """The source after a change: the inverse of `change_of`, kept in [-1, 1], background -1."""
    return in_brain(batch.source + change_sd * change, batch.brain)


def in_brain(volume: torch.Tensor, brain: torch.Tensor) -> torch.Tensor:
    """The volume kept in [-1, 1] inside the brain and exactly -1 outside."""
    return torch.where(brain, volume.clamp(BACKGROUND, 1.0), BACKGROUND)


def brain_mean(squares: torch.Tensor, brain: torch.Tensor) -> torch.Tensor:
    """The mean over the brain voxels of the whole batch."""
    return (squares * brain).sum() / brain.sum().clamp(min=1)


def fitted_change_sd(batches: Iterable[Batch]) -> torch.Tensor:
    """The root mean square, over the brain voxels of all batches, of target - source: a scalar.

    It is about 0, not about the mean change, so that "no change" stays 0.
    """
    squares, voxels = 0.0, 0
    one = torch.ones(())
    for batch in batches:
        squares += change_of(batch, one.to(batch.source.device)).double().square().sum().item()
        voxels += int(batch.brain.sum())
    return torch.tensor(max((squares / max(voxels, 1)) ** 0.5, 1e-3), dtype=torch.float32)
