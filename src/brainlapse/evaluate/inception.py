"""The feature space of the canonical FID, on slices of the three planes: `inception2015_3plane`.

The network is torch-fidelity's InceptionV3 with the weights of 2015 that FID is
defined by. They are not ours to give and nothing here downloads them: the
user names the file, whose SHA-256 is checked before it is opened.
"""

import hashlib
import tempfile
from pathlib import Path

import numpy as np
import torch

from brainlapse.errors import Refused
from brainlapse.evaluate.fidelity import torch_fidelity

NAME = "inception2015_3plane"
DIMENSIONS = 2048
SLICES = 16  # a plane
WEIGHTS_SHA256 = "6726825d"  # its beginning, which is a part of the file's published name
WEIGHTS_FROM = "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth"


class InceptionFeatures:
    """(X, Y, Z) on [0, 1] → (3 × SLICES, 2048) float64, a row a slice: sagittal, coronal, axial."""

    def __init__(self, weights: Path, sha256: str = WEIGHTS_SHA256):
        check_weights(weights, sha256)
        self.extractor = _extractor(weights)

    def __call__(self, volume: np.ndarray) -> np.ndarray:
        rows = [self.extractor(batch)[0] for plane in slices_of(volume) for batch in plane.split(8)]
        return torch.cat(rows).double().numpy()


def slices_of(volume: np.ndarray) -> list[torch.Tensor]:
    """Of each plane SLICES evenly spaced slices, (SLICES, 3, height, width) uint8, grey on three channels.

    Evenly over the middle four fifths of the box, so the same ones for every
    volume of a grid; [0, 1] becomes 0 to 255. The network scales them to 299 × 299.
    """
    grey = torch.from_numpy(np.rint(255 * np.clip(volume, 0, 1)).astype(np.uint8))
    planes = []
    for axis, size in enumerate(volume.shape):
        at = torch.from_numpy(np.rint(np.linspace(0.1, 0.9, SLICES) * (size - 1)).astype(np.int64))
        chosen = grey.index_select(axis, at).movedim(axis, 0)
        planes.append(chosen[:, None].expand(-1, 3, -1, -1).contiguous())
    return planes


def check_weights(path: Path, sha256: str) -> None:
    """Refuse a file that is absent or whose SHA-256 does not begin with `sha256`."""
    try:
        with open(path, "rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise Refused(
            f"evaluate.inception_weights: {path} cannot be read: {error.strerror}. {_ADVICE}"
        ) from None
    if not found.startswith(sha256):
        raise Refused(
            f"evaluate.inception_weights: {path} is not the file that FID is defined by: its SHA-256 begins "
            f"with {found[:8]}, not {sha256}. {_ADVICE}"
        )


_ADVICE = f"Download {WEIGHTS_FROM}, or leave the key out: then no FID is computed."


def _extractor(weights: Path) -> torch.nn.Module:
    """torch-fidelity's network. It unpickles its file, so it is given one that holds nothing but tensors."""
    tensors = torch.load(weights, weights_only=True, map_location="cpu")
    with tempfile.TemporaryDirectory() as folder:
        torch.save(tensors, Path(folder) / "tensors.pth")
        return torch_fidelity.feature_extractor_inceptionv3.FeatureExtractorInceptionV3(
            "inception-v3-compat", ["2048"], feature_extractor_weights_path=str(Path(folder) / "tensors.pth")
        )
