"""How fast a person goes along the usual change: a straight line, fitted to pairs before a network learns.

What a network of few steps does not learn is that some people change at twice
the rate of others. That is one number a person, and what foretells it is known:
the facts that the row is told, and how far the person has come already, since
who has lost much tissue is losing more. So it is fitted by least squares, as in
any study of rates, and the network is left what a number cannot say.

The line does not know everything: people of whom it says the same differ, by
about a quarter to a third of the average pace. That is most of what is not known of a
person's future, and a draw (`sampling.pace: drawn`) is at a pace as likely as theirs:
a random slope, as mixed models of rates have it (Laird and Ware 1982).
"""

import torch
from torch import nn

from brainlapse.errors import Refused
from brainlapse.models.batch import Batch, Noise
from brainlapse.models.conditions import FACTS

# As if pairs of so many squared years had shown the average pace, whatever is known of the person. On
# phantoms and real heads with known rates 15 to 100 foretold the test people's about as well.
_AVERAGE_YEARS2 = 30.0
EXPECTED, DRAWN = "expected", "drawn"
PACES = (EXPECTED, DRAWN)


class Pace(nn.Module):
    """Foretells a person's pace along a change: 1 is that of the average person of the training pairs.

    `facts` are those of `conditions.FACTS` that it may use; one that is not known
    counts as the average. A pace that no training pair was given is not foretold. `spread`
    is how far people's paces are from those foretold, a standard deviation.
    """

    def __init__(self, facts: tuple[str, ...]):
        super().__init__()
        self.facts = facts
        columns = 1 + sum(max(1, len(FACTS[name].categories)) for name in facts)
        self.register_buffer("centre", torch.zeros(columns))
        self.register_buffer("scale", torch.ones(columns))
        self.register_buffer("weights", torch.zeros(1 + columns))
        self.register_buffer("limits", torch.ones(2))
        self.register_buffer("spread", torch.zeros(()))

    def fit(self, known: torch.Tensor, seen: torch.Tensor, years: torch.Tensor) -> None:
        """Least squares, weighted by squared years and shrunk towards 1.

        `known` (n, columns) by `known_of` each pair, `seen` (n,) the pace that
        its change went at, `years` (n,).
        """
        self.centre.copy_(known.nanmean(dim=0).nan_to_num())
        self.scale.copy_((known - self.centre).square().nanmean(dim=0).sqrt().nan_to_num().clamp(min=1e-6))
        columns, weights = self._standardised(known).double(), years.double().square()
        information = columns.T @ (weights[:, None] * columns)
        information += _AVERAGE_YEARS2 * torch.eye(len(information), dtype=torch.float64)
        self.weights.copy_(torch.linalg.solve(information, columns.T @ (weights * (seen.double() - 1))))
        paces = 1 + self._standardised(known) @ self.weights
        self.limits.copy_(torch.stack([paces.min(), paces.max()]))
        # Weighted alike, since the shorter the interval, the more of what is left is the scans' noise.
        self.spread.copy_(((weights * (seen - paces).square()).sum() / weights.sum()).sqrt())

    def known_of(self, batch: Batch, change: torch.Tensor) -> torch.Tensor:
        """(B, columns): how far along `change` (B, 1, X, Y, Z) each source is; the facts, NaN if unknown."""
        columns = [along(batch.source, batch, change)]
        for name in self.facts:
            fact, categories = batch.fact(name), len(FACTS[name].categories)
            of_each = [
                torch.where(fact.isnan(), fact, (fact == place).float()) for place in range(categories)
            ]
            columns += of_each or [fact]
        return torch.stack(columns, dim=1)

    def forward(self, batch: Batch, change: torch.Tensor, chance: torch.Tensor | None = None) -> torch.Tensor:
        """(B,) the foretold paces along `change` (B, 1, X, Y, Z); with `chance`, (B,) normal, drawn ones."""
        paces = 1 + self._standardised(self.known_of(batch, change)) @ self.weights
        paces = paces.clamp(*self.limits)
        return paces if chance is None else paces + self.spread * chance

    def _standardised(self, known: torch.Tensor) -> torch.Tensor:
        columns = ((known - self.centre) / self.scale).nan_to_num()
        return torch.cat([torch.ones_like(columns[:, :1]), columns], dim=1)


def chance_of(noise: Noise, pace: str) -> torch.Tensor | None:
    """(B,) the chance of each sample, one number of its noise; None where `pace` is not to be drawn."""
    return noise()[:, 0, 0, 0, 0] if pace == DRAWN else None


def check_drawn(pace: str, paced: bool) -> None:
    """Refuse to draw where no pace is foretold."""
    if pace == DRAWN and not paced:
        raise Refused("sampling.pace: drawn needs a pace that is foretold, by a row with start: paced.")


def along(volume: torch.Tensor, batch: Batch, change: torch.Tensor) -> torch.Tensor:
    """(B,) how many times `change` a volume (B, 1, X, Y, Z) holds in the brains: a projection."""
    inside = change * batch.brain
    squares = inside.square().sum(dim=(1, 2, 3, 4))
    return (volume * inside).sum(dim=(1, 2, 3, 4)) / squares.clamp(min=torch.finfo(squares.dtype).tiny)
