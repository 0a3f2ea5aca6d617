"""Plain regression: one pass from the source to the expected change, no diffusion.

It is the honest yardstick for `diffusion` with one step, which answers the same question.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

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
from brainlapse.models.motion import CHANNELS, change_by_motion
from brainlapse.models.settings import one_of
from brainlapse.models.unet import NetworkSettings, UNet


@dataclass(frozen=True)
class Settings:
    """A regression row of config.yaml."""

    predict: str = "motion"  # how the network says the change: by moving tissue, or voxel by voxel (change)
    start: str = "paced"  # what the network's change is measured from: change.py
    conditions: tuple[str, ...] = CONDITIONS  # what the network is told
    network: NetworkSettings = field(default_factory=NetworkSettings)

    def __post_init__(self):
        one_of("predict", self.predict, ("motion", "change"))
        one_of("start", self.start, STARTS)
        check_conditions(self.conditions)
        if "source" not in self.conditions:
            raise Refused("conditions: regression predicts the change of the source and must be given it.")


@dataclass(frozen=True)
class Sampling:
    """Regression has one answer and nothing to choose."""

    draws: ClassVar[int] = 1


class Regression(nn.Module):
    """The expected change given source and interval, learnt by least squares."""

    Settings = Settings
    Sampling = Sampling

    def __init__(self, settings: Settings, shape: tuple[int, int, int]):
        super().__init__()
        self.settings = settings
        self.by_interval = "interval" in settings.conditions
        outputs = CHANNELS if settings.predict == "motion" else 1
        told = numbers_told(settings.conditions)
        with_history = HISTORY in settings.conditions
        self.network = UNet(settings.network, shape, ("source",), told, outputs, with_history)
        self.usual = UsualChange(shape, settings.conditions, settings.start)

    def calibrate(self, batches: Iterable[Batch]) -> None:
        """Fit the usual change to training pairs."""
        self.usual.fit(batches)

    def players(self) -> dict[str, list[nn.Parameter]]:
        """One network, one player."""
        return {"network": list(self.network.parameters())}

    def loss(self, batch: Batch, player: str) -> torch.Tensor:
        """Mean squared error of the standardised change in the brain; 1 for the average person's."""
        return brain_mean((self._change(batch) - self.usual.standardised(batch)).square(), batch.brain)

    def generate(self, batch: Batch, noise: Noise, sampling: Sampling) -> torch.Tensor:
        """The expected follow-up; the noise is not used."""
        return self.usual.followup(batch, self._change(batch))

    def _change(self, batch: Batch) -> torch.Tensor:
        numbers = numbers_of(batch, self.settings.conditions)
        history = history_of(batch, self.settings.conditions)
        said = self.network({"source": batch.source}, numbers, history)
        if self.settings.predict == "change":
            return said * batch.brain
        return change_by_motion(said, batch, self.usual.sd, self.by_interval)
