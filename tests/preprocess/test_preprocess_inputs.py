"""What cannot be a head is set aside with its reason, the figure and the limit; the harmless is mended."""

import gzip
import io
import tracemalloc
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from brainlapse.preprocess.inputs import read_scan
from brainlapse.preprocess.quarantine import Quarantined
from toy_heads import SETTINGS

SHAPE = (40, 44, 36)
AFFINE = np.diag([4.0, 4.0, 4.0, 1.0])
AFFINE[:3, 3] = -80
VALUES = np.random.default_rng(0).uniform(10, 110, SHAPE).astype(np.float32)
LIMITS = SETTINGS["limits"]
HEADER = 352  # bytes before the voxels


def image(values=VALUES, sform=AFFINE, qform=None, codes=(1, 1), dtype=np.float32) -> nib.Nifti1Image:
    """The head, or with something about it changed; `qform` is the sform unless it is given."""
    made = nib.Nifti1Image(np.asarray(values).astype(dtype), sform, dtype=dtype)
    made.set_sform(sform, codes[0])
    made.set_qform(sform if qform is None else qform, codes[1])
    return made


def stored(made: nib.Nifti1Image, **fields) -> bytes:
    """A .nii file of it, with fields of the header overwritten as nibabel itself would not write them."""
    raw = made.to_bytes()
    header = type(made.header).from_fileobj(io.BytesIO(raw), check=False)
    for name, value in fields.items():
        header[name] = value
    return header.binaryblock + raw[348:]


def scaled(*sizes: float) -> np.ndarray:
    return np.diag([*sizes, 1.0])


def flipped(raw: bytes, place: int) -> bytes:
    """One bit of one byte the other way."""
    broken = bytearray(raw)
    broken[place] ^= 4
    return bytes(broken)


def some(value: float, part: float) -> np.ndarray:
    values = VALUES.copy()
    values.ravel()[: int(part * values.size)] = value
    return values


def emptied(*place) -> np.ndarray:
    values = VALUES.copy()
    values[place] = 0
    return values


PLAIN = stored(image())
PACKED = gzip.compress(PLAIN, 1)
TURNED = np.eye(4)
TURNED[:3, :3] = Rotation.from_euler("z", 5, degrees=True).as_matrix()
SHEARED = AFFINE.copy()
SHEARED[0, 1] = 0.3
SINGULAR = AFFINE.copy()
SINGULAR[:3, 1] = SINGULAR[:3, 0]
COLOURS = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
SLICE = np.broadcast_to(VALUES[:, :, :1], SHAPE)

