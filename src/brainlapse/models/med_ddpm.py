"""Med-DDPM (Dorjsembe et al. 2024, "Conditional diffusion models for semantic 3D brain MRI synthesis").

The published baseline, written anew from the paper (arXiv 2305.18453): the noise of
the image is predicted under an L1 loss on a cosine schedule of 250 timesteps, and the
condition enters as further channels of the network's input.

Ours, because the original draws a brain from a mask and not from an earlier scan: the
source takes the mask's place, and the interval (and facts, if asked for) is encoded as
the timestep is and added to it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import nn

from brainlapse.errors import Refused
from brainlapse.models import sampler
from brainlapse.models.batch import Batch, Noise
from brainlapse.models.change import in_brain
from brainlapse.models.conditions import CONDITIONS, HISTORY, check_conditions, numbers_of, numbers_told
from brainlapse.models.guided_unet import GuidedNetworkSettings, GuidedUNet
from brainlapse.models.noising import clean_from, cosine_shares, noised
from brainlapse.models.sampler import sampled
from brainlapse.models.settings import at_least
from brainlapse.models.unet import TIMESTEPS


@dataclass(frozen=True)
class Settings:
    """A Med-DDPM row of config.yaml."""

    conditions: tuple[str, ...] = CONDITIONS  # what the network is told
    timesteps: int = 250  # T
    network: GuidedNetworkSettings = field(default_factory=GuidedNetworkSettings)

    def __post_init__(self):
        check_conditions(self.conditions)
        if HISTORY in self.conditions:
            raise Refused("conditions: med_ddpm is told of one scan. Take history out, or choose diffusion.")
        at_least("timesteps", self.timesteps, 2)


@dataclass(frozen=True)
class Sampling(sampler.Sampling):
    """The `sampling` of a Med-DDPM row, with the published values."""

    sampler: str = "ddpm"
    steps: int = 250


class MedDDPM(nn.Module):
    """Noise to follow-up, the source a channel beside the noisy volume."""

    Settings = Settings
    Sampling = Sampling

    def __init__(self, settings: Settings, shape: tuple[int, int, int]):
        super().__init__()
        self.settings = settings
        images = ("noisy", "source") if "source" in settings.conditions else ("noisy",)
        numbers = {"timestep": TIMESTEPS} | numbers_told(settings.conditions)
        self.network = GuidedUNet(settings.network, shape, images, numbers)
        self.register_buffer("signal", cosine_shares(settings.timesteps), persistent=False)

    def calibrate(self, batches: Iterable[Batch]) -> None:
        """Nothing: the image itself is diffused, in the range that it has."""

    def players(self) -> dict[str, list[nn.Parameter]]:
        """One network, one player."""
        return {"network": list(self.network.parameters())}

    def loss(self, batch: Batch, player: str) -> torch.Tensor:
        """Mean absolute error of the noise, over the whole volume."""
        t = torch.randint(self.settings.timesteps, (len(batch.target),), device=batch.target.device)
        noise = torch.randn_like(batch.target)
        noisy = noised(batch.target, noise, self.signal[t][:, None, None, None, None])
        return (self._noise_said(noisy, t, batch) - noise).abs().mean()

    def generate(self, batch: Batch, noise: Noise, sampling: Sampling) -> torch.Tensor:
        """The follow-up at the end of the sampler's path from noise, x_0 cut to [-1, 1] at each step."""

        def clean_said(noisy: torch.Tensor, t: int) -> torch.Tensor:
            times = torch.full((len(noisy),), t, device=noisy.device)
            said = self._noise_said(noisy, times, batch)
            return clean_from("epsilon", said, noisy, self.signal[t]).clamp(-1, 1)

        clean = sampled(clean_said, noise, self.signal, sampling.sampler, sampling.steps)
        return in_brain(clean, batch.brain)

    def _noise_said(self, noisy: torch.Tensor, t: torch.Tensor, batch: Batch) -> torch.Tensor:
        numbers = {"timestep": t} | numbers_of(batch, self.settings.conditions)
        return self.network({"noisy": noisy, "source": batch.source}, numbers)
