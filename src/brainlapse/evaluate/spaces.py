"""The feature spaces in which sets of volumes are compared, and the features of real scans, computed once.

A space turns a volume (X, Y, Z) on [0, 1] into (rows, d) features, one or several rows a volume.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from brainlapse.evaluate import features, inception
from brainlapse.fingerprint import code_of
from brainlapse.writing import whole_file

Space = Callable[[np.ndarray], np.ndarray]


class Spaces:
    """The spaces of the study; that of the canonical FID only where its weights are given.

    Every model's job needs the features of the same real scans, so those are
    kept in `folder`, by the bytes of the volume and the code of the spaces. A
    file that is torn is made again; two jobs may write the same one.
    """

    def __init__(self, inception_weights: str | None, folder: Path):
        self.all: dict[str, Space] = {features.NAME: features.RandomFeatures()}
        if inception_weights:
            self.all[inception.NAME] = inception.InceptionFeatures(Path(inception_weights))
        self.folder = folder

    def of_sample(self, volume: np.ndarray) -> dict[str, np.ndarray]:
        """Features of a generated volume by space."""
        return {name: space(volume) for name, space in self.all.items()}

    def of_scan(self, volume: np.ndarray) -> dict[str, np.ndarray]:
        """Features of a real scan by space, remembered."""
        key = _key(volume)
        return {name: self._remembered(self.folder / name / f"{key}.npy", volume) for name in self.all}

    def _remembered(self, path: Path, volume: np.ndarray) -> np.ndarray:
        found = _read(path)
        if found is None:
            found = self.all[path.parent.name](volume)
            with whole_file(path) as beside, open(beside, "wb") as stream:
                np.save(stream, found)
        return found


def _read(path: Path) -> np.ndarray | None:
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return found if found.ndim == 2 and np.isfinite(found).all() else None


def _key(volume: np.ndarray) -> str:
    digest = hashlib.sha256(f"{volume.shape} {volume.dtype} {code_of('evaluate.spaces')}".encode())
    digest.update(np.ascontiguousarray(volume).data)
    return digest.hexdigest()[:32]