# A name for the case, the file (its name ends in .gz if gzip's magic begins it), and what the person is told.
FILES = {
    "empty": (b"", "unreadable: .*head.nii.* cannot be read as NIfTI: Empty file.*copy it again"),
    "a web page": (b"<html>503</html>" * 99, "unreadable: .*cannot be read as NIfTI"),
    "DICOM": (b"\0" * 128 + b"DICM" + b"\0" * 999, "unreadable: .*cannot be read as NIfTI"),
    "cut by 1": (PACKED[:-1], "unreadable: .*end-of-stream"),
    "cut by 8": (PACKED[:-8], "unreadable: .*end-of-stream"),
    "cut by half": (PACKED[: len(PACKED) // 2], "unreadable: .*end-of-stream"),
    "a bit of the checksum": (flipped(PACKED, -6), "unreadable: .*CRC check failed"),
    "a bit of the length": (flipped(PACKED, -2), "unreadable: .*Incorrect length"),
    "a bit of the voxels": (flipped(PACKED, len(PACKED) // 2), "unreadable: .*head.nii.gz"),
    "no gzip, cut short": (PLAIN[:-5000], "unreadable: .*copy it again"),
    "header only": (PLAIN[:348], "unreadable"),
    "half a header": (PLAIN[:100], "unreadable"),
    "unknown type": (stored(image(), datatype=77), "unreadable: .*data code 77"),
    "an extension of negative length": (
        stored(image(), vox_offset=416)[:348] + b"\1\0\0\0" + b"\xff" * 64 + PLAIN[HEADER:],
        "unreadable: .*length must be non-negative.*copy it again",
    ),
}
KINDS = {
    "colours": (stored(nib.Nifti1Image(np.zeros(SHAPE, COLOURS), AFFINE)), "not grey values: .* colours"),
    "complex": (stored(image(dtype=np.complex64)), "not grey values: .*complex numbers"),
    "two volumes": (stored(image(np.ones((*SHAPE, 2)))), "not one 3D volume: its shape is 40×44×36×2"),
    "a slice": (stored(image(VALUES[:, :, 0])), "not one 3D volume: its shape is 40×44"),
    "one slice in a volume": (stored(image(VALUES[:, :, :1])), "not one 3D volume"),
}
GEOMETRY = {
    "size 0": (
        stored(image(codes=(0, 1)), pixdim=[1, 0, 4, 4, 0, 0, 0, 0]),
        "voxel size: pixdim is 0 × 4 × 4",
    ),
    "size −4": (stored(image(), pixdim=[1, -4, 4, 4, 0, 0, 0, 0]), "voxel size: pixdim is -4 × 4 × 4"),
    "size NaN": (stored(image(), pixdim=[1, np.nan, 4, 4, 0, 0, 0, 0]), "voxel size: pixdim is nan"),
    "microns": (
        stored(image(sform=scaled(1e-3, 1e-3, 1e-3))),
        "voxel size: 0.001 × 0.001 × 0.001 mm, allowed 0.3 to 6",
    ),
    "10 mm": (stored(image(sform=scaled(10, 4, 4))), "voxel size: 10 × 4 × 4 mm, allowed 0.3 to 6"),
    "4 mm said to be metres": (
        stored(image(), xyzt_units=1),
        r"voxel size: 4000 × 4000 × 4000 mm \(the header's unit is the metre\)",
    ),
    "4 mm said to be microns": (
        stored(image(), xyzt_units=3),
        r"voxel size: 0.004 × 0.004 × 0.004 mm \(the header's unit is the micron\)",
    ),
    "thick slices": (
        stored(image(np.tile(VALUES, (7, 1, 1)), scaled(0.5, 4, 4))),
        "thick slices: 0.5 × 4 × 4 mm: sides 1:8, at most 1:6 allowed",
    ),
    "a slab": (stored(image(VALUES[:, :, :5])), "field of view: 160 × 176 × 20 mm, at least 100 needed"),
    "a padded slab": (
        stored(image(emptied(slice(None), slice(None), slice(20, None)))),
        "field of view: without the empty rim 160 × 176 × 80 mm, at least 100",
    ),
    "no codes": (stored(image(codes=(0, 0))), "unknown orientation: .*left and right are a guess"),
    "two sizes": (
        stored(image(qform=AFFINE @ scaled(2, 2, 2))),
        "sform and qform disagree: voxels 4 × 4 × 4 or 8 × 8 × 8, 2 % allowed",
    ),
    "sizes that only pixdim denies": (
        stored(image(codes=(1, 0)), pixdim=[1, 1, 1, 1, 0, 0, 0, 0]),
        "sform and qform disagree: voxels 4 × 4 × 4 or 1 × 1 × 1",
    ),
    "two sides": (
        stored(image(qform=scaled(-1, 1, 1) @ AFFINE)),
        "sform and qform disagree: axes RAS or LAS, 180° apart, 2° allowed",
    ),
    "5 degrees": (stored(image(qform=TURNED @ AFFINE)), "disagree: axes RAS or RAS, 5° apart, 2° allowed"),
    "sheared": (
        stored(image(sform=SHEARED, codes=(1, 0))),
        "unusable orientation: .*4.29° off the right angle",
    ),
    "singular": (stored(image(), srow_y=[0, 0, 0, 0]), "disagree: voxels 4 × 0 × 4"),
    "parallel axes": (
        stored(image(codes=(1, 0)), srow_x=[4, 4, 0, 0], srow_y=[0, 0, 0, 0]),
        "unusable orientation: .*90° off the right angle, allowed 2°",
    ),
    "out of the world": (
        stored(image(codes=(1, 0)), srow_x=[4, 0, 0, 1e30]),
        "unusable orientation: the first voxel is said to lie at 1e\\+30",
    ),
    "affine with NaN": (stored(image(codes=(1, 0)), srow_x=[np.nan, 0, 0, 0]), "disagree: voxels nan"),
}
PICTURES = {
    "NaN": (stored(image(some(np.nan, 0.2))), "NaN or Inf: 20 % of the voxels .*allowed 1 %"),
    "Inf": (stored(image(some(np.inf, 1))), "NaN or Inf: 100 %"),
    "1e30": (stored(image(some(1e30, 0.02))), r"NaN or Inf: 2 % of the voxels \(or beyond ±1e\+09\)"),
    "beyond float32": (
        stored(image(VALUES.astype(np.float64) * 1e300, dtype=np.float64)),
        "NaN or Inf: 100 %",
    ),
    "all zero": (stored(image(np.zeros(SHAPE))), "constant: 99.8 % of the voxels have the value 0"),
    "constant": (stored(image(np.full(SHAPE, 7))), "constant: 99.8 % of the voxels have the value 7"),
    "a mask": (stored(image(VALUES > 60)), "few grey levels: 2 different values, at least 32 needed"),
    "labels": (stored(image(VALUES // 10)), "few grey levels: 10 different values"),
    "one slice, repeated": (
        stored(image(SLICE)),
        "empty or repeated slices: 35 of 36 along axis 3, allowed 5 %",
    ),
    "every slice twice": (
        stored(image(np.repeat(VALUES[:, ::2], 2, axis=1))),
        "empty or repeated slices: 22 of 44 along axis 2",
    ),
    "lost slices": (stored(image(emptied(slice(10, 14)))), "empty or repeated slices: 4 of 40 along axis 1"),
}
WRONG = FILES | KINDS | GEOMETRY | PICTURES


def written(folder: Path, content: bytes) -> Path:
    path = folder / ("head.nii.gz" if content.startswith(b"\x1f\x8b") else "head.nii")
    path.write_bytes(content)
    return path


@pytest.mark.filterwarnings("ignore:Extension size")
@pytest.mark.parametrize("case", WRONG)
def test_no_head_is_set_aside_with_its_reason(tmp_path, case):
    content, told = WRONG[case]
    with pytest.raises(Quarantined, match=told):
        read_scan(written(tmp_path, content), LIMITS)


@pytest.mark.parametrize("case", KINDS | GEOMETRY | PICTURES)
def test_the_reason_is_the_same_in_a_compressed_file(tmp_path, case):
    content, told = WRONG[case]
    with pytest.raises(Quarantined, match=told):
        read_scan(written(tmp_path, gzip.compress(content, 1)), LIMITS)


def test_a_file_that_is_gone_and_one_that_is_a_folder(tmp_path):
    with pytest.raises(Quarantined, match=r"missing: .*gone.nii is not there any more"):
        read_scan(tmp_path / "gone.nii", LIMITS)
    with pytest.raises(Quarantined, match=r"unreadable: .*cannot be read as NIfTI"):
        read_scan(tmp_path, LIMITS)


@pytest.mark.parametrize(("kind", "name"), [(nib.AnalyzeImage, "head.img"), (nib.MGHImage, "head.mgz")])
def test_a_format_without_two_orientations_is_set_aside(tmp_path, kind, name):
    nib.save(kind(VALUES, AFFINE), tmp_path / name)
    with pytest.raises(Quarantined, match=r"not NIfTI: .*convert it to NIfTI"):
        read_scan(tmp_path / name, LIMITS)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_absurd_sizes_are_not_allocated(tmp_path, pack):
    """The header claims 30,000³ voxels, 54 TB; the file holds none of them."""
    claimed = stored(image(), dim=[3, 30000, 30000, 30000, 1, 1, 1, 1])
    path = written(tmp_path, pack(claimed))
    tracemalloc.start()
    with pytest.raises(
        Quarantined, match=r"30000×30000×30000 = 2.7e\+07 million voxels, at most 150 million"
    ):
        read_scan(path, LIMITS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6


@pytest.mark.parametrize(
    "key", ["anisotropy", "grey_levels", "slices_percent", "voxels_million", "largest_value"]
)
def test_a_limit_of_the_config_decides(tmp_path, key):
    """A head that passes by the defaults does not pass by a limit on the other side of it."""
    path = written(tmp_path, stored(image(sform=scaled(4, 4, 5))))
    read_scan(path, LIMITS)
    other = {
        "anisotropy": 1.2,
        "grey_levels": 10**6,
        "slices_percent": -1,
        "voxels_million": 0.01,
        "largest_value": 50,
    }
    with pytest.raises(Quarantined):
        read_scan(path, LIMITS | {key: other[key]})


HARMLESS = {
    "a fourth axis of 1": stored(image(VALUES[..., None])),
    "axes of 1 to the seventh": stored(image(VALUES.reshape(*SHAPE, 1, 1, 1, 1))),
    "no qform": stored(image(codes=(1, 0))),
    "no sform": stored(image(codes=(0, 1))),
    "slope 0": stored(image(), scl_slope=0, scl_inter=5),
    "slope NaN": stored(image(), scl_slope=np.nan, scl_inter=np.nan),
    "unit unknown": stored(image(), xyzt_units=0),
    "unit of no meaning": stored(image(), xyzt_units=7),
    "metres": stored(image(sform=scaled(1e-3, 1e-3, 1e-3) @ AFFINE), xyzt_units=1),
    "microns": stored(image(sform=scaled(1e3, 1e3, 1e3) @ AFFINE), xyzt_units=3),
    "half a degree between sform and qform": stored(
        image(qform=AFFINE + np.array([[0, 0.03, 0, 0], [-0.03, 0, 0, 0], [0, 0, 0, 3], [0, 0, 0, 0]]))
    ),
    "big-endian": nib.Nifti1Image(VALUES, AFFINE, image().header.as_byteswapped(">")).to_bytes(),
    "NIfTI-2": nib.Nifti2Image(VALUES, AFFINE, image().header).to_bytes(),
}


@pytest.mark.parametrize("case", HARMLESS)
def test_harmless_oddities_are_read_as_what_they_are(tmp_path, case):
    scan = read_scan(written(tmp_path, HARMLESS[case]), LIMITS)
    np.testing.assert_array_equal(scan.data, VALUES)
    np.testing.assert_allclose(scan.affine, AFFINE, atol=1e-3)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.float64])
def test_every_type_of_number_is_read(tmp_path, dtype):
    """Values near the top of a type's range, where a narrower type would wrap around."""
    top = 250 if dtype == np.uint8 else 30_000 if dtype == np.int16 else 60_000
    values = np.round(VALUES / VALUES.max() * top)
    scan = read_scan(written(tmp_path, stored(image(values, dtype=dtype))), LIMITS)
    np.testing.assert_array_equal(scan.data, values)


def test_slope_and_intercept_are_applied(tmp_path):
    counts = np.round(VALUES * 100)
    raw = stored(image(counts, dtype=np.int16), scl_slope=0.01, scl_inter=3)
    np.testing.assert_allclose(read_scan(written(tmp_path, raw), LIMITS).data, counts * 0.01 + 3, rtol=1e-5)


def test_few_broken_voxels_become_dark_and_negative_ones_are_lifted(tmp_path):
    values = VALUES - 60
    values.ravel()[:100] = [np.nan, np.inf, -np.inf, 1e30] * 25
    scan = read_scan(written(tmp_path, stored(image(values))), LIMITS)
    assert np.isfinite(scan.data).all() and scan.data.min() == 0
    np.testing.assert_allclose(
        np.diff(scan.data.ravel()[5000:5100]), np.diff(values.ravel()[5000:5100]), atol=0.2
    )


def sane(path: Path) -> bool:
    """Whether the file gives a usable scan; any other exception than Quarantined goes through."""
    try:
        scan = read_scan(path, LIMITS)
    except Quarantined:
        return False
    assert scan.data.ndim == 3 and np.isfinite(scan.data).all() and scan.data.min() >= 0
    assert np.isfinite(scan.affine).all() and nib.aff2axcodes(scan.affine) == ("R", "A", "S")
    assert scan.voxel_mm.min() >= 0.3 and scan.voxel_mm.max() <= 6
    return True


CHANGED_BYTES = st.lists(st.tuples(st.integers(0, HEADER - 1), st.integers(0, 255)), min_size=1, max_size=4)
QUICK = settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@QUICK
@given(changed=CHANGED_BYTES, packed=st.booleans())
def test_a_damaged_header_is_set_aside_or_read_never_a_crash(tmp_path, changed, packed):
    raw = bytearray(PLAIN)
    for place, value in changed:
        raw[place] = value
    sane(written(tmp_path, gzip.compress(raw, 1) if packed else bytes(raw)))


@QUICK
@given(place=st.integers(10, len(PACKED) - 1), value=st.integers(0, 255))
def test_a_damaged_byte_of_a_compressed_file_is_always_seen(tmp_path, place, value):
    """From the tenth byte on: those before name the compressing program and the time."""
    raw = bytearray(PACKED)
    raw[place] = value
    assert sane(written(tmp_path, bytes(raw))) == (bytes(raw) == PACKED)
