"""A change said as tissue that moves: where each voxel's brightness comes from, and how it alters.

Atrophy moves boundaries. A network that must say the change voxel by voxel has
to learn, for every boundary anew, that the change is the source's gradient times
a displacement; here it says the displacement, which is smooth and alike from
person to person, and a change of brightness for what no displacement explains.
Both are said for one year and grow with the interval, so no time is no change.
"""

import torch
import torch.nn.functional as F

from brainlapse.models.batch import Batch

CHANNELS = 4  # displacement along x, y, z; brightness in standard deviations of the usual change
_VOXELS = 3.0  # of displacement that a network says with a 1: more is learnt sooner, much more unsteadily


def change_by_motion(said: torch.Tensor, batch: Batch, sd: torch.Tensor, scaled: bool) -> torch.Tensor:
    """(B, 1, X, Y, Z) standardised change from what the network said, (B, CHANNELS, X, Y, Z).

    `scaled` says whether that holds for one year and is to be multiplied by the
    interval; a network that is not told the interval says the whole change.
    """
    if scaled:
        said = said * batch.interval_years[:, None, None, None, None]
    displacement_voxels, brightness = _VOXELS * said[:, :3], said[:, 3:]
    motion = moved(batch.source, displacement_voxels) - batch.source
    return (motion / sd + brightness) * batch.brain


def moved(volume: torch.Tensor, displacement_voxels: torch.Tensor) -> torch.Tensor:
    """The volume at x + u(x), linear between voxels; beyond the edge, the edge.

    Takes (B, 1, X, Y, Z) and u (B, 3, X, Y, Z).
    """
    sides = volume.shape[2:]
    axes = [torch.arange(side, device=volume.device, dtype=volume.dtype) for side in sides]
    points = torch.stack(torch.meshgrid(*axes, indexing="ij")) + displacement_voxels
    # grid_sample wants -1 and 1 at the first and last voxel, and the last axis first.
    scaled = [2 * points[:, i] / max(side - 1, 1) - 1 for i, side in enumerate(sides)]
    grid = torch.stack(scaled[::-1], dim=-1)
    return F.grid_sample(volume, grid, mode="bilinear", padding_mode="border", align_corners=True)
