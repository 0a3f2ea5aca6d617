"""The average person's motion and nothing else: what can be foretold without a network.

At everybody's pace, or (`start: paced`) at that which a straight line
foretells for the person. What a model scores beyond this row is what its network has learnt.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn

from brainlapse.errors import Refused
from brainlapse.models.batch import Batch, Noise
from brainlapse.models.change import UsualChange
from brainlapse.models.conditions import CONDITIONS, FACTS, check_conditions
from brainlapse.models.pace import EXPECTED, PACES, chance_of, check_drawn
from brainlapse.models.settings import at_least, one_of


@dataclass(frozen=True)
class Settings:
    """An average row of config.yaml."""

    start: str = "usual"  # at the average pace, or at the person's: change.py
    conditions: tuple[str, ...] = CONDITIONS  # with the interval the motion of one year, else of a pair

    def __post_init__(self):
        one_of("start", self.start, ("usual", "paced"))
        check_conditions(self.conditions)
        allowed = {*CONDITIONS, *(FACTS if self.start == "paced" else ())}
        if "source" not in self.conditions or not allowed.issuperset(self.conditions):
            raise Refused(
                "conditions: the average motion starts from the source and may grow with the interval, and "
                "with start: paced with facts too. It may be told source, "
                f"{', '.join(sorted(allowed - {'source'}))}, not {', '.join(self.conditions)}."
            )


@dataclass(frozen=True)
class Sampling:
    """The `sampling` of an average row."""

    pace: str = EXPECTED  # drawn, with start: paced: one of those that people of whom the same is known go at
    draws: int = 1  # follow-ups for each request

    def __post_init__(self):
        one_of("sampling.pace", self.pace, PACES)
        at_least("sampling.draws", self.draws, 1)


class Average(nn.Module):
    """The source after the average motion of the training pairs."""

    Settings = Settings
    Sampling = Sampling

    def __init__(self, settings: Settings, shape: tuple[int, int, int]):
        super().__init__()
        self.settings = settings
        self.usual = UsualChange(shape, settings.conditions, settings.start)

    def calibrate(self, batches: Iterable[Batch]) -> None:
        """Fit the average: all there is to learn."""
        self.usual.fit(batches)

    def players(self) -> dict[str, list[nn.Parameter]]:
        """Nobody plays."""
        return {}

    def loss(self, batch: Batch, player: str) -> torch.Tensor:
        """There is no player to ask for one."""
        raise AssertionError("the average has no players")

    def generate(self, batch: Batch, noise: Noise, sampling: Sampling) -> torch.Tensor:
        """The usual follow-up; of the noise a drawn pace is made."""
        check_drawn(sampling.pace, self.settings.start == "paced")
        return self.usual.followup(batch, torch.zeros_like(batch.source), chance_of(noise, sampling.pace))
