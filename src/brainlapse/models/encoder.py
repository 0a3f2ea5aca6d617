"""Volumes to features: the trunk of the VAE's encoder and of the GAN's discriminator.

It sees what the U-Net sees, cut into the same patches and told of the numbers in
the same way, but starts with a strided convolution and has no way up: at the
full grid it costs a few hundredths of the U-Net.
"""

from collections.abc import Mapping, Sequence

import torch
from monai.networks.utils import pixelunshuffle
from torch import nn

from brainlapse.models.conditions import Periods
from brainlapse.models.unet import Block, NumberEncoder


class Encoder(nn.Module):
    """Images (B, 1, X, Y, Z) and numbers (B,), each by name, to features (B, channels[-1], x, y, z).

    A side of x, y, z is that of the grid divided by `reduction(patch, channels)`, rounded up.
    """

    def __init__(
        self,
        patch: int,  # voxels along the side of a patch
        channels: Sequence[int],  # a level each; every level halves the grid
        images: Sequence[str],
        numbers: Mapping[str, Periods],
    ):
        super().__init__()
        self.patch = patch
        first, voxels = channels[0], patch**3
        told = 4 * first if numbers else 0
        self.stems = nn.ModuleDict({name: _halving(voxels, first) for name in images})
        self.encoders = nn.ModuleDict({name: NumberEncoder(*span, told) for name, span in numbers.items()})
        befores = [first, *channels[:-1]]
        self.halve = nn.ModuleList(
            _halving(*widths) for widths in zip(befores[1:], channels[1:], strict=True)
        )
        self.blocks = nn.ModuleList(Block(width, width, told, attend=False) for width in channels)

    def forward(
        self, images: Mapping[str, torch.Tensor], numbers: Mapping[str, torch.Tensor]
    ) -> torch.Tensor:
        x = sum(stem(pixelunshuffle(images[name], 3, self.patch)) for name, stem in self.stems.items())
        told = sum(encoder(numbers[name]) for name, encoder in self.encoders.items())
        for halve, block in zip([nn.Identity(), *self.halve], self.blocks, strict=True):
            x = block(halve(x), told)
        return x


def reduction(patch: int, channels: Sequence[int]) -> int:
    """How many voxels of the grid a feature stands for along each side."""
    return patch * 2 ** len(channels)


def _halving(width_in: int, width: int) -> nn.Conv3d:
    return nn.Conv3d(width_in, width, 3, stride=2, padding=1)
