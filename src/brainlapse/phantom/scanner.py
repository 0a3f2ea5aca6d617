"""The scanner: where the head lies in it, its contrast, shading and noise, and how it stores voxels."""

from dataclasses import dataclass

import nibabel as nib
import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

from brainlapse.phantom.fields import Lattice, smooth_noise
from brainlapse.phantom.head import Contrast

FIELD_OF_VIEW_MM = (200.0, 240.0, 240.0)
ISOCENTRE_IN_HEAD_MM = (0.0, -12.0, -22.0)
_SHADING_KNOT_MM, _SHADING = 90.0, 0.10
# Standard deviation of what a voxel averages over, in voxels: the main lobe of a point spread
# function of truncated k-space is 1.2 voxels wide at half its height.
_POINT_SPREAD = 0.5
_NOISE = 0.03  # of a voxel of 1 mm, in units of white matter
_GAIN = 600.0


@dataclass(frozen=True)
class Scanner:
    """What stays the same for a subject: vendor, voxel size, storage order, contrast."""

    vendor: str
    voxel_mm: tuple[float, float, float]
    storage: str
    contrast: Contrast


@dataclass(frozen=True)
class Session:
    """One acquisition: the image's affine and the head's pose in the scanner, both (4, 4), RAS mm."""

    shape: tuple[int, int, int]
    affine: np.ndarray
    to_head: np.ndarray

    def points_in_head(self) -> np.ndarray:
        """(3, X, Y, Z) float32: where every voxel's centre lies in the head, mm."""
        matrix = (self.to_head @ self.affine).astype(np.float32)
        axes = [np.arange(n, dtype=np.float32) for n in self.shape]
        i, j, k = np.meshgrid(*axes, indexing="ij", sparse=True)
        return np.stack([m[0] * i + m[1] * j + m[2] * k + m[3] for m in matrix[:3]])

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel in millilitres."""
        return abs(float(np.linalg.det(self.affine[:3, :3]))) / 1000


def draw_scanner(voxel_mm: float, rng: np.random.Generator) -> Scanner:
    """A subject's scanner. Slices are sagittal and, in part of them, a tenth thicker than the pixels."""
    vendor = str(rng.choice(["SIEMENS", "GE", "PHILIPS"]))
    slice_mm = voxel_mm * (1.1 if vendor == "GE" else 1.0)
    return Scanner(
        vendor=vendor,
        voxel_mm=(slice_mm, voxel_mm, voxel_mm),
        storage=str(rng.choice(["PSR", "PIL", "ASR", "LPS", "RPI", "RAS"])),
        contrast=Contrast(
            csf=0.22 + 0.02 * rng.standard_normal(),
            grey=0.68 + 0.02 * rng.standard_normal(),
            fat=float(rng.uniform(0.75, 1.15)),
        ),
    )


def draw_session(scanner: Scanner, rng: np.random.Generator) -> Session:
    """The head turned by at most 8° and shifted by some millimetres; slices tilted by at most 3°."""
    shape = tuple(round(extent / mm) for extent, mm in zip(FIELD_OF_VIEW_MM, scanner.voxel_mm, strict=True))
    affine = np.eye(4)
    affine[:3, :3] = _turn(rng, 3.0) @ np.diag(scanner.voxel_mm)
    affine[:3, 3] = rng.uniform(-20, 20, 3) - affine[:3, :3] @ (np.array(shape) - 1) / 2
    middle = affine[:3, :3] @ (np.array(shape) - 1) / 2 + affine[:3, 3]
    to_head = np.eye(4)
    to_head[:3, :3] = _turn(rng, 8.0)
    to_head[:3, 3] = ISOCENTRE_IN_HEAD_MM + rng.uniform(-6, 6, 3) - to_head[:3, :3] @ middle
    return Session(shape, affine, to_head)


def jittered(contrast: Contrast, rng: np.random.Generator) -> Contrast:
    """The contrast of one visit: a scanner drifts a little."""
    drift = 0.006 * rng.standard_normal(4)
    return Contrast(
        contrast.csf + drift[0], contrast.grey + drift[1], contrast.white + drift[2], contrast.fat + drift[3]
    )


def resolved(head: np.ndarray, spacing_mm: float, scanner: Scanner) -> np.ndarray:
    """A head image (X, Y, Z) as sharp as this scanner's voxels are small, so that they may be read at points.

    Without it a thin sulcus would be in one visit's voxels and between the next one's.
    """
    return gaussian_filter(head, _POINT_SPREAD * scanner.voxel_mm[1] / spacing_mm)


def acquire(signal: np.ndarray, scanner: Scanner, rng: np.random.Generator) -> np.ndarray:
    """What the scanner makes of a signal (X, Y, Z): shaded, with Rician noise, int16."""
    lattice = Lattice(signal.shape, scanner.voxel_mm[1], (0.0, 0.0, 0.0))
    shading = np.exp(_SHADING * smooth_noise(lattice, _SHADING_KNOT_MM, rng))
    # The coil ends at the neck.
    height = np.arange(signal.shape[2], dtype=np.float32) * np.float32(scanner.voxel_mm[2])
    shading *= 1 / (1 + np.exp((22 - height) / 14))
    noise = noise_of(scanner) * rng.standard_normal((2, *signal.shape), dtype=np.float32)
    magnitude = np.hypot(signal * shading + noise[0], noise[1])
    gain = _GAIN * np.exp(0.3 * rng.standard_normal())
    return np.clip(np.rint(gain * magnitude), 0, np.iinfo(np.int16).max).astype(np.int16)


def noise_of(scanner: Scanner) -> float:
    """Standard deviation of the noise in units of white matter: a larger voxel holds more signal.

    Signal grows with the voxel's volume; larger voxels are acquired in less time, which takes part
    of the gain back, so that the noise falls with the square root of the volume.
    """
    return _NOISE / float(np.sqrt(np.prod(scanner.voxel_mm)))


def stored(voxels: np.ndarray, session: Session, scanner: Scanner) -> nib.Nifti1Image:
    """The NIfTI image as this scanner stores it: axes in its own order, an affine that says so."""
    wanted = nib.orientations.axcodes2ornt(scanner.storage)
    image = nib.Nifti1Image(voxels, session.affine)
    turn = nib.orientations.ornt_transform(nib.orientations.io_orientation(session.affine), wanted)
    image = image.as_reoriented(turn)
    image = nib.Nifti1Image(np.asarray(image.dataobj), image.affine)
    image.set_qform(image.affine, code="scanner")
    image.set_sform(image.affine, code="scanner")
    image.header.set_xyzt_units("mm")
    return image


def _turn(rng: np.random.Generator, most_degrees: float) -> np.ndarray:
    """A rotation (3, 3) about a random axis."""
    axis = rng.standard_normal(3)
    angle = np.deg2rad(most_degrees) * rng.uniform(-1, 1)
    return Rotation.from_rotvec(angle * axis / np.linalg.norm(axis)).as_matrix()
