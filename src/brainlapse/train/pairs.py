"""The pairs of scans of a split: which there are, and the volumes of any of them as a batch."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from brainlapse import tables
from brainlapse.errors import Refused
from brainlapse.models import Batch
from brainlapse.models.conditions import facts_of
from brainlapse.models.history import earlier_scans
from brainlapse.models.settings import one_of
from brainlapse.train import store
from brainlapse.train.store import Store

_FEWEST_SUBJECTS = 3
_CALIBRATION_PAIRS = 256
_VOLUMES = ("source", "target", "history")

Place = tuple[Path, int]  # a cohort's quality.tsv and a row of the volumes.npy beside it


class TrainingPairs:
    """The pairs of a split over the packed volumes of all cohorts.

    `where` says where the volumes are: `mapped`, read from the file at each
    use, or `device`, brought to this process's GPU (without one, to memory) at
    the beginning. `history` says whether a batch holds the scans before the
    source; those that were not accepted are left out.

    Raises Refused, before a volume is read, if a table is broken, a pair's scan
    was not accepted, the volumes lie on another grid, or the people to train on
    are too few. Another split than `train` may be empty.
    """

    def __init__(
        self,
        pairs: Path,
        quality: Sequence[Path],
        shape: tuple[int, int, int],
        split: str = "train",
        where: str = store.MAPPED,
        history: bool = False,
    ):
        one_of("train.volumes", where, store.PLACES)
        table = tables.read(pairs, tables.PAIRS)
        self.table = table[table["split"] == split].reset_index(drop=True)
        self.subjects = len(self.table[["cohort", "subject"]].drop_duplicates())
        if split == "train" and self.subjects < _FEWEST_SUBJECTS:
            raise Refused(
                f"{pairs}: {self.subjects} people are in the training split; {_FEWEST_SUBJECTS} are the "
                "least to train on. Look at splits.train in the config and at quality.tsv."
            )
        self._rows: dict[tuple[str, str], Place] = {}
        self._stores: dict[Path, Store] = {}
        for path in quality:
            self._add_cohort(Path(path), shape)
        self._dtype = self._common_dtype()
        self._shape = tuple(shape)
        self.sources, self.targets = self._found("source_scan", pairs), self._found("target_scan", pairs)
        self.earlier = self._earlier() if history else [[] for _ in self.sources]
        self.facts = facts_of(self.table)
        self.years = torch.tensor(self.table["interval_years"].to_numpy(), dtype=torch.float32)
        self._device = _own_device() if where == store.RESIDENT else torch.device("cpu")
        if where == store.RESIDENT:
            for path, rows in self._rows_used().items():
                self._stores[path].settle(rows, self._device)

    def __len__(self) -> int:
        return len(self.table)

    def __str__(self) -> str:
        return f"{len(self)} pairs of {self.subjects} people"

    def batch(self, indices: Sequence[int]) -> Batch:
        """The chosen pairs, packed: volumes (B, 1, X, Y, Z) of bytes or half-precision numbers.

        `history` is (B, K, X, Y, Z), K the most that any pair of the table has,
        background where a pair has fewer; None if none has any.
        """
        indices = list(indices)
        history, history_years = self._history(indices)
        return Batch(
            source=self._volumes([[self.sources[i]] for i in indices], 1),
            interval_years=self.years[indices],
            target=self._volumes([[self.targets[i]] for i in indices], 1),
            facts={name: numbers[indices] for name, numbers in self.facts.items()},
            history=history,
            history_years=history_years,
        )

    def spread(self) -> "Spread":
        """Single pairs, spread evenly over the table, enough to fit a normalisation to."""
        count = min(len(self), _CALIBRATION_PAIRS)
        return Spread(self, np.linspace(0, len(self) - 1, count).round().astype(int).tolist())

    def digest(self) -> str:
        """A fingerprint of all that is seen: pairs, intervals, facts, history and every voxel of their scans.

        Each scan is read once, in the order of its file. Where a scan stands in
        its file, and scans that no pair uses, do not count.
        """
        voxels = {
            (path, row): digest
            for path, rows in self._rows_used().items()
            for row, digest in self._stores[path].digests(rows).items()
        }
        seen = hashlib.blake2b(str(self._dtype).encode())
        for numbers in (self.years, *self.facts.values()):
            seen.update(numbers.numpy().tobytes())
        for source, target, earlier in zip(self.sources, self.targets, self.earlier, strict=True):
            seen.update(voxels[source] + voxels[target])
            seen.update(repr([(voxels[place], years) for place, years in earlier]).encode())
        return seen.hexdigest()

    def _add_cohort(self, quality: Path, shape: tuple[int, int, int]) -> None:
        accepted = tables.read(quality, tables.QUALITY).dropna(subset=["packed_row"])
        accepted = accepted[accepted["status"] == "accepted"]
        volumes = Store(quality.parent / "volumes.npy", shape)
        if len(accepted) and accepted["packed_row"].max() >= len(volumes):
            raise Refused(f"{quality} names a packed_row beyond the {len(volumes)} of {volumes.path.name}.")
        for cohort, scan, row in accepted[["cohort", "scan", "packed_row"]].itertuples(index=False):
            self._rows[cohort, scan] = (quality, int(row))
        self._stores[quality] = volumes

    def _common_dtype(self) -> torch.dtype:
        kinds = {volumes.dtype: volumes.path for volumes in self._stores.values()}
        if len(kinds) > 1:
            raise Refused(
                f"{' and '.join(map(str, kinds.values()))} are packed differently. Run preprocess again: "
                "preprocess.store holds for all cohorts."
            )
        return next(iter(kinds))

    def _found(self, column: str, pairs: Path) -> list[Place]:
        keys = list(self.table[["cohort", column]].itertuples(index=False, name=None))
        absent = [key for key in keys if key not in self._rows]
        if absent:
            cohort, scan = absent[0]
            raise Refused(
                f"{pairs}: scan {scan} of cohort {cohort} is in no quality.tsv as accepted. "
                "Run the stage pairs again."
            )
        return [self._rows[key] for key in keys]

    def _earlier(self) -> list[list[tuple[Place, float]]]:
        """The accepted scans before each pair's source, newest first, and how many years before."""
        return [
            [(self._rows[cohort, scan], years) for scan, years in scans if (cohort, scan) in self._rows]
            for cohort, scans in zip(self.table["cohort"], earlier_scans(self.table), strict=True)
        ]

    def _rows_used(self) -> dict[Path, set[int]]:
        """The rows of each cohort's store that some pair needs."""
        used: dict[Path, set[int]] = {}
        earlier = [place for scans in self.earlier for place, _ in scans]
        for path, row in (*self.sources, *self.targets, *earlier):
            used.setdefault(path, set()).add(row)
        return used

    def _history(self, indices: list[int]) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        most = max(map(len, self.earlier), default=0)
        if most == 0:
            return None, None
        years = torch.full((len(indices), most), torch.nan)
        for row, index in enumerate(indices):
            for column, (_, before) in enumerate(self.earlier[index]):
                years[row, column] = before
        return self._volumes([[place for place, _ in self.earlier[i]] for i in indices], most), years

    def _volumes(self, places: Sequence[Sequence[Place]], width: int) -> torch.Tensor:
        """(B, width, X, Y, Z) packed volumes; background where a row has fewer than `width`."""
        empty = store.background(self._dtype)
        # From pinned memory a GPU fetches while it computes.
        pinned = self._device.type == "cpu" and torch.cuda.is_available()
        shape = (len(places) * width, *self._shape)
        volumes = torch.full(shape, empty, dtype=self._dtype, device=self._device, pin_memory=pinned)
        wanted: dict[Path, list[tuple[int, int]]] = {}
        for number, own in enumerate(places):
            for column, (path, row) in enumerate(own):
                wanted.setdefault(path, []).append((row, number * width + column))
        for path, found in wanted.items():
            rows, at = zip(*found, strict=True)
            self._stores[path].put(rows, volumes, at)
        return volumes.unflatten(0, (len(places), width))


def unpacked(packed: Batch, device: torch.device) -> Batch:
    """A packed batch as volumes in [-1, 1] on the device; packed, they travel in a quarter of the time."""
    volumes = {name: getattr(packed, name) for name in _VOLUMES if getattr(packed, name) is not None}
    waiting = device.type != "cuda"  # a copy back from a GPU is there only when it has been waited for
    there = {name: tensor.to(device, non_blocking=not waiting) for name, tensor in volumes.items()}
    rest = replace(packed, **dict.fromkeys(volumes)).to(device)
    return replace(rest, **{name: store.unpacked(tensor) for name, tensor in there.items()})


def _own_device() -> torch.device:
    if torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("cpu")


def draw(pairs: int, batch: int, seed: int, step: int) -> list[int]:
    """Which pairs a step sees: decided by seed and step alone."""
    return np.random.default_rng([seed, step]).integers(pairs, size=batch).tolist()


@dataclass(frozen=True)
class Spread:
    """Some of the pairs, one a batch, which can be gone through again and again."""

    pairs: TrainingPairs
    indices: list[int]

    def __iter__(self) -> Iterator[Batch]:
        return (unpacked(self.pairs.batch([index]), torch.device("cpu")) for index in self.indices)
