"""Reading one scan, and refusing what cannot be a head before any time is spent on it.

Nothing about an image is guessed: where its header contradicts itself, the
scan is set aside, since a brain that is mirrored in silence stays mirrored.
"""

import hashlib
from pathlib import Path

import nibabel as nib
import numpy as np

from brainlapse.errors import Refused
from brainlapse.preprocess.geometry import Image
from brainlapse.preprocess.quarantine import Quarantined
from brainlapse.volumes import read_volume

SHEAR_ALLOWED = 0.02
TURN_ALLOWED = 0.05  # between the axes of sform and qform, about 3 degrees
SIZE_ALLOWED = 0.02  # between their voxel sizes, relative


def read_scan(path: Path, limits: dict) -> Image:
    """Return the scan in the nearest RAS order, float32, values ≥ 0.

    Up to `limits["nonfinite_percent"]` of NaN and Inf become 0. Raises
    Quarantined for what cannot be read or cannot be a head.
    """
    if path.is_dir():
        raise Quarantined("not supported", f"{path} is a folder; convert its DICOM files with dcm2niix first")
    try:
        data, affine = read_volume(path)
        header = nib.load(path)
    except (Refused, TypeError) as error:
        raise Quarantined("unreadable", str(error)) from None
    check_orientation(header)
    data = check_values(one_volume(data), limits)
    data, affine = _nearest_ras(data, affine)
    check_geometry(data.shape, affine, limits)
    return Image(np.ascontiguousarray(data, dtype=np.float32), affine)


def sha256(path: Path) -> str:
    """The file's SHA-256, in hexadecimal."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def one_volume(data: np.ndarray) -> np.ndarray:
    """Drop trailing axes of length 1; anything but three axes is set aside."""
    shape = data.shape
    while data.ndim > 3 and data.shape[-1] == 1:
        data = data[..., 0]
    if data.ndim != 3 or min(data.shape) < 2:
        raise Quarantined("not one 3D volume", f"its shape is {'×'.join(map(str, shape))}")
    return data


def check_values(data: np.ndarray, limits: dict) -> np.ndarray:
    """Return the values, finite and ≥ 0; set aside what holds no picture."""
    broken = ~np.isfinite(data)
    if 100 * broken.mean() > limits["nonfinite_percent"]:
        raise Quarantined("NaN or Inf", f"{broken.sum()} of {data.size} voxels")
    data = np.where(broken, 0, data)
    low, high = np.percentile(data, (0.1, 99.9))
    if not high > low:
        raise Quarantined("constant", f"99.8 % of the voxels have the value {low:g}")
    return np.maximum(data - min(low, 0), 0)


def check_orientation(header: nib.spatialimages.SpatialImage) -> None:
    """Set aside an image whose header does not say, or says twice, which side is left."""
    try:
        sform, sform_code = header.get_sform(coded=True)
        qform, qform_code = header.get_qform(coded=True)
    except (ValueError, AttributeError, nib.spatialimages.HeaderDataError) as error:
        raise Quarantined("unusable orientation", str(error)) from None
    if not sform_code and not qform_code:
        raise Quarantined(
            "unknown orientation", "sform and qform codes are both 0, left and right are a guess"
        )
    if sform_code and qform_code:
        _compare(sform[:3, :3], qform[:3, :3])


def check_geometry(shape: tuple[int, ...], affine: np.ndarray, limits: dict) -> None:
    """Set aside voxels and fields of view that no head scan has, and sheared axes."""
    voxel_mm = np.linalg.norm(affine[:3, :3], axis=0)
    smallest, largest = limits["voxel_mm"]
    if not np.isfinite(affine).all() or voxel_mm.min() < smallest or voxel_mm.max() > largest:
        raise Quarantined("voxel size", f"{_sizes(voxel_mm)} mm, allowed {smallest:g} to {largest:g}")
    axes = affine[:3, :3] / voxel_mm
    if np.abs(axes.T @ axes - np.eye(3)).max() > SHEAR_ALLOWED:
        raise Quarantined("unusable orientation", "the axes of the affine are not at right angles")
    extent_mm = voxel_mm * shape
    if extent_mm.min() < limits["extent_mm"]:
        raise Quarantined("field of view", f"{_sizes(extent_mm)} mm, at least {limits['extent_mm']:g} needed")


def _compare(sform: np.ndarray, qform: np.ndarray) -> None:
    sizes = np.linalg.norm(sform, axis=0), np.linalg.norm(qform, axis=0)
    if min(sizes[0].min(), sizes[1].min()) <= 0:
        raise Quarantined("voxel size", f"sform {_sizes(sizes[0])}, qform {_sizes(sizes[1])} mm")
    if np.abs(sizes[0] / sizes[1] - 1).max() > SIZE_ALLOWED:
        raise Quarantined("sform and qform disagree", f"voxels {_sizes(sizes[0])} or {_sizes(sizes[1])} mm")
    if np.abs(sform / sizes[0] - qform / sizes[1]).max() > TURN_ALLOWED:
        codes = ["".join(nib.orientations.aff2axcodes(_square(form))) for form in (sform, qform)]
        raise Quarantined("sform and qform disagree", f"axes {codes[0]} or {codes[1]}, or turned")


def _nearest_ras(data: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    try:
        image = nib.as_closest_canonical(nib.Nifti1Image(data.astype(np.float32), affine))
    except (ValueError, np.linalg.LinAlgError) as error:
        raise Quarantined("unusable orientation", str(error)) from None
    return np.asarray(image.dataobj), image.affine


def _square(form: np.ndarray) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = form
    return affine


def _sizes(values: np.ndarray) -> str:
    return " × ".join(f"{value:.4g}" for value in values)
