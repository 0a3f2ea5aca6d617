"""Reading one scan, and refusing what cannot be a head before any time is spent on it.

Nothing about an image is guessed: where its header contradicts itself, the
scan is set aside, since a brain that is mirrored in silence stays mirrored.
"""

import hashlib
import math
from pathlib import Path

import nibabel as nib
import numpy as np

from brainlapse.errors import Refused
from brainlapse.preprocess.geometry import Image
from brainlapse.preprocess.quarantine import Quarantined
from brainlapse.volumes import read_volume

UNITS = {1: ("metre", 1000.0), 2: ("millimetre", 1.0), 3: ("micron", 0.001)}  # NIfTI's codes
FARTHEST_MM = 10_000.0  # of the first voxel from the scanner's middle; float32 counts microns up to there


def read_scan(path: Path, limits: dict) -> Image:
    """Return the scan in the nearest RAS order, float32, values ≥ 0, its affine in mm.

    Up to `limits["nonfinite_percent"]` of NaN, Inf and absurd values become 0.
    Raises Quarantined for what cannot be read or cannot be a head.
    """
    image = opened(path)
    check_kind(image, limits)
    data = one_volume(values_of(path))
    check_orientation(image, limits)
    affine, unit = affine_in_mm(image)
    check_geometry(data.shape, affine, limits, unit)
    data = check_values(data, limits)
    check_slices(data, affine, limits)
    return _nearest_ras(data, affine)


def sha256(path: Path) -> str:
    """The file's SHA-256, in hexadecimal."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def opened(path: Path) -> nib.Nifti1Pair:
    """The image, of which only the header is read yet. Analyze, MGH and MINC are set aside."""
    try:
        image = nib.load(path)
    except FileNotFoundError:
        raise Quarantined("missing", f"{path} is not there any more; make the manifest again") from None
    except MemoryError:
        raise  # not the scan's fault
    except Exception as error:  # nibabel trips over a damaged header in many ways
        raise _unreadable(path, error) from None
    if not isinstance(image, nib.Nifti1Pair):
        raise Quarantined("not NIfTI", f"{path} is {type(image).__name__}; convert it to NIfTI")
    return image


def check_kind(image: nib.Nifti1Pair, limits: dict) -> None:
    """Set aside what is no picture of grey values, and what would not fit in memory, before it is read."""
    kind = image.get_data_dtype()
    if kind.kind not in "iuf":
        raise Quarantined("not grey values", f"its voxels are {_kind_in_words(kind)}, a magnitude is needed")
    millions = math.prod(image.shape) / 1e6
    if millions > limits["voxels_million"]:
        claimed = f"{_times(image.shape)} = {millions:.4g} million voxels"
        raise Quarantined(
            "too many voxels", f"{claimed}, at most {limits['voxels_million']:g} million allowed"
        )


def affine_in_mm(image: nib.Nifti1Pair) -> tuple[np.ndarray, str]:
    """The (4, 4) matrix from the voxels as stored to millimetres, RAS, and the unit that the header names."""
    unit, to_mm = UNITS.get(int(image.header["xyzt_units"]) % 8, UNITS[2])
    return np.diag([to_mm] * 3 + [1.0]) @ image.affine, unit


def values_of(path: Path) -> np.ndarray:
    """The float32 array as stored, read to the checksum at its end."""
    try:
        with np.errstate(all="ignore"):  # what overflows becomes infinite and is counted as such
            return read_volume(path)[0]
    except MemoryError:
        raise  # `voxels_million` has let it pass: more memory helps
    except Exception as error:  # as above; and a full disk, a lost mount, a file that shrinks
        raise _unreadable(path, error) from None


def one_volume(data: np.ndarray) -> np.ndarray:
    """Drop trailing axes of length 1; anything but three axes is set aside."""
    shape = data.shape
    while data.ndim > 3 and data.shape[-1] == 1:
        data = data[..., 0]
    if data.ndim != 3 or min(data.shape) < 2:
        raise Quarantined("not one 3D volume", f"its shape is {_times(shape)}")
    return data


def check_orientation(image: nib.Nifti1Pair, limits: dict) -> None:
    """Set aside an image whose header is silent or of two minds on how its voxels lie and how large they are.

    Where sform and qform put the origin is not compared: it moves the head and turns nothing.
    """
    try:
        (sform, sform_code), (qform, qform_code) = (
            form(coded=True) for form in (image.header.get_sform, image.header.get_qform)
        )
    except (ValueError, nib.spatialimages.HeaderDataError) as error:
        raise Quarantined("unusable orientation", str(error)) from None
    if not sform_code and not qform_code:
        problem = "sform and qform codes are both 0, left and right are a guess"
        raise Quarantined("unknown orientation", problem)
    pixdim = stored_voxel_sizes(image)
    if not (pixdim > 0).all():
        raise Quarantined("voxel size", f"pixdim is {_sizes(pixdim)}, it must be positive")
    if sform_code:
        _compare_sizes(sform[:3, :3], pixdim, limits["mismatch_percent"])
    if sform_code and qform_code:
        _compare_axes(sform[:3, :3], qform[:3, :3], limits["angle_degrees"])


def stored_voxel_sizes(image: nib.Nifti1Pair) -> np.ndarray:
    """(3,) the header's pixdim as it is in the file: nibabel turns 0 into 1 and −1 into 1 in silence."""
    place = image.file_map.get("header", image.file_map["image"])
    with place.get_prepare_fileobj("rb") as stream:
        return type(image.header).from_fileobj(stream, check=False)["pixdim"][1:4].astype(float)


