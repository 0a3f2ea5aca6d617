"""A conditional generative adversarial network in 3D, after pix2pix.

Isola et al. 2017 ("Image-to-image translation with conditional adversarial
networks"): a U-Net makes the follow-up, a second network that is shown the source
too tells made ones from real ones, patch by patch, and an L1 term of weight 100
keeps the first near the truth (eq. 4). The paper's training is Adam with a
constant rate of 2e-4, betas 0.5 and 0.999, batch 1: keys of the row's `training`.

Ours: three dimensions, interval and facts told to both, chance as a vector z
instead of dropout, group normalisation, a discriminator that is shown a follow-up as
the change of the source, and the R1 penalty for the stability that adversarial
training lacks. The paper found that its generator learns to ignore
the noise; expect draws of one request to be much alike.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import nn

from brainlapse.models.batch import Batch, Noise
from brainlapse.models.change import brain_mean
from brainlapse.models.conditions import CONDITIONS
from brainlapse.models.discriminator import Discriminator
from brainlapse.models.generator import Generator, Sampling, check_generator
from brainlapse.models.settings import at_least
from brainlapse.models.unet import NetworkSettings


@dataclass(frozen=True)
class Settings:
    """A GAN row of config.yaml."""

    predict: str = "image"  # what the generator says: the follow-up itself, or the standardised change
    conditions: tuple[str, ...] = CONDITIONS  # what both networks are told
    latent: int = 64  # numbers in z
    l1: float = 100.0  # weight of the mean absolute error beside the adversarial loss
    r1: float = 0.01  # weight of the penalty on the discriminator's slope; 0 is pix2pix
    network: NetworkSettings = field(default_factory=NetworkSettings)

    def __post_init__(self):
        check_generator(self)
        at_least("l1", self.l1, 0, whole=False)
        at_least("r1", self.r1, 0, whole=False)


class GAN(nn.Module):
    """z to follow-up, given the source and the interval, learnt against a discriminator.

    The discriminator sees the brain of the source alone, so it cannot go by what lies around.
    """

    Settings = Settings
    Sampling = Sampling

    def __init__(self, settings: Settings, shape: tuple[int, int, int]):
        super().__init__()
        self.settings = settings
        self.generator = Generator(settings, shape)
        self.discriminator = Discriminator(settings.network, settings.conditions)

    def calibrate(self, batches: Iterable[Batch]) -> None:
        """Fit the usual change to training pairs."""
        self.generator.calibrate(batches)

    def players(self) -> dict[str, list[nn.Parameter]]:
        """The discriminator plays first, as in the paper."""
        return {
            "discriminator": list(self.discriminator.parameters()),
            "generator": list(self.generator.parameters()),
        }

    def loss(self, batch: Batch, player: str) -> torch.Tensor:
        """What one player pays. Its gradient reaches that player's weights and no other's."""
        if player == "discriminator":
            return self._loss_of_discriminator(batch)
        return self._loss_of_generator(batch)

    def generate(self, batch: Batch, noise: Noise, sampling: Sampling) -> torch.Tensor:
        """The follow-up of a z drawn at random; the discriminator is not asked."""
        return self.generator.followup(batch, noise)

    def _loss_of_generator(self, batch: Batch) -> torch.Tensor:
        """Non-saturating loss (Goodfellow et al. 2014, section 3) plus l1 times the error in the brain."""
        made = self._made(batch)
        fixed = {name: weight.detach() for name, weight in self.discriminator.named_parameters()}
        seen = (self.generator.change(batch, made), batch)
        logits = torch.func.functional_call(self.discriminator, fixed, seen)
        error = brain_mean((made - batch.target).abs(), batch.brain)
        return F.softplus(-logits).mean() + self.settings.l1 * error

    def _loss_of_discriminator(self, batch: Batch) -> torch.Tensor:
        """Half the cross-entropy of real and made (pix2pix, section 3.3), plus the penalty.

        The penalty is R1 (Mescheder et al. 2018, "Which training methods for GANs do
        actually converge?", eq. 9): half the squared gradient of the mean logit with
        respect to a real change. It keeps the discriminator from growing ever steeper
        where real and made are easily told apart. Times the number of brain voxels (as
        Karras et al. 2020, "StyleGAN2-ADA", scale it with an image's) it weighs the same
        on every grid: the gradient is then by how much the mean logit can rise if every
        voxel changes by one standard deviation.
        """
        with torch.no_grad():
            made = self.generator.change(batch, self._made(batch))
        target = batch.target.detach().requires_grad_()
        real = self.generator.change(batch, target)
        says_of_real, says_of_made = (self.discriminator(one, batch) for one in (real, made))
        loss = (F.softplus(-says_of_real).mean() + F.softplus(says_of_made).mean()) / 2
        if not self.settings.r1:
            return loss
        each = (1, 2, 3, 4)
        # The slope of the sum, divided afterwards: that of the mean is too small a number for float16.
        (slope,) = torch.autograd.grad(says_of_real.sum(), target, create_graph=True)
        slope = slope * self.generator.usual.sd / says_of_real[0].numel()
        penalty = slope.square().sum(dim=each) * batch.brain.sum(dim=each)
        return loss + self.settings.r1 / 2 * penalty.mean()

    def _made(self, batch: Batch) -> torch.Tensor:
        z = torch.randn(len(batch.source), self.settings.latent, device=batch.source.device)
        return self.generator(batch, z)
