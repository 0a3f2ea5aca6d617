"""What people's motions have in common is found, and makes the change of a brain that was not there."""

import torch
from monai.networks.layers import GaussianFilter
from scipy import ndimage

from brainlapse.models.average_motion import average_motion
from brainlapse.models.batch import Batch

SHAPE = (20, 24, 22)
SPREAD = 0.05  # voxels a year, along the first axis, from the middle outwards


def brain(seed):
    """A brain of its own anatomy: structures of some voxels, nowhere where the others have theirs."""
    noise = torch.randn(1, 1, *SHAPE, generator=torch.Generator().manual_seed(seed))
    return (4 * GaussianFilter(3, 1.5)(noise)).clamp(-0.9, 0.9)


def widened(volume, years):
    """The middle spreads: what stands at x stood nearer to the middle. As scipy reads between voxels."""
    points = list(torch.meshgrid(*[torch.arange(side).float() for side in SHAPE], indexing="ij"))
    points[0] = points[0] + years * displacement()[0]
    read = ndimage.map_coordinates(volume[0, 0].numpy(), torch.stack(points).numpy(), order=3, mode="nearest")
    return torch.from_numpy(read)[None, None]


def displacement():
    """(3, X, Y, Z) voxels a year."""
    along = torch.linspace(1, -1, SHAPE[0])[:, None, None].expand(SHAPE)
    return torch.stack([SPREAD * along, torch.zeros(SHAPE), torch.zeros(SHAPE)])


def person(seed, years=3.0):
    source = brain(seed)
    return Batch(source, torch.tensor([years]), widened(source, years))


def years_of(batch):
    return batch.interval_years[:, None, None, None, None]


def test_a_motion_that_all_share_is_found():
    found = average_motion([person(seed) for seed in range(30)], years_of)[0]
    inner = (slice(None), *[slice(3, -3)] * 3)
    off = (found[:3] - displacement())[inner].square().mean().sqrt()
    assert off < 0.15 * displacement()[inner].square().mean().sqrt()
    assert found[3][inner[1:]].abs().max() < 0.01


def test_it_foretells_the_change_of_another_anatomy_and_an_average_change_does_not():
    people, other = [person(seed) for seed in range(30)], person(99)
    motion = average_motion(people, years_of)
    gradient = torch.stack(torch.gradient(other.source[0, 0]))
    by_motion = 3 * ((gradient * motion[0, :3]).sum(dim=0) + motion[0, 3])
    by_voxel = torch.stack([one.target - one.source for one in people]).mean(dim=0)[0, 0]
    truth = (other.target - other.source)[0, 0]
    assert error(by_motion, truth) < 0.1 and error(by_voxel, truth) > 0.9


def error(said, truth):
    """Squared, as a part of that of saying nothing; away from the edges."""
    inner = (slice(3, -3),) * 3
    return (said - truth)[inner].square().sum() / truth[inner].square().sum()
