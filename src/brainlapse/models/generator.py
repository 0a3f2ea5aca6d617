"""A follow-up from the source, a vector z and whatever else is told: the VAE's decoder, the GAN's generator.

Both differ in how it is trained, not in what it is.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import nn

from brainlapse.errors import Refused
from brainlapse.models.batch import Batch, Noise
from brainlapse.models.change import UsualChange, in_brain
from brainlapse.models.conditions import HISTORY, check_conditions, history_of, numbers_of, numbers_told
from brainlapse.models.settings import at_least, one_of
from brainlapse.models.unet import NetworkSettings, UNet
from brainlapse.volumes import BACKGROUND


class GeneratorSettings(Protocol):
    """The keys that the rows of both families have in common."""

    predict: str  # what the network says: the follow-up itself, or the standardised change
    conditions: tuple[str, ...]  # what the network is told
    latent: int  # numbers in z
    network: NetworkSettings


def check_generator(settings: GeneratorSettings) -> None:
    """Refuse what no generator can be."""
    one_of("predict", settings.predict, ("image", "change"))
    check_conditions(settings.conditions)
    if "source" not in settings.conditions:
        raise Refused("conditions: the generator makes the follow-up from the source and must be given it.")
    at_least("latent", settings.latent, 1)


@dataclass(frozen=True)
class Sampling:
    """The `sampling` of a VAE or GAN row: editing it trains nothing again."""

    draws: int = 1  # follow-ups for each request

    def __post_init__(self):
        at_least("sampling.draws", self.draws, 1)


class Generator(nn.Module):
    """A U-Net of the source that is told z as it is told the interval: by scale and shift in every block."""

    def __init__(self, settings: GeneratorSettings, shape: tuple[int, int, int]):
        super().__init__()
        if settings.latent > math.prod(shape):
            raise Refused(
                f"latent: {settings.latent} numbers are more than the {math.prod(shape)} voxels of "
                f"grid.shape {list(shape)}, from whose noise they are taken. Ask for fewer."
            )
        self.conditions, self.latent = settings.conditions, settings.latent
        self.says_change = settings.predict == "change"
        self.network = UNet(
            settings.network,
            shape,
            ("source",),
            numbers_told(settings.conditions),
            history=HISTORY in settings.conditions,
            latent=settings.latent,
        )
        self.usual = UsualChange(shape, settings.conditions)

    def calibrate(self, batches: Iterable[Batch]) -> None:
        """Fit the usual change to training pairs."""
        self.usual.fit(batches)

    def forward(self, batch: Batch, z: torch.Tensor) -> torch.Tensor:
        """(B, 1, X, Y, Z) from z (B, latent): exactly -1 outside the brain; inside it may leave [-1, 1].

        While it learns nothing is cut off, since no gradient comes back through a cut.
        """
        numbers = numbers_of(batch, self.conditions) | {"latent": z}
        history = history_of(batch, self.conditions)
        said = self.network({"source": batch.source}, numbers, history)
        if self.says_change:
            said = self.usual.expected(batch) + self.usual.sd * said
        return torch.where(batch.brain, said, BACKGROUND)

    def change(self, batch: Batch, followup: torch.Tensor) -> torch.Tensor:
        """(B, 1, X, Y, Z) how a follow-up differs from the usual one, in standard deviations.

        This is what the networks that judge a follow-up are shown. In the volume itself
        what matters is a twentieth of what does not, and they learn nothing for long.
        """
        return self.usual.standardised(replace(batch, target=followup))

    def followup(self, batch: Batch, noise: Noise) -> torch.Tensor:
        """(B, 1, X, Y, Z) in [-1, 1]; z are the first `latent` numbers of each item's noise."""
        z = noise().flatten(1)[:, : self.latent]
        return in_brain(self(batch, z), batch.brain)
