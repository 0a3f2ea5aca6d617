"""Rectified flow from the source to the follow-up: a straight path, walked in few steps.

Liu et al. 2022 ("Flow straight and fast", eq. 1), and Albergo and Vanden-Eijnden
(2022, "Building normalizing flows with stochastic interpolants"): on the line
x_t = (1 - t) x_0 + t x_1 from a start x_0 to the target x_1, the network says the
velocity x_1 - x_0, and a sample follows what it says from t = 0 to 1.

The start is the source, or the source after the average person's motion, and
noise if asked for. All is told as z = (x - start without noise) / sd, the change so
far in units of how much people usually differ: 0 at the start and the
standardised change at the end.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import torch
from torch import nn

from brainlapse.errors import Refused
from brainlapse.models.batch import Batch, Noise
from brainlapse.models.change import STARTS, UsualChange, brain_mean
from brainlapse.models.conditions import (
    CONDITIONS,
    HISTORY,
    check_conditions,
    history_of,
    numbers_of,
    numbers_told,
)
from brainlapse.models.pace import EXPECTED, PACES, chance_of, check_drawn
from brainlapse.models.settings import at_least, one_of
from brainlapse.models.unet import TIMESTEPS, NetworkSettings, UNet

_TOLD = 1000.0  # t = 1 as the waves that encode timesteps have it
_SHARE_AT_THE_START = 0.5
SAMPLERS = ("euler", "heun")


@dataclass(frozen=True)
class Settings:
    """A flow row of config.yaml."""

    start: str = "source"  # where the path starts: at the source, or at its usual follow-up (change.py)
    noise: float = 0.0  # at the start, in units of how much people usually differ; 0: draws are all alike
    conditions: tuple[str, ...] = CONDITIONS  # what the network is told
    network: NetworkSettings = field(default_factory=NetworkSettings)

    def __post_init__(self):
        one_of("start", self.start, STARTS)
        at_least("noise", self.noise, 0, whole=False)
        check_conditions(self.conditions)
        if "source" not in self.conditions:
            raise Refused("conditions: flow starts from the source and must be given it.")


@dataclass(frozen=True)
class Sampling:
    """The `sampling` of a flow row: editing it trains nothing again."""

    sampler: str = "euler"  # euler: a network call a step; heun: two, of second order
    steps: int = 1  # from t = 0 to 1, equally long
    pace: str = EXPECTED  # drawn, with start: paced: one of those that people of whom the same is known go at
    draws: int = 1  # follow-ups for each request

    def __post_init__(self):
        one_of("sampling.pace", self.pace, PACES)
        one_of("sampling.sampler", self.sampler, SAMPLERS)
        at_least("sampling.steps", self.steps, 1)
        at_least("sampling.draws", self.draws, 1)


class Flow(nn.Module):
    """Source to follow-up along the velocity that the network says."""

    Settings = Settings
    Sampling = Sampling

    def __init__(self, settings: Settings, shape: tuple[int, int, int]):
        super().__init__()
        self.settings = settings
        numbers = {"time": TIMESTEPS} | numbers_told(settings.conditions)
        with_history = HISTORY in settings.conditions
        self.network = UNet(settings.network, shape, ("so_far", "source"), numbers, history=with_history)
        # Its unit is the same wherever it starts: how much people usually differ from the average motion.
        start = "usual" if settings.start == "source" else settings.start
        self.usual = UsualChange(shape, settings.conditions, start)

    def calibrate(self, batches: Iterable[Batch]) -> None:
        """Fit the usual change to training pairs; from the source itself, only how far people are from it."""
        self.usual.fit(batches)
        if self.settings.start == "source":
            self.usual.mean.zero_()

    def players(self) -> dict[str, list[nn.Parameter]]:
        """One network, one player."""
        return {"network": list(self.network.parameters())}

    def loss(self, batch: Batch, player: str) -> torch.Tensor:
        """Mean squared error of the velocity in the brain (Liu et al., eq. 1), in units of sd."""
        change = self.usual.standardised(batch)
        start = self._start(batch, lambda: torch.randn_like(change))
        t = self._times(len(change), change.device)
        z = torch.lerp(start, change, t[:, None, None, None, None])
        return brain_mean((self._velocity(z, t, batch) - (change - start)).square(), batch.brain)

    def generate(self, batch: Batch, noise: Noise, sampling: Sampling) -> torch.Tensor:
        """The follow-up at the end of the path."""
        check_drawn(sampling.pace, self.settings.start == "paced")
        chance = chance_of(noise, sampling.pace)

        def velocity(z: torch.Tensor, t: float) -> torch.Tensor:
            return self._velocity(z, torch.full((len(z),), t, device=z.device), batch)

        change = followed(velocity, self._start(batch, noise), sampling.sampler, sampling.steps)
        return self.usual.followup(batch, change, chance)

    def _start(self, batch: Batch, noise: Noise) -> torch.Tensor:
        """(B, 1, X, Y, Z) z at t = 0; draws no noise where none is asked for."""
        if self.settings.noise == 0:
            return torch.zeros_like(batch.source)
        return self.settings.noise * noise() * batch.brain

    def _times(self, count: int, device: torch.device) -> torch.Tensor:
        """(count,) drawn uniformly, about half of them moved to 0.

        Without noise, z and t tell the velocity, z / t, everywhere but at the
        start: that is where a follow-up must be foretold and where one step gets it from.
        """
        t = torch.rand(count, device=device)
        return torch.where(torch.rand(count, device=device) < _SHARE_AT_THE_START, 0.0, t)

    def _velocity(self, z: torch.Tensor, t: torch.Tensor, batch: Batch) -> torch.Tensor:
        numbers = {"time": _TOLD * t} | numbers_of(batch, self.settings.conditions)
        history = history_of(batch, self.settings.conditions)
        return self.network({"so_far": z, "source": batch.source}, numbers, history) * batch.brain


def followed(
    velocity: Callable[[torch.Tensor, float], torch.Tensor],  # (z, t) to dz/dt
    z: torch.Tensor,
    sampler: str,
    steps: int,
) -> torch.Tensor:
    """Return where z is at t = 1, having started at t = 0, by Euler's or Heun's method."""
    for step in range(steps):
        here = velocity(z, step / steps)
        ahead = z + here / steps
        if sampler == "heun":
            ahead = z + (here + velocity(ahead, (step + 1) / steps)) / (2 * steps)
        z = ahead
    return z
