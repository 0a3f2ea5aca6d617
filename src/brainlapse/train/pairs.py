"""The training pairs: which there are, and the volumes of any of them as a batch."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from brainlapse import tables
from brainlapse.errors import Refused
from brainlapse.models import Batch
from brainlapse.models.conditions import facts_of

_FEWEST_SUBJECTS = 3
_CALIBRATION_PAIRS = 256


class TrainingPairs:
    """The pairs of the training split, over the packed volumes of all cohorts, memory-mapped.

    Raises Refused, before a volume is read, if a table is broken, a pair's scan
    was not accepted, the volumes lie on another grid, or the people are too few.
    """

    def __init__(self, pairs: Path, quality: Sequence[Path], shape: tuple[int, int, int]):
        table = tables.read(pairs, tables.PAIRS)
        self.table = table[table["split"] == "train"].reset_index(drop=True)
        self.subjects = len(self.table[["cohort", "subject"]].drop_duplicates())
        if self.subjects < _FEWEST_SUBJECTS:
            raise Refused(
                f"{pairs}: {self.subjects} people are in the training split; {_FEWEST_SUBJECTS} are the "
                "least to train on. Look at splits.train in the config and at quality.tsv."
            )
        self._rows, self._volumes = {}, {}
        for path in quality:
            self._add_cohort(Path(path), shape)
        self.sources, self.targets = self._found("source_scan", pairs), self._found("target_scan", pairs)
        self.facts = facts_of(self.table)
        self.years = torch.tensor(self.table["interval_years"].to_numpy(), dtype=torch.float32)

    def __len__(self) -> int:
        return len(self.table)

    def __str__(self) -> str:
        return f"{len(self)} pairs of {self.subjects} people"

    def batch(self, indices: Sequence[int]) -> Batch:
        """The chosen pairs, packed: volumes (B, 1, X, Y, Z) of bytes."""
        return Batch(
            source=_stacked([self._volume(self.sources[i]) for i in indices]),
            interval_years=self.years[list(indices)],
            target=_stacked([self._volume(self.targets[i]) for i in indices]),
            facts={name: numbers[list(indices)] for name, numbers in self.facts.items()},
        )

    def spread(self) -> Iterator[Batch]:
        """Single pairs, spread evenly over the table, enough to fit a normalisation to."""
        count = min(len(self), _CALIBRATION_PAIRS)
        for index in np.linspace(0, len(self) - 1, count).round().astype(int):
            yield unpacked(self.batch([index]), torch.device("cpu"))

    def digest(self) -> str:
        """A fingerprint of all that training sees: pairs, intervals, facts and voxels."""
        seen = hashlib.blake2b()
        for numbers in (self.years, *self.facts.values()):
            seen.update(numbers.numpy().tobytes())
        first_seen = {}
        for place in self.sources + self.targets:
            if place not in first_seen:
                first_seen[place] = len(first_seen)
                seen.update(self._volume(place).tobytes())
        seen.update(repr([first_seen[place] for place in self.sources + self.targets]).encode())
        return seen.hexdigest()

    def _add_cohort(self, quality: Path, shape: tuple[int, int, int]) -> None:
        accepted = tables.read(quality, tables.QUALITY).dropna(subset=["packed_row"])
        accepted = accepted[accepted["status"] == "accepted"]
        packed = quality.parent / "volumes.npy"
        try:
            volumes = np.load(packed, mmap_mode="r", allow_pickle=False)
        except FileNotFoundError:
            raise Refused(f"{packed} is not there. The stage preprocess must run first.") from None
        except (ValueError, EOFError, OSError) as error:
            raise Refused(f"{packed} cannot be read: {error}. Run preprocess again.") from None
        if volumes.dtype != np.uint8 or volumes.shape[1:] != tuple(shape):
            raise Refused(
                f"{packed} holds {volumes.dtype} volumes of {list(volumes.shape[1:])} voxels; grid.shape is "
                f"{list(shape)}. Run preprocess again."
            )
        if len(accepted) and accepted["packed_row"].max() >= len(volumes):
            raise Refused(f"{quality} names a packed_row beyond the {len(volumes)} of {packed.name}.")
        for cohort, scan, row in accepted[["cohort", "scan", "packed_row"]].itertuples(index=False):
            self._rows[cohort, scan] = (quality, int(row))
        self._volumes[quality] = volumes

    def _found(self, column: str, pairs: Path) -> list[tuple[Path, int]]:
        keys = list(self.table[["cohort", column]].itertuples(index=False, name=None))
        absent = [key for key in keys if key not in self._rows]
        if absent:
            cohort, scan = absent[0]
            raise Refused(
                f"{pairs}: scan {scan} of cohort {cohort} is in no quality.tsv as accepted. "
                "Run the stage pairs again."
            )
        return [self._rows[key] for key in keys]

    def _volume(self, place: tuple[Path, int]) -> np.ndarray:
        quality, row = place
        return self._volumes[quality][row]


def unpacked(packed: Batch, device: torch.device) -> Batch:
    """A batch of bytes as volumes in [-1, 1] on the device; bytes travel there in a quarter of the time."""
    there = packed.to(device)
    return replace(there, source=_from_bytes(there.source), target=_from_bytes(there.target))


def draw(pairs: int, batch: int, seed: int, step: int) -> list[int]:
    """Which pairs a step sees: decided by seed and step alone."""
    return np.random.default_rng([seed, step]).integers(pairs, size=batch).tolist()


def _stacked(volumes: list[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.stack(volumes)[:, None])


def _from_bytes(packed: torch.Tensor) -> torch.Tensor:
    """`volumes.from_bytes` for tensors."""
    return packed.float() / 127.5 - 1
