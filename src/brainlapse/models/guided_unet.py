"""The network of Med-DDPM: the U-Net of "guided diffusion" in three dimensions.

Ho et al. 2020 (appendix B) as Dhariwal and Nichol (2021, "Diffusion models beat
GANs") wrote it down, with the widths of Dorjsembe et al. 2024: 64 · (1, 1, 2, 3, 4).
It differs from `unet.py` in that its images are channels of one first
convolution, it works at full resolution, numbers are added to the features
without scaling them, every block on the way down has a block and a skip of its
own on the way up, and the coarsest level has one on the way up as well.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from monai.networks.utils import pixelshuffle, pixelunshuffle
from torch import nn

from brainlapse.models.unet import Attention, Block, NetworkSettings, NumberEncoder, check_shape, zeroed

_GROUPS = 32


@dataclass(frozen=True)
class GuidedNetworkSettings(NetworkSettings):
    """The `network` of a Med-DDPM row: the same keys, with the published values."""

    patch: int = 1
    channels: tuple[int, ...] = (64, 64, 128, 192, 256)
    blocks: int = 1
    attention_levels: tuple[int, ...] = (3,)  # where the grid is 8 times coarser; the middle always has it


class GuidedUNet(nn.Module):
    """Images (B, 1, X, Y, Z) and numbers (B,), each by name, to a volume (B, 1, X, Y, Z).

    The last convolution starts at zero, so an untrained network gives zeros.
    """

    def __init__(
        self,
        settings: GuidedNetworkSettings,
        shape: Sequence[int],  # of the grid, to refuse what does not fit
        images: Sequence[str],
        numbers: Mapping[str, tuple[float, float]],  # name to shortest and longest period
    ):
        super().__init__()
        check_shape(settings, shape)
        self.patch, self.images = settings.patch, tuple(images)
        widths, voxels = settings.channels, settings.patch**3
        told, coarsest = 4 * widths[0], len(widths) - 1
        self.encoders = nn.ModuleDict({name: NumberEncoder(*span, told) for name, span in numbers.items()})
        self.stem = nn.Conv3d(len(images) * voxels, widths[0], 3, padding=1)

        def block(width_in: int, level: int) -> AddedBlock:
            return AddedBlock(width_in, widths[level], told, level in settings.attention_levels)

        width, skips = widths[0], [widths[0]]
        self.down, self.halve = nn.ModuleList(), nn.ModuleList()
        for level in range(len(widths)):
            inner = [width] + [widths[level]] * settings.blocks
            self.down.append(nn.ModuleList(block(before, level) for before in inner[:-1]))
            width = widths[level]
            skips += inner[1:] + [width] * (level < coarsest)
            if level < coarsest:
                self.halve.append(nn.Conv3d(width, width, 3, stride=2, padding=1))
        self.middle = nn.ModuleList(
            [AddedBlock(width, width, told, attend=True), AddedBlock(width, width, told, attend=False)]
        )
        self.up, self.grow = nn.ModuleList(), nn.ModuleList()
        for level in reversed(range(len(widths))):
            inner = [width] + [widths[level]] * settings.blocks
            self.up.append(nn.ModuleList(block(before + skips.pop(), level) for before in inner))
            width = widths[level]
            if level > 0:
                self.grow.append(nn.Conv3d(width, width, 3, padding=1))
        self.last = nn.Sequential(_norm(width), nn.SiLU(), zeroed(nn.Conv3d(width, voxels, 3, padding=1)))

    def forward(
        self, images: Mapping[str, torch.Tensor], numbers: Mapping[str, torch.Tensor]
    ) -> torch.Tensor:
        stacked = torch.cat([images[name] for name in self.images], dim=1)
        told = sum(encoder(numbers[name]) for name, encoder in self.encoders.items())
        x = self.stem(pixelunshuffle(stacked, 3, self.patch))
        skips = [x]
        for blocks, halve in itertools.zip_longest(self.down, self.halve):
            for block in blocks:
                x = block(x, told)
                skips.append(x)
            if halve is not None:
                x = halve(x)
                skips.append(x)
        for block in self.middle:
            x = block(x, told)
        for blocks, grow in itertools.zip_longest(self.up, self.grow):
            for block in blocks:
                x = block(torch.cat([x, skips.pop()], dim=1), told)
            if grow is not None:
                x = grow(F.interpolate(x, scale_factor=2, mode="nearest"))
        return pixelshuffle(self.last(x), 3, self.patch).float()


class AddedBlock(Block):
    """A block that is told by addition, without scale and shift, before its second norm.

    Its second convolution starts at zero, and its attention has one head.
    """

    def __init__(self, width_in: int, width: int, told: int, attend: bool):
        super().__init__(width_in, width, told, attend=False)
        self.first[0], self.norm = _norm(width_in), _norm(width)
        self.tell = nn.Sequential(nn.SiLU(), nn.Linear(told, width))
        zeroed(self.second[-1])
        self.attention = OneHead(width) if attend else nn.Identity()

    def _computed(self, x: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
        inner = self.norm(self.first(x) + self.tell(told)[:, :, None, None, None])
        return self.attention(self.skip(x) + self.second(inner))


class OneHead(Attention):
    """Attention with a single head.

    Med-DDPM keeps the N x N matrix and its softmax in memory; the library's
    kernel, which `Attention` calls, gives the same numbers without.
    """

    def __init__(self, width: int):
        super().__init__(width)
        self.heads, self.norm = 1, _norm(width)


def _norm(width: int) -> nn.GroupNorm:
    """32 groups as published, or what divides a smaller width; in float32 at any precision, as theirs."""
    return nn.GroupNorm(math.gcd(_GROUPS, width), width)
