"""A change said as tissue that moves: where each voxel's brightness comes from, and how it alters.

Atrophy moves boundaries. A network that must say the change voxel by voxel has
to learn, for every boundary anew, that the change is the source's gradient times
a displacement; here it says the displacement, which is smooth and alike from
person to person, and a change of brightness for what no displacement explains.
Both are said for one year and grow with the interval, so no time is no change.

To read a scan between its voxels is to blur it, by as much as half, and a blurred
boundary has other volumes than a sharp one. The blur is the same wherever
tissue comes from, there or the opposite way; the difference of the two is motion alone.
"""

import torch
import torch.nn.functional as F

from brainlapse.models.batch import Batch

CHANNELS = 4  # displacement along x, y, z; change of brightness
_VOXELS = 3.0  # of displacement that a network says with a 1: more is learnt sooner, much more unsteadily


def change_by_motion(said: torch.Tensor, batch: Batch, sd: torch.Tensor, scaled: bool) -> torch.Tensor:
    """(B, 1, X, Y, Z) standardised change from what the network said, (B, CHANNELS, X, Y, Z).

    `scaled` says whether that holds for one year and is to be multiplied by the
    interval; a network that is not told the interval says the whole change. It says
    brightness in units of `sd`, how much people usually differ.
    """
    if scaled:
        said = said * batch.interval_years[:, None, None, None, None]
    displacement_voxels, brightness = _VOXELS * said[:, :3], said[:, 3:]
    return (change_of_moving(batch.source, displacement_voxels) / sd + brightness) * batch.brain


def change_of_moving(volume: torch.Tensor, displacement_voxels: torch.Tensor) -> torch.Tensor:
    """(B, 1, X, Y, Z): what it changes that at x stands what stood at x + u(x); without motion exactly 0.

    Half of what moving by u and by -u differ: up to a voxel, the displacement times the central
    difference of the volume (B, 1, X, Y, Z).
    """
    return (moved(volume, displacement_voxels) - moved(volume, -displacement_voxels)) / 2


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
