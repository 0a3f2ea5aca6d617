"""What scans before the source say: how fast this person has been changing.

Each earlier scan is told as the change since then, for one year, with the years
that lie between: the longer, the less of it is noise. There may be any number of
them, none as well; they are told alike and averaged, so their order does not count.
"""

import pandas as pd
import torch
from torch import nn

from brainlapse.models.batch import Batch

_SHORTEST_YEARS = 0.25  # a change in less time is mostly noise, which dividing by it would blow up


def changes_before(batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the change a year from each earlier scan to the source, and the years between.

    (B, K, X, Y, Z) within the brain of the source, 0 where there is no such
    scan; and (B, K), NaN there. K is 1 at least.
    """
    if batch.history is None:
        years = torch.full_like(batch.interval_years, torch.nan)[:, None]
        return torch.zeros_like(batch.source), years
    years = batch.history_years
    there = years.isfinite()
    divisor = years.nan_to_num(1.0).clamp(min=_SHORTEST_YEARS)[:, :, None, None, None]
    told = there[:, :, None, None, None] & batch.brain
    return torch.where(told, (batch.source - batch.history) / divisor, 0.0), years


class HistoryStem(nn.Module):
    """Changes, cut into patches, and the years between to features, averaged over the changes of a person.

    `encoder` takes (n,) years to (n, 2 width): scale and shift of the n-th change's features.
    """

    def __init__(self, voxels: int, width: int, encoder: nn.Module):
        super().__init__()
        self.look = nn.Conv3d(voxels, width, 3, padding=1)
        self.encoder = encoder

    def forward(self, patches: torch.Tensor, years: torch.Tensor) -> torch.Tensor:
        """Patches (B·K, voxels, X, Y, Z) and years (B, K) → (B, width, X, Y, Z).

        A change whose years are NaN is not heard.
        """
        seen = self.look(patches)
        scale, shift = self.encoder(years.flatten())[:, :, None, None, None].chunk(2, dim=1)
        heard = (seen * (1 + scale) + shift).unflatten(0, years.shape)
        weights = years.isfinite().float()
        weights = weights / weights.sum(dim=1, keepdim=True).clamp(min=1)
        return (heard * weights[:, :, None, None, None, None]).sum(dim=1)


def earlier_scans(rows: pd.DataFrame) -> list[list[tuple[str, float]]]:
    """Each row's (scan, years before the source), newest first, of pairs.tsv or requests.tsv."""

    def parts(value: object) -> list[str]:
        return value.split(",") if isinstance(value, str) else []

    return [
        [(scan, float(years)) for scan, years in zip(parts(scans), parts(years), strict=True)]
        for scans, years in zip(rows["history"], rows["history_years"], strict=True)
    ]
