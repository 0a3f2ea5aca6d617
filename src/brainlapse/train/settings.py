"""The `training` of a row in config.yaml."""

from dataclasses import dataclass

from brainlapse.errors import Refused
from brainlapse.models.settings import at_least, one_of


@dataclass(frozen=True)
class TrainingSettings:
    """How long and how a model is trained; the same keys for every family."""

    steps: int = 100_000
    batch: int = 4  # pairs in a step
    learning_rate: float = 2.0e-4  # of Adam, at its highest
    schedule: str = "cosine"  # of the learning rate after the warm-up: constant, or cosine down to 0
    warmup_steps: int = 1000  # in which the learning rate rises linearly
    ema: float = 0.999  # share of the running average of the weights that a step keeps; 0 for none
    precision: str = "bf16"  # of the convolutions; weights and Adam are always fp32
    checkpoint_minutes: float = 10.0  # at most this much is lost when the job is killed

    def __post_init__(self):
        at_least("training.steps", self.steps, 1)
        at_least("training.batch", self.batch, 1)
        at_least("training.warmup_steps", self.warmup_steps, 0)
        at_least("training.checkpoint_minutes", self.checkpoint_minutes, 0, whole=False)
        at_least("training.ema", self.ema, 0, whole=False)
        at_least("training.learning_rate", self.learning_rate, 0, whole=False)
        if self.learning_rate == 0:
            raise Refused("training.learning_rate: 0 learns nothing.")
        if self.ema >= 1:
            raise Refused(f"training.ema: must be less than 1, not {self.ema}.")
        one_of("training.schedule", self.schedule, ("constant", "cosine"))
        one_of("training.precision", self.precision, ("fp32", "bf16"))
