"""The network: an attention UNet on patches, whose conditions come in by addition.

The volume is first cut into patches whose voxels become channels (space to
depth), which is exactly invertible: with patch 2 the dear full-resolution
convolutions fall away and every level is wide enough to keep a GPU busy.

Every image (the noisy one, the source) has its own first convolution and the
results are added; every number (the timestep, the interval) has its own
encoding and the results are added too. A condition that is taken away takes its
weights with it. Residual blocks with scale and shift follow Dhariwal and Nichol
(2021, "Diffusion models beat GANs", section 3 and appendix A).
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from monai.networks.utils import pixelshuffle, pixelunshuffle
from torch import nn
from torch.utils.checkpoint import checkpoint

from brainlapse.errors import Refused
from brainlapse.models.history import HistoryStem
from brainlapse.models.settings import at_least

# The shortest and the longest period of the waves that encode a timestep, and years between two scans.
TIMESTEPS = (2 * math.pi, 2 * math.pi * 10_000)
YEARS = (4.0, 100.0)
_WAVES = 32
_CHANNELS_PER_HEAD = 32
_CHANNELS_PER_GROUP = 8


@dataclass(frozen=True)
class NetworkSettings:
    """The `network` of a row in config.yaml."""

    patch: int = 2  # voxels along the side of a patch
    channels: tuple[int, ...] = (64, 128, 256, 256)  # a level each, from fine to coarse
    blocks: int = 1  # residual blocks a level, on the way down and on the way up
    attention_levels: tuple[int, ...] = (2, 3)  # levels with attention; 0 is the finest

    def __post_init__(self):
        at_least("network.patch", self.patch, 1)
        at_least("network.blocks", self.blocks, 1)
        if not self.channels:
            raise Refused("network.channels: must name at least one level.")
        for width in self.channels:
            at_least("network.channels", width, _CHANNELS_PER_GROUP)
            if width % _CHANNELS_PER_GROUP:
                raise Refused(f"network.channels: {width} is no multiple of {_CHANNELS_PER_GROUP}.")
        for level in self.attention_levels:
            at_least("network.attention_levels", level, 0)
            if level >= len(self.channels):
                last = len(self.channels) - 1
                raise Refused(f"network.attention_levels: there is no level {level}; the last is {last}.")

    @property
    def multiple(self) -> int:
        """Each side of the grid must be a multiple of this."""
        return self.patch * 2 ** (len(self.channels) - 1)


def check_shape(settings: NetworkSettings, shape: Sequence[int]) -> None:
    """Refuse a grid that the network's patches and levels do not divide."""
    multiple = settings.multiple
    if not any(side % multiple for side in shape):
        return
    down = [max(side // multiple, 1) * multiple for side in shape]
    up = [math.ceil(side / multiple) * multiple for side in shape]
    raise Refused(
        f"grid.shape {list(shape)}: each side must be a multiple of {multiple}, that is network.patch "
        f"{settings.patch} doubled {len(settings.channels) - 1} times by the levels of network.channels. "
        f"The nearest are {down} and {up}."
    )


class UNet(nn.Module):
    """Images (B, 1, X, Y, Z) and numbers (B,), each by name, to volumes (B, outputs, X, Y, Z).

    The last convolution starts at zero, so an untrained network gives zeros.
    """

    def __init__(
        self,
        settings: NetworkSettings,
        shape: Sequence[int],  # of the grid, to refuse what does not fit
        images: Sequence[str],
        numbers: Mapping[str, tuple[float, float]],  # name to shortest and longest period
        outputs: int = 1,  # volumes to give back
        history: bool = False,  # whether earlier scans are told
        latent: int = 0,  # length of a vector that `numbers` hold beside the numbers; 0 for none
    ):
        super().__init__()
        check_shape(settings, shape)
        self.patch = settings.patch
        first, voxels = settings.channels[0], settings.patch**3
        told = 4 * first if numbers or latent else 0
        self.stems = nn.ModuleDict({name: nn.Conv3d(voxels, first, 3, padding=1) for name in images})
        self.encoders = nn.ModuleDict({name: NumberEncoder(*span, told) for name, span in numbers.items()})
        if latent:
            self.encoders["latent"] = _two_linear_layers(latent, told)

        def level(width_in: int, index: int) -> nn.ModuleList:
            widths = [width_in] + [settings.channels[index]] * settings.blocks
            attend = index in settings.attention_levels
            pairs = itertools.pairwise(widths)
            return nn.ModuleList(Block(before, after, told, attend) for before, after in pairs)

        self.past = HistoryStem(voxels, first, NumberEncoder(*YEARS, 2 * first)) if history else None
        levels = range(len(settings.channels))
        width = settings.channels
        self.down = nn.ModuleList(level(width[max(i - 1, 0)], i) for i in levels)
        self.halve = nn.ModuleList(nn.Conv3d(width[i], width[i], 3, stride=2, padding=1) for i in levels[:-1])
        self.middle = Block(width[-1], width[-1], told, len(width) - 1 in settings.attention_levels)
        self.up = nn.ModuleList(level(width[i + 1] + width[i], i) for i in levels[:-1])
        self.last = nn.Sequential(
            Norm(first), nn.SiLU(), zeroed(nn.Conv3d(first, voxels * outputs, 3, padding=1))
        )

    def forward(
        self,
        images: Mapping[str, torch.Tensor],
        numbers: Mapping[str, torch.Tensor],
        history: tuple[torch.Tensor, torch.Tensor] | None = None,  # of `history.changes_before`
    ) -> torch.Tensor:
        x = sum(stem(pixelunshuffle(images[name], 3, self.patch)) for name, stem in self.stems.items())
        if self.past is not None:
            changes, years = history
            x = x + self.past(pixelunshuffle(changes.flatten(0, 1)[:, None], 3, self.patch), years)
        told = sum(encoder(numbers[name]) for name, encoder in self.encoders.items())
        skips = []
        for index, blocks in enumerate(self.down):
            for block in blocks:
                x = block(x, told)
            if index < len(self.halve):
                skips.append(x)
                x = self.halve[index](x)
        x = self.middle(x, told)
        for blocks in reversed(self.up):
            x = torch.cat([F.interpolate(x, scale_factor=2, mode="nearest"), skips.pop()], dim=1)
            for block in blocks:
                x = block(x, told)
        return pixelshuffle(self.last(x), 3, self.patch).float()


class NumberEncoder(nn.Module):
    """(B,) numbers to (B, width): waves of geometrically spaced periods, then two linear layers.

    Of a NaN, an unknown number, there are no waves.
    """

    def __init__(self, shortest: float, longest: float, width: int):
        super().__init__()
        periods = torch.logspace(math.log10(shortest), math.log10(longest), _WAVES)
        self.register_buffer("frequencies", 2 * math.pi / periods, persistent=False)
        self.layers = _two_linear_layers(2 * _WAVES, width)

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        phase = numbers.float()[:, None] * self.frequencies
        return self.layers(torch.cat([phase.sin(), phase.cos()], dim=1).nan_to_num(0.0))


class Block(nn.Module):
    """Two convolutions, told about the numbers (if any) by scale and shift, and attention if asked for.

    With `recompute` its activations are not kept for the backward pass but
    computed again (Chen et al. 2016, "Training deep nets with sublinear memory cost").
    """

    recompute = False

    def __init__(self, width_in: int, width: int, told: int, attend: bool):
        super().__init__()
        self.first = nn.Sequential(Norm(width_in), nn.SiLU(), nn.Conv3d(width_in, width, 3, padding=1))
        self.tell = nn.Sequential(nn.SiLU(), nn.Linear(told, 2 * width)) if told else None
        self.norm = Norm(width)
        self.second = nn.Sequential(nn.SiLU(), nn.Conv3d(width, width, 3, padding=1))
        self.skip = nn.Identity() if width_in == width else nn.Conv3d(width_in, width, 1)
        self.attention = Attention(width) if attend else nn.Identity()

    def forward(self, x: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
        if self.recompute and self.training:
            return checkpoint(self._computed, x, told, use_reentrant=False, preserve_rng_state=False)
        return self._computed(x, told)

    def _computed(self, x: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
        inner = self.norm(self.first(x))
        if self.tell is not None:
            scale, shift = self.tell(told)[:, :, None, None, None].chunk(2, dim=1)
            inner = inner * (1 + scale) + shift
        return self.attention(self.skip(x) + self.second(inner))


class Attention(nn.Module):
    """Every patch looks at every other; the library's kernel keeps the N x N matrix out of memory."""

    def __init__(self, width: int):
        super().__init__()
        self.heads = width // _CHANNELS_PER_HEAD if width % _CHANNELS_PER_HEAD == 0 else 1
        self.norm = Norm(width)
        self.look = nn.Conv3d(width, 3 * width, 1)
        self.answer = zeroed(nn.Conv3d(width, width, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # (B, 3·heads·c, X, Y, Z) -> three of (B, heads, XYZ, c); contiguous, or no kernel will have them
        # and the N x N matrix is made after all.
        looked = self.look(self.norm(x)).flatten(2).unflatten(1, (3, self.heads, -1)).transpose(-1, -2)
        seen = F.scaled_dot_product_attention(*looked.contiguous().unbind(1))
        return x + self.answer(seen.transpose(-1, -2).reshape(x.shape))


class Norm(nn.GroupNorm):
    """Group normalisation in the precision of its input.

    Autocast would turn bfloat16 into float32 here and double the traffic; the
    kernel sums in float32 anyway.
    """

    def __init__(self, width: int):
        super().__init__(max(1, min(32, width // _CHANNELS_PER_GROUP)), width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.autocast(x.device.type, enabled=False):
            weight, bias = self.weight.to(x.dtype), self.bias.to(x.dtype)
            return F.group_norm(x, self.num_groups, weight, bias, self.eps)


def _two_linear_layers(width_in: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width_in, width), nn.SiLU(), nn.Linear(width, width))


def zeroed(layer: nn.Conv3d) -> nn.Conv3d:
    """The same layer starting at zero: the network starts as the identity around it."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