def check_geometry(
    shape: tuple[int, ...], affine: np.ndarray, limits: dict, unit: str = "millimetre"
) -> None:
    """Set aside voxels and fields of view that no head scan has, sheared axes and origins out of the world.

    `affine` is in mm, `unit` what the header said.
    """
    voxel_mm = np.linalg.norm(affine[:3, :3], axis=0)
    smallest, largest = limits["voxel_mm"]
    if not (voxel_mm.min() >= smallest and voxel_mm.max() <= largest):
        said = "" if unit == "millimetre" else f" (the header's unit is the {unit})"
        raise Quarantined("voxel size", f"{_sizes(voxel_mm)} mm{said}, allowed {smallest:g} to {largest:g}")
    ratio = voxel_mm.max() / voxel_mm.min()
    if ratio > limits["anisotropy"]:
        raise Quarantined(
            "thick slices",
            f"{_sizes(voxel_mm)} mm: sides 1:{ratio:.3g}, at most 1:{limits['anisotropy']:g} allowed",
        )
    axes = affine[:3, :3] / voxel_mm
    off_degrees = np.rad2deg(np.arcsin(np.clip(np.abs(axes.T @ axes - np.eye(3)), 0, 1).max()))
    if off_degrees > limits["angle_degrees"]:
        said = f"{off_degrees:.3g}° off the right angle, allowed {limits['angle_degrees']:g}°"
        raise Quarantined("unusable orientation", f"the axes of the affine are {said}")
    if not (np.abs(affine[:3, 3]) <= FARTHEST_MM).all():
        raise Quarantined(
            "unusable orientation", f"the first voxel is said to lie at {_sizes(affine[:3, 3])} mm"
        )
    _check_extent(voxel_mm * shape, limits)


def check_values(data: np.ndarray, limits: dict) -> np.ndarray:
    """Return the values, finite and ≥ 0; set aside what holds no picture."""
    broken = ~(np.abs(data) <= limits["largest_value"])
    percent = 100 * broken.mean()
    if percent > limits["nonfinite_percent"]:
        said = f"{percent:.3g} % of the voxels (or beyond ±{limits['largest_value']:g})"
        raise Quarantined("NaN or Inf", f"{said}, allowed {limits['nonfinite_percent']:g} %")
    data = np.where(broken, 0, data)
    low, high = np.percentile(data, (0.1, 99.9))
    if not high > low:
        raise Quarantined("constant", f"99.8 % of the voxels have the value {low:g}")
    levels = len(np.unique(data[::2, ::2, ::2]))
    if levels < limits["grey_levels"]:
        said = f"{levels} different values, at least {limits['grey_levels']:g} needed"
        raise Quarantined("few grey levels", f"{said}: a mask or a label map?")
    return np.maximum(data - min(low, 0), 0)


