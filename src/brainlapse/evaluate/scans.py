"""Where the volumes of a cohort and of a model's samples lie, read on [0, 1] and a few at a time."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from brainlapse import tables
from brainlapse.errors import Refused
from brainlapse.volumes import read_volume

# Requests come subject by subject: a person's scans are read once and no cohort is ever held.
KEPT_VOLUMES = 12


class Scans:
    """The preprocessed scans of one cohort, by scan id."""

    def __init__(self, quality: Path):
        self.path = quality
        self.rows = tables.read(quality, tables.QUALITY).set_index("scan")
        self.read = lru_cache(KEPT_VOLUMES)(self._read)

    def _read(self, scan: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Volume (X, Y, Z) on [0, 1], boolean brain mask (X, Y, Z), affine (4, 4) of an accepted scan."""
        if scan not in self.rows.index or self.rows.at[scan, "status"] != "accepted":
            raise Refused(f"{self.path} has no accepted scan {scan}, yet a request names it. "
                          "Run the stages pairs and sample again.")  # fmt: skip
        row = self.rows.loc[scan]
        volume, affine = read_volume(self.path.parent / row["image"])
        mask, _ = read_volume(self.path.parent / row["mask"])
        if mask.shape != volume.shape or not mask.any():
            raise Refused(f"{self.path.parent / row['mask']} is empty or not of its scan's shape.")
        return unit_range(volume), np.ascontiguousarray(mask > 0), affine


class Samples:
    """The requests of one model and cohort, and the volumes that answer them."""

    def __init__(self, folder: Path, cohort: str):
        self.folder = folder
        requests = tables.read(folder / "requests.tsv", tables.REQUESTS)
        requests = requests[requests["cohort"] == cohort]
        if requests.empty:
            raise Refused(f"{folder / 'requests.tsv'} has no request of cohort {cohort}.")
        self.requests = requests.sort_values(["subject", "source_scan", "request"], ignore_index=True)
        drawn = tables.read(folder / "samples.tsv", tables.SAMPLES).sort_values("draw")
        self.images: dict[str, list[str]] = drawn.groupby("request")["image"].apply(list).to_dict()
        unanswered = set(self.requests["request"]) - set(self.images)
        if unanswered:
            raise Refused(f"{folder / 'samples.tsv'} has no sample for request {min(unanswered)}. "
                          "Run the stage sample again.")  # fmt: skip

    def draws(self, request: pd.Series, shape: tuple[int, ...]):
        """Yield the request's samples, draw 0 first: the image's name and (X, Y, Z) on [0, 1]."""
        for image in self.images[request["request"]]:
            volume, _ = read_volume(self.folder / image)
            if volume.shape != shape:
                raise Refused(f"{self.folder / image} has shape {volume.shape}, its source {shape}.")
            yield image, unit_range(volume)


def unit_range(volume: np.ndarray) -> np.ndarray:
    """[-1, 1] to [0, 1], in float32 and C order: in NIfTI's order a mask takes ten times as long."""
    moved = np.add(volume, 1, order="C", dtype=np.float32)
    moved /= 2
    return moved
