"""A cohort's volumes in parts, for as many jobs of a cluster, and their tables put together again."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

import pandas as pd

from brainlapse import tables
from brainlapse.errors import Refused

_Task = TypeVar("_Task")


@dataclass(frozen=True)
class Shard:
    """The `number`-th of `of` parts, counted from 1."""

    number: int
    of: int

    @classmethod
    def read(cls, text: str) -> Self:
        """The shard written as `2/8`. Raises Refused for what is none."""
        number, _, of = text.partition("/")
        if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
            raise Refused(f"--shard: write which part of how many, such as 2/8, not {text}.")
        return cls(int(number), int(of))

    @property
    def table(self) -> str:
        """The name of its table of samples."""
        return f"samples-{self.number}-of-{self.of}.tsv"

    def part(self, tasks: Sequence[_Task]) -> Sequence[_Task]:
        """Its tasks: every `of`-th, so that long and short requests are spread."""
        return tasks[self.number - 1 :: self.of]


def gathered(requests: pd.DataFrame, out: Path, of: int) -> pd.DataFrame:
    """Return the samples of all shards in the order of the requests.

    Raises Refused if a shard's table is absent, or the shards answer other
    requests than are asked now.
    """
    shards = [Shard(number, of) for number in range(1, of + 1)]
    samples = pd.concat(
        [tables.read(out / shard.table, tables.SAMPLES) for shard in shards], ignore_index=True
    )
    place = {request: number for number, request in enumerate(requests["request"])}
    if set(samples["request"]) != set(place):
        raise Refused(
            f"{out}: the {of} shards' tables answer other requests than pairs.tsv and the settings ask. "
            "Run every shard again."
        )
    order = samples.assign(place=samples["request"].map(place)).sort_values(["place", "draw"]).index
    return samples.loc[order].reset_index(drop=True)
