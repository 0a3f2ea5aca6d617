"""The motion that the tissue of all people has in common, by least squares over pairs of scans.

Where boundaries lie differs from person to person by more than they move in years, so an
average of people's changes, voxel by voxel, is a blur that is nowhere as strong as each of them.
What they share is how tissue moves there: the average is over motions, and each person's own
gradient makes a change of it. For small motions that is linear,

    x - S = years · (gradient of S · u + b),

so displacement u and change of brightness b are found voxel by voxel from 4 normal equations: the
optical flow of Lucas and Kanade (1981), with people and a small neighbourhood in the place of a window.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable

import torch
from monai.networks.layers import GaussianFilter

from brainlapse.models.batch import Batch
from brainlapse.models.motion import CHANNELS

# The neighbourhood's standard deviation: people are not aligned to a voxel, and motion is smooth. On phantoms
# and real heads with known rates 0.5 to 0.7 foretold the test people best, 1 a little worse.
_WINDOW_VOXELS = 0.7
# As if pairs of so many squared years had shown no change (no displacement of a gradient of 1 a voxel):
# a voxel that few brains have, or without a boundary, stays still.
_STILL = (1.0, 1.0, 1.0, 10.0)
# Of the columns, of which the last is the change: what the normal equations are made of, each once.
_PRODUCTS = [(i, j) for i in range(CHANNELS) for j in range(i, CHANNELS + 1)]


def average_motion(batches: Iterable[Batch], years: Callable[[Batch], torch.Tensor]) -> torch.Tensor:
    """(1, CHANNELS, X, Y, Z): displacement in voxels along each axis, and change of brightness, a year.

    `years` says for a batch over how many, (B, 1, 1, 1, 1). Only brains count.
    """
    products = defaultdict(float)
    for batch in batches:
        change = torch.where(batch.brain, batch.target - batch.source, 0.0)
        columns = torch.cat([years(batch) * _columns(batch), change], dim=1).double()
        for i, j in _PRODUCTS:
            products[i, j] += torch.einsum("bxyz,bxyz->xyz", columns[:, i], columns[:, j])
    pooled = GaussianFilter(3, _WINDOW_VOXELS)
    for place, product in products.items():
        products[place] = pooled(product[None, None])[0, 0]
    # Plane by plane: the matrices of a whole volume would take gigabytes.
    planes = [_solved(products, plane) for plane in range(len(products[0, 0]))]
    return torch.stack(planes, dim=1)[None].float()


def _solved(products: dict[tuple[int, int], torch.Tensor], plane: int) -> torch.Tensor:
    """(CHANNELS, Y, Z) of a plane of the volume."""
    rows = [[products[min(i, j), max(i, j)][plane] for j in range(CHANNELS + 1)] for i in range(CHANNELS)]
    equations = torch.stack([torch.stack(row) for row in rows]).permute(2, 3, 0, 1)
    information = equations[..., :CHANNELS] + torch.tensor(_STILL).double().diag()
    return torch.linalg.solve(information, equations[..., CHANNELS]).movedim(-1, 0)


def _columns(batch: Batch) -> torch.Tensor:
    """(B, CHANNELS, X, Y, Z): what a unit of each channel would change in the brains."""
    gradient = torch.gradient(batch.source, dim=(2, 3, 4))
    return torch.cat([*gradient, torch.ones_like(batch.source)], dim=1) * batch.brain
