"""The preprocessed volumes that samples start from, found by scan."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from brainlapse import tables
from brainlapse.errors import Refused
from brainlapse.volumes import BACKGROUND, read_volume


@dataclass(frozen=True)
class InScanner:
    """A scan's own voxels, their shape and affine as stored, and the matrix grid's mm → scan's mm."""

    shape: tuple[int, int, int]
    affine: np.ndarray
    grid_to_scan: np.ndarray


class Sources:
    """The source scans of the requests; their float volumes are read when asked for.

    Raises Refused if one of them is not accepted or its volume is not there.
    """

    def __init__(self, quality: Path, requests: pd.DataFrame):
        self._folder = Path(quality).parent
        table = tables.read(quality, tables.QUALITY)
        accepted = table[(table["status"] == "accepted") & table["image"].notna()]
        self._images = dict(zip(accepted["scan"], accepted["image"], strict=True))
        scans = requests["source_scan"].drop_duplicates()
        self.first = scans.iloc[0]
        for scan in scans:
            if scan not in self._images:
                raise Refused(f"{quality}: scan {scan} is not accepted. Run the stage pairs again.")
            if not self.path(scan).exists():
                raise Refused(f"{self.path(scan)} is not there. Run the stage preprocess again.")

    def check_shape(self, shape: tuple[int, int, int]) -> None:
        """Refuse volumes on another grid than the model's."""
        found = self.volume(self.first)[0].shape
        if found != tuple(shape):
            raise Refused(
                f"{self.path(self.first)} has {list(found)} voxels, the model {list(shape)}. "
                "Run preprocess and train with the same grid."
            )

    def path(self, scan: str) -> Path:
        """Where the scan's preprocessed volume lies."""
        return self._folder / self._images[scan]

    def volume(self, scan: str) -> tuple[np.ndarray, np.ndarray]:
        """(X, Y, Z) float32 in [-1, 1], background -1, and its affine."""
        return read_volume(self.path(scan))

    def history(
        self, earlier: Sequence[Sequence[tuple[str, float]]]
    ) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        """Return the earlier scans of each request, (B, K, X, Y, Z), and the years before the source (B, K).

        K is the most that a request has; where one has fewer the volume is
        background and the years are NaN. Scans that were not accepted are left
        out. None and None if no request has any.
        """
        accepted = [[(scan, years) for scan, years in scans if scan in self._images] for scans in earlier]
        most = max(map(len, accepted))
        if not most:
            return None, None
        volumes = np.full((len(earlier), most, *self.volume(self.first)[0].shape), BACKGROUND, np.float32)
        years = np.full((len(earlier), most), np.nan, np.float32)
        for row, scans in enumerate(accepted):
            for column, (scan, before) in enumerate(scans):
                volumes[row, column], years[row, column] = self.volume(scan)[0], before
        return torch.from_numpy(volumes), torch.from_numpy(years)

    def path_from(self, folder: Path, scan: str) -> str:
        """The scan's volume as seen from a folder."""
        return os.path.relpath(self.path(scan), folder)

    def in_scanner(self, scan: str) -> InScanner:
        """How the scan lies in its own voxels, as its sidecar says. Refused where it does not."""
        sidecar = self.path(scan).with_name(self.path(scan).name.removesuffix(".nii.gz") + ".json")
        try:
            told = json.loads(sidecar.read_text(encoding="utf-8"))
            shape, *matrices = (told[key] for key in ("ScanShape", "ScanAffine", "GridToScanMillimetresRAS"))
        except (OSError, KeyError, json.JSONDecodeError) as error:
            raise Refused(
                f"{sidecar} does not say how the scan's own voxels lie, which sample.native needs "
                f"({error!r}). Run the stage preprocess again."
            ) from None
        return InScanner(tuple(shape), *(np.array(matrix) for matrix in matrices))
