"""The `training` of a row in config.yaml."""

from dataclasses import dataclass

from brainlapse.errors import Refused
from brainlapse.models.settings import at_least, one_of


@dataclass(frozen=True)
class TrainingSettings:
    """How long and how a model is trained; the same keys for every family.

    All of these decide the result. What does not (how often a checkpoint is
    written, on how many processes) is said on the command line.
    """

    steps: int = 100_000
    batch: int = 4  # pairs in a step
    accumulate: int = 1  # parts of a batch that are computed one after the other; gradients are averaged
    learning_rate: float = 2.0e-4  # of Adam, at its highest
    betas: tuple[float, float] = (0.9, 0.999)  # of Adam: how slowly its two moments forget
    schedule: str = "cosine"  # of the learning rate after the warm-up: constant, or cosine down to 0
    warmup_steps: int = 1000  # in which the learning rate rises linearly
    clip: float = 1.0  # longest gradient; a longer one is shortened to it. 0: none is
    ema: float = 0.999  # share of the running average of the weights that a step keeps; 0 for none
    precision: str = "bf16"  # of the convolutions; weights and Adam are always fp32

    def __post_init__(self):
        at_least("training.steps", self.steps, 1)
        at_least("training.batch", self.batch, 1)
        at_least("training.accumulate", self.accumulate, 1)
        at_least("training.warmup_steps", self.warmup_steps, 0)
        at_least("training.clip", self.clip, 0, whole=False)
        at_least("training.ema", self.ema, 0, whole=False)
        at_least("training.learning_rate", self.learning_rate, 0, whole=False)
        if self.batch % self.accumulate:
            raise Refused(
                f"training.accumulate: {self.accumulate} parts of equal size do not make a training.batch of "
                f"{self.batch}."
            )
        if self.learning_rate == 0:
            raise Refused("training.learning_rate: 0 learns nothing.")
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise Refused(
                f"training.betas: must be two numbers from 0 to less than 1, not {list(self.betas)}."
            )
        if self.ema >= 1:
            raise Refused(f"training.ema: must be less than 1, not {self.ema}.")
        one_of("training.schedule", self.schedule, ("constant", "cosine"))
        one_of("training.precision", self.precision, ("fp32", "bf16", "fp16"))
