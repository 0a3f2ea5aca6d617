"""Volumes: NIfTI in and out, the grid, the intensity range and the packed store.

Axis order, said once: a volume is an array (X, Y, Z) whose axes run to the
person's right, front and top (RAS); a batch of volumes for a network is
(batch, channel, X, Y, Z). Intensities of a preprocessed volume lie in [-1, 1]
and the background is exactly -1, so the brain is where the volume is above -1.
"""

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from brainlapse.errors import Refused
from brainlapse.writing import whole_file

BACKGROUND = -1.0
BRAIN_CENTRE_MM = (0.0, -17.0, 5.0)  # centre of the MNI152 brain's bounding box, RAS


@dataclass(frozen=True)
class Grid:
    """The common grid in MNI152 space: voxel counts and the isotropic voxel size."""

    shape: tuple[int, int, int] = (128, 160, 128)
    spacing_mm: float = 1.4

    @property
    def affine(self) -> np.ndarray:
        """(4, 4) voxel-to-millimetre matrix, RAS, centred on the MNI152 brain."""
        affine = np.diag([self.spacing_mm] * 3 + [1.0])
        half_extent = self.spacing_mm * (np.array(self.shape) - 1) / 2
        affine[:3, 3] = np.array(BRAIN_CENTRE_MM) - half_extent
        return affine


def read_volume(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Return a NIfTI file's float32 array, as stored, and its (4, 4) affine.

    Raises Refused with the path and the reason if the file is absent, is not
    NIfTI, is cut short or is corrupt. A compressed file is read to its end,
    since nibabel never looks at the checksum and would return wrong voxels.
    """
    path = Path(path)
    try:
        image = nib.load(path)
        if path.name.endswith(".gz"):
            return _decompressed(path, type(image)), image.affine
        return np.asarray(image.dataobj, dtype=np.float32), image.affine
    except FileNotFoundError:
        raise Refused(f"{path} is not there.") from None
    except (OSError, EOFError, ValueError, zlib.error, nib.filebasedimages.ImageFileError) as error:
        raise Refused(f"{path} cannot be read as NIfTI: {error}. Download or copy it again.") from None


def write_volume(path: str | Path, volume: np.ndarray, affine: np.ndarray, space: str = "mni") -> None:
    """Write an (X, Y, Z) array as compressed NIfTI: whole or not at all, and always the same bytes.

    Both the sform and the qform carry the affine, in the named space (`mni` or `scanner`).
    """
    image = nib.Nifti1Image(volume, affine)
    image.set_sform(affine, code=space)
    image.set_qform(affine, code=space)
    image.header.set_xyzt_units("mm")
    # gzip would put the file's name and the time into its header.
    compressed = gzip.compress(image.to_bytes(), compresslevel=6, mtime=0)
    with whole_file(path) as beside:
        beside.write_bytes(compressed)


def to_bytes(volume: np.ndarray) -> np.ndarray:
    """Quantise [-1, 1] to uint8; the background (-1) becomes exactly 0. Error at most 1/255."""
    return np.rint((np.clip(volume, -1, 1) + 1) * 127.5).astype(np.uint8)


def from_bytes(packed: np.ndarray) -> np.ndarray:
    """Undo `to_bytes`: uint8 to float32 in [-1, 1]."""
    return packed.astype(np.float32) / 127.5 - 1


# The faintest brain voxel, so that the byte store keeps brain and background apart.
FAINTEST = float(from_bytes(np.uint8(1)))


def brain_of(volume: np.ndarray) -> np.ndarray:
    """Boolean mask of the brain of a preprocessed volume."""
    return volume > BACKGROUND


def _decompressed(path: Path, kind: type[nib.Nifti1Image]) -> np.ndarray:
    """The voxels of a file that is neither cut short nor at odds with the checksum at its end."""
    with gzip.open(path) as stream:
        voxels = np.asarray(kind.from_stream(stream).dataobj, dtype=np.float32)
        while stream.read(1 << 22):
            pass  # what follows the voxels is not wanted: gzip checks it as it goes by
    return voxels
