"""A conditional variational autoencoder of the follow-up.

Sohn, Lee and Yan 2015 ("Learning structured output representation using deep
conditional generative models", eq. 4 and 5), after Kingma and Welling 2014. A
vector z stands for what source and interval do not tell of a follow-up: while
learning, an encoder reads it from the follow-up; afterwards it is drawn.

The seed paper (arXiv 2411.05860) compares with a VAE and does not describe it, so
every choice here is ours. The prior of z is N(0, I) whatever the source; Sohn et
al. allow for it to depend on the source, too.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import nn

from brainlapse.models.batch import Batch, Noise
from brainlapse.models.change import brain_mean
from brainlapse.models.conditions import CONDITIONS, numbers_of, numbers_told
from brainlapse.models.encoder import Encoder, reduction
from brainlapse.models.generator import Generator, Sampling, check_generator
from brainlapse.models.settings import at_least
from brainlapse.models.unet import NetworkSettings


@dataclass(frozen=True)
class Settings:
    """A VAE row of config.yaml."""

    predict: str = "image"  # what the decoder says: the follow-up itself, or the standardised change
    conditions: tuple[str, ...] = CONDITIONS  # what encoder and decoder are told
    latent: int = 64  # numbers in z
    beta: float = 1.0  # nats of z that a squared error of 1, summed over the brain, is worth
    network: NetworkSettings = field(default_factory=NetworkSettings)

    def __post_init__(self):
        check_generator(self)
        at_least("beta", self.beta, 0, whole=False)


class VAE(nn.Module):
    """z to follow-up, given the source and the interval; and while it learns, follow-up to z."""

    Settings = Settings
    Sampling = Sampling

    def __init__(self, settings: Settings, shape: tuple[int, int, int]):
        super().__init__()
        self.settings = settings
        self.encoder = Posterior(settings, shape)
        self.generator = Generator(settings, shape)

    def calibrate(self, batches: Iterable[Batch]) -> None:
        """Fit the usual change to training pairs."""
        self.generator.calibrate(batches)

    def players(self) -> dict[str, list[nn.Parameter]]:
        """Encoder and decoder pull the same way: one player."""
        return {"network": list(self.parameters())}

    def loss(self, batch: Batch, player: str) -> torch.Tensor:
        """The evidence lower bound, negated (Sohn et al., eq. 5), for a voxel of the brain.

        If brain voxels are normal around what the decoder says, with variance s², the
        bound times -2 s² / N, N brain voxels in the batch, is their mean squared error
        plus 2 s² / N times the divergence of the posteriors from the prior. So beta is
        2 s² on every grid. 1 is far more than the noise of a voxel: errors are alike in
        neighbouring voxels, which taken for independent would count as evidence many
        times over, and z would be read more finely than it can be drawn.
        """
        mean, log_variance = self.encoder(self.generator.change(batch, batch.target), batch)
        z = mean + (log_variance / 2).exp() * torch.randn_like(mean)
        error = (self.generator(batch, z) - batch.target).square()
        nats = divergence(mean, log_variance).sum() / batch.brain.sum().clamp(min=1)
        return brain_mean(error, batch.brain) + self.settings.beta * nats

    def generate(self, batch: Batch, noise: Noise, sampling: Sampling) -> torch.Tensor:
        """The follow-up of a z drawn from the prior."""
        return self.generator.followup(batch, noise)


class Posterior(nn.Module):
    """q(z | target, source, interval, facts): where in z a follow-up lies, and how surely."""

    def __init__(self, settings: Settings, shape: tuple[int, int, int]):
        super().__init__()
        self.conditions, network = settings.conditions, settings.network
        told = numbers_told(settings.conditions)
        self.trunk = Encoder(network.patch, network.channels, ("change", "source"), told)
        step = reduction(network.patch, network.channels)
        features = network.channels[-1] * math.prod(math.ceil(side / step) for side in shape)
        self.said = nn.Linear(features, 2 * settings.latent)
        # It starts as the prior: what z says is learnt as far as it pays.
        nn.init.zeros_(self.said.weight)
        nn.init.zeros_(self.said.bias)

    def forward(self, change: torch.Tensor, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and logarithm of the variance of z, (B, latent) each, from the standardised change."""
        images = {"change": change, "source": batch.source}
        features = self.trunk(images, numbers_of(batch, self.conditions))
        return self.said(features.flatten(1)).float().chunk(2, dim=1)


def divergence(mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
    """(B,) nats from N(mean, variance) to N(0, I) (Kingma and Welling 2014, appendix B)."""
    return (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1) / 2
