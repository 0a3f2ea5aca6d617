"""A batch: what a model is told, and while it learns, what came of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields

import torch

from brainlapse.volumes import BACKGROUND

# Each call gives the next standard normal numbers, shaped as the sources of the batch.
Noise = Callable[[], torch.Tensor]


@dataclass(frozen=True)
class Batch:
    """Sources and targets (B, 1, X, Y, Z) in [-1, 1], background exactly -1; interval_years (B,).

    `target` is None when a follow-up is to be generated. `facts` are those of
    `conditions.FACTS`, (B,) each; what is not there is not known. `history` are
    scans of the same people before the source, (B, K, X, Y, Z), and
    `history_years` (B, K) how long before it each was made: positive, NaN where a
    person has fewer than K. None: nobody has any.
    """

    source: torch.Tensor
    interval_years: torch.Tensor
    target: torch.Tensor | None = None
    facts: Mapping[str, torch.Tensor] = field(default_factory=dict)
    history: torch.Tensor | None = None
    history_years: torch.Tensor | None = None

    @property
    def brain(self) -> torch.Tensor:
        """Boolean mask (B, 1, X, Y, Z) of the brain of each source."""
        return self.source > BACKGROUND

    def fact(self, name: str) -> torch.Tensor:
        """(B,) what is known of the people, NaN where it is not."""
        return self.facts.get(name, torch.full_like(self.interval_years, torch.nan))

    def to(self, device: torch.device) -> "Batch":
        """The same batch on another device."""
        volumes = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "facts"}
        there = {name: None if it is None else it.to(device) for name, it in volumes.items()}
        return Batch(**there, facts={name: numbers.to(device) for name, numbers in self.facts.items()})
