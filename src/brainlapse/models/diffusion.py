"""Conditional diffusion, of the follow-up itself or of the change towards it.

`diffuse: image, predict: epsilon` is the seed paper (arXiv 2411.05860).
`diffuse: residual, predict: motion` is ours: what is noised is how the change since
the source differs from the average person's, in units of how much people usually
differ, and the network says what it is without the noise, by moving the source's
tissue. Asked at the noisiest timestep, where x_t holds nothing but noise, the best
answer to a squared loss is the expected change: one step gives the point
estimate, many steps draw one of the plausible follow-ups.

Notation as in noising.py.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import nn

from brainlapse.errors import Refused
from brainlapse.models import sampler
from brainlapse.models.batch import Batch, Noise
from brainlapse.models.change import STARTS, UsualChange, brain_mean, in_brain
from brainlapse.models.conditions import (
    CONDITIONS,
    HISTORY,
    check_conditions,
    history_of,
    numbers_of,
    numbers_told,
)
from brainlapse.models.motion import CHANNELS, change_by_motion
from brainlapse.models.noising import clean_from, linear_shares, noised, to_say
from brainlapse.models.pace import EXPECTED, PACES, chance_of, check_drawn
from brainlapse.models.sampler import sampled
from brainlapse.models.settings import at_least, one_of
from brainlapse.models.unet import TIMESTEPS, NetworkSettings, UNet

_SHARE_OF_PURE_NOISE = 0.5


@dataclass(frozen=True)
class Settings:
    """A diffusion row of config.yaml."""

    predict: str = "motion"  # what the network says: x0 (by moving tissue, or voxel by voxel), epsilon or v
    diffuse: str = "residual"  # what is noised: how the change differs from the usual one, or the image
    start: str = "paced"  # what a residual is measured from: change.py
    conditions: tuple[str, ...] = CONDITIONS  # what the network is told
    timesteps: int = 1000  # T
    beta: tuple[float, float] = (1.0e-4, 0.02)  # variance added at the first and the last timestep
    network: NetworkSettings = field(default_factory=NetworkSettings)

    def __post_init__(self):
        one_of("predict", self.predict, ("motion", "x0", "epsilon", "v"))
        one_of("diffuse", self.diffuse, ("residual", "image"))
        one_of("start", self.start, STARTS)
        check_conditions(self.conditions)
        at_least("timesteps", self.timesteps, 2)
        if len(self.beta) != 2 or not 0 < self.beta[0] <= self.beta[1] < 1:
            raise Refused(f"beta: must be two numbers with 0 < first <= last < 1, not {list(self.beta)}.")
        if self.predict == "motion" and self.diffuse == "image":
            raise Refused(
                "predict: motion says the change of the source. With diffuse: image choose x0, epsilon or v."
            )
        if HISTORY in self.conditions and "source" not in self.conditions:
            raise Refused("conditions: history says what changed up to the source. Add source to conditions.")
        if self.diffuse == "residual" and "source" not in self.conditions:
            raise Refused(
                "conditions: diffuse: residual is the change of the source, which the network must be "
                "given. Add source to conditions, or choose diffuse: image."
            )


@dataclass(frozen=True)
class Sampling(sampler.Sampling):
    """The `sampling` of a diffusion row."""

    pace: str = EXPECTED  # drawn, with start: paced: one of those that people of whom the same is known go at

    def __post_init__(self):
        super().__post_init__()
        one_of("sampling.pace", self.pace, PACES)


class Diffusion(nn.Module):
    """Noise to follow-up, given the source and the interval (or less, in the ablations)."""

    Settings = Settings
    Sampling = Sampling

    def __init__(self, settings: Settings, shape: tuple[int, int, int]):
        super().__init__()
        self.settings = settings
        images = ("noisy", "source") if "source" in settings.conditions else ("noisy",)
        numbers = {"timestep": TIMESTEPS} | numbers_told(settings.conditions)
        outputs = CHANNELS if settings.predict == "motion" else 1
        with_history = HISTORY in settings.conditions
        self.network = UNet(settings.network, shape, images, numbers, outputs, with_history)
        if settings.diffuse == "residual":
            self.usual = UsualChange(shape, settings.conditions, settings.start)
        self.register_buffer("signal", signal_shares(settings), persistent=False)

    def calibrate(self, batches: Iterable[Batch]) -> None:
        """Fit the usual change to training pairs."""
        if self.settings.diffuse == "residual":
            self.usual.fit(batches)

    def players(self) -> dict[str, list[nn.Parameter]]:
        """One network, one player."""
        return {"network": list(self.network.parameters())}

    def loss(self, batch: Batch, player: str) -> torch.Tensor:
        """Mean squared error of what the network says (Ho et al., eq. 14).

        A change is diffused in the brain alone, an image in the whole volume as the paper has it.
        """
        clean = self._clean(batch)
        t = self._timesteps(len(clean), clean.device)
        noise = torch.randn_like(clean)
        a = self.signal[t][:, None, None, None, None]
        said = self._said(noised(clean, noise, a), t, batch)
        error = (said - to_say(self.settings.predict, clean, noise, a)).square()
        return brain_mean(error, batch.brain) if self.settings.diffuse == "residual" else error.mean()

    def generate(self, batch: Batch, noise: Noise, sampling: Sampling) -> torch.Tensor:
        """The follow-up at the end of the sampler's path from noise."""
        of_change = self.settings.diffuse == "residual"
        check_drawn(sampling.pace, of_change and self.settings.start == "paced")
        chance = chance_of(noise, sampling.pace)
        clean = sampled(
            lambda x, t: self._clean_said(x, t, batch), noise, self.signal, sampling.sampler, sampling.steps
        )
        return self.usual.followup(batch, clean, chance) if of_change else in_brain(clean, batch.brain)

    def _clean(self, batch: Batch) -> torch.Tensor:
        return self.usual.standardised(batch) if self.settings.diffuse == "residual" else batch.target

    def _timesteps(self, count: int, device: torch.device) -> torch.Tensor:
        """(count,) drawn uniformly; with motion, about half are the noisiest instead.

        That is where one step gets the expected follow-up from: half the training
        goes into the point estimate, which then equals a regression's.
        """
        last = self.settings.timesteps - 1
        t = torch.randint(last + 1, (count,), device=device)
        if self.settings.predict != "motion":
            return t
        return torch.where(torch.rand(count, device=device) < _SHARE_OF_PURE_NOISE, last, t)

    def _said(self, noisy: torch.Tensor, t: torch.Tensor, batch: Batch) -> torch.Tensor:
        """What the network says about x_t, in the terms of `predict` (for motion that is x_0)."""
        if self.settings.diffuse == "residual":
            noisy = noisy * batch.brain
        a = self.signal[t][:, None, None, None, None]
        # Where x_0 is predicted, the network sees sqrt(a) x_t, the best linear guess of
        # an x_0 of unit variance (cf. c_in of Karras et al. 2022): where x_t is all
        # noise it sees nothing and need not learn to ignore it.
        seen = noisy if self.settings.predict in ("epsilon", "v") else a.sqrt() * noisy
        numbers = {"timestep": t} | numbers_of(batch, self.settings.conditions)
        history = history_of(batch, self.settings.conditions)
        said = self.network({"noisy": seen, "source": batch.source}, numbers, history)
        if self.settings.predict != "motion":
            return said
        # E[x_0 | x_t] of a normal x_0 around an expected change, with unit variance. So
        # at every timestep the network is asked for the same thing, the expected change.
        expected = change_by_motion(said, batch, self.usual.sd, scaled="interval" in self.settings.conditions)
        return a.sqrt() * noisy + (1 - a) * expected

    def _clean_said(self, noisy: torch.Tensor, t: int, batch: Batch) -> torch.Tensor:
        """The x_0 that the network's answer about x_t amounts to, within the range of a volume."""
        times = torch.full((len(noisy),), t, device=noisy.device)
        clean = clean_from(self.settings.predict, self._said(noisy, times, batch), noisy, self.signal[t])
        if self.settings.diffuse == "image":
            return clean.clamp(-1, 1)
        return self.usual.within_range(batch, clean)


def signal_shares(settings: Settings) -> torch.Tensor:
    """(T,) the share of signal at each timestep.

    At T - 1 nothing is left of the signal, as sampling assumes (Lin et al. 2024,
    "Common diffusion noise schedules and sample steps are flawed"); only where
    epsilon is predicted the remnant must stay, since x_0 is found by dividing by it.
    """
    shares = linear_shares(settings.timesteps, settings.beta)
    if settings.predict != "epsilon":
        shares[-1] = 0
    return shares
