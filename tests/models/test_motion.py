"""Moving tissue does what a displacement means."""

import torch
from scipy import ndimage

from brainlapse.models.motion import change_of_moving, moved


def smooth_volume():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 1, 8, 10, 12, generator=generator)


def test_no_displacement_changes_nothing():
    volume = smooth_volume()
    torch.testing.assert_close(moved(volume, torch.zeros(2, 3, 8, 10, 12)), volume, rtol=0, atol=1e-5)


def test_a_displacement_pulls_along_its_axis_and_as_scipy_does():
    volume = smooth_volume()
    displacement = torch.tensor([0.25, -1.0, 2.5]).reshape(1, 3, 1, 1, 1).expand(2, 3, 8, 10, 12)
    found = moved(volume, displacement)
    for pulled, one in zip(found, volume, strict=True):
        expected = ndimage.shift(one[0].numpy(), (-0.25, 1.0, -2.5), order=1, mode="nearest")
        torch.testing.assert_close(pulled[0], torch.from_numpy(expected), rtol=0, atol=1e-5)


def test_what_motion_changes_is_the_gradient_times_the_displacement_and_nothing_without_one():
    volume, none = smooth_volume(), torch.zeros(2, 3, 8, 10, 12)
    assert not change_of_moving(volume, none).any()
    for axis in range(3):
        displacement = none.clone()
        displacement[:, axis] = 0.3
        found = change_of_moving(volume, displacement).movedim(2 + axis, 2)
        central = 0.3 * torch.gradient(volume, dim=2 + axis)[0].movedim(2 + axis, 2)
        torch.testing.assert_close(found[:, :, 1:-1], central[:, :, 1:-1], rtol=0, atol=1e-5)