def check_slices(data: np.ndarray, affine: np.ndarray, limits: dict) -> None:
    """Set aside a picture padded to a head's size, and slices that are empty or repeated within it."""
    box = picture_box(data)
    data = data[box]
    _check_extent(np.linalg.norm(affine[:3, :3], axis=0) * data.shape, limits, "without the empty rim ")
    for axis in range(3):
        slices = np.moveaxis(data, axis, 0)
        repeated = (slices[1:] == slices[:-1]).all(axis=(1, 2)).sum()
        empty = (~varied(data, axis)).sum()
        percent = 100 * max(repeated, empty) / len(slices)
        if percent > limits["slices_percent"]:
            said = f"{max(repeated, empty)} of {len(slices)} along axis {axis + 1}"
            raise Quarantined("empty or repeated slices", f"{said}, allowed {limits['slices_percent']:g} %")


def picture_box(data: np.ndarray) -> tuple[slice, slice, slice]:
    """The least box around what is not empty: outside it every plane holds one value only."""
    box = []
    for axis in range(3):
        planes = np.flatnonzero(varied(data, axis))
        box.append(slice(int(planes[0]), int(planes[-1]) + 1) if planes.size else slice(0, 0))
    return tuple(box)


def varied(data: np.ndarray, axis: int) -> np.ndarray:
    """(n,) whether each plane across the axis holds more than one value."""
    others = tuple(other for other in range(3) if other != axis)
    return data.max(axis=others) > data.min(axis=others)


def _check_extent(extent_mm: np.ndarray, limits: dict, where: str = "") -> None:
    if extent_mm.min() < limits["extent_mm"]:
        raise Quarantined(
            "field of view", f"{where}{_sizes(extent_mm)} mm, at least {limits['extent_mm']:g} needed"
        )


def _compare_sizes(sform: np.ndarray, pixdim: np.ndarray, allowed_percent: float) -> None:
    sizes = np.linalg.norm(sform, axis=0)
    if not (np.abs(100 * (sizes / pixdim - 1)) <= allowed_percent).all():
        said = f"voxels {_sizes(sizes)} or {_sizes(pixdim)}, {allowed_percent:g} % allowed"
        raise Quarantined("sform and qform disagree", said)


def _compare_axes(sform: np.ndarray, qform: np.ndarray, allowed_degrees: float) -> None:
    units = [form / np.linalg.norm(form, axis=0) for form in (sform, qform)]
    cosines = np.sum(units[0] * units[1], axis=0)
    degrees = np.rad2deg(np.arccos(np.clip(cosines, -1, 1))).max()
    if not degrees <= allowed_degrees:
        codes = ["".join(nib.orientations.aff2axcodes(_square(form))) for form in (sform, qform)]
        said = f"axes {codes[0]} or {codes[1]}, {degrees:.3g}° apart, {allowed_degrees:g}° allowed"
        raise Quarantined("sform and qform disagree", said)


def _nearest_ras(data: np.ndarray, affine: np.ndarray) -> Image:
    image = nib.as_closest_canonical(nib.Nifti1Image(data.astype(np.float32), affine))
    return Image(np.ascontiguousarray(image.dataobj, dtype=np.float32), image.affine)


def _unreadable(path: Path, error: Exception) -> Quarantined:
    said = " ".join(str(error).split()) or type(error).__name__  # one line of quality.tsv
    if not isinstance(error, Refused):
        said = f"{path} cannot be read as NIfTI: {said}. Download or copy it again."
    return Quarantined("unreadable", said)


def _kind_in_words(kind: np.dtype) -> str:
    return {"V": "colours", "c": "complex numbers"}.get(kind.kind, str(kind))


def _square(form: np.ndarray) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = form
    return affine


def _times(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


def _sizes(values: np.ndarray) -> str:
    return " × ".join(f"{value:.4g}" for value in values)
