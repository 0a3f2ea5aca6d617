"""The slices of one DICOM series → one 3D NIfTI file, or the reason why there is none.

dcm2niix converts; here it is kept to one series, looked at when it has
finished, and rid of what tells who the person is.
"""

import gzip
import json
import os
import re
import shutil
import struct
import subprocess
import textwrap
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import dcm2niix

from brainlapse.errors import Refused
from brainlapse.manifest.archives import unwritable
from brainlapse.writing import whole_file

TIME_LIMIT_S = 600
KEPT = (  # of the header; names and ids are left behind
    "Modality",
    "MagneticFieldStrength",
    "Manufacturer",
    "ManufacturersModelName",
    "MRAcquisitionType",
    "SeriesDescription",
    "AcquisitionDateTime",
    "SliceThickness",
    "EchoTime",
    "RepetitionTime",
    "InversionTime",
    "FlipAngle",
    "ConversionSoftware",
    "ConversionSoftwareVersion",
)
_OPTIONS = (
    *("-g", "i"),  # whatever defaults file lies in the user's home
    *("-b", "y", "-ba", "o"),  # a sidecar with dates, without names
    *("-c", ""),  # no comments in the NIfTI header: people write names there
    *("-m", "n"),  # different echoes are different images
    *("-x", "i"),  # neither cropped nor turned
    *("-z", "n"),  # packed below, so that the same slices give the same bytes
    *("-d", "0", "-f", "image", "-o", "out"),
)
_ROUTINE = "Patient Position (0018,5100)"


class Unconvertible(ValueError):
    """The slices do not make one 3D volume; the text says what dcm2niix saw."""


def convert(files: Sequence[Path], to: Path) -> dict:
    """Write the volume as the gzipped NIfTI file `to` and return KEPT of the header.

    The same slices give the same bytes. A file that was not there before gets
    the time of the newest slice, so that a second conversion looks the same
    to Snakemake. Raises Unconvertible unless exactly one 3D volume comes out.
    """
    with _workplace(to) as place:
        for number, file in enumerate(files):
            _link(file, place / "in" / f"{number:06}.dcm")
        said = _run(place)
        volume = _the_volume(place / "out", len(files), said)
        _pack(volume, to, _first_time(files, to))
        return _kept_header(volume.with_suffix(".json"))


@contextmanager
def _workplace(to: Path) -> Iterator[Path]:
    """Two empty folders, `in` and `out`, beside the file to come; what a killed run left is removed."""
    place = to.with_name(f".converting-{to.name}")
    shutil.rmtree(place, ignore_errors=True)
    try:
        (place / "in").mkdir(parents=True)
        (place / "out").mkdir()
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _link(file: Path, name: Path) -> None:
    try:
        name.symlink_to(file.absolute())
    except OSError:  # a disk without links
        shutil.copyfile(file, name)


def _run(place: Path) -> str:
    """What dcm2niix printed; it names no path but `in` and `out`."""
    try:
        ended = subprocess.run(
            [dcm2niix.bin, *_OPTIONS, "in"],
            cwd=place,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIME_LIMIT_S,
        )
    except subprocess.TimeoutExpired:
        raise Unconvertible(f"dcm2niix was stopped after {TIME_LIMIT_S} s") from None
    except OSError as error:
        raise Refused(f"{dcm2niix.bin} cannot be started: {error.strerror}. Install it again.") from None
    said = ended.stdout.decode("utf-8", errors="replace")
    if ended.returncode and _images_found(said):
        raise Unconvertible(f"dcm2niix stopped with code {ended.returncode}{_in_short(said)}")
    return said


def _the_volume(out: Path, files: int, said: str) -> Path:
    found = _images_found(said)
    if found < files:
        raise Unconvertible(f"{files - found} of {files} files are no DICOM images")
    volumes = sorted(out.glob("*.nii"))
    if len(volumes) != 1:
        raise Unconvertible(f"{files} DICOM files make {len(volumes)} volumes{_in_short(said)}")
    if "interslice distance varies" in said.lower():
        raise Unconvertible(f"the slices are not evenly spaced{_in_short(said)}")
    shape = _shape(volumes[0])
    if len(shape) != 3 or min(shape) < 2:
        raise Unconvertible(f"{files} DICOM files make {' × '.join(map(str, shape))} voxels, no 3D volume")
    return volumes[0]


def _kept_header(sidecar: Path) -> dict:
    try:
        header = json.loads(sidecar.read_text(encoding="utf-8", errors="replace"), strict=False)
    except (FileNotFoundError, json.JSONDecodeError):  # the volume is good without it
        return {}
    return {name: header[name] for name in KEPT if name in header}


def _images_found(said: str) -> int:
    found = re.search(r"Found (\d+) DICOM", said)
    return int(found[1]) if found else 0


def _in_short(said: str) -> str:
    lines = [line for line in said.splitlines() if re.match(r"(?i)(error|warning)", line)]
    telling = "; ".join(dict.fromkeys(line for line in lines if _ROUTINE not in line))
    return textwrap.shorten(f": {telling}", 300, placeholder=" …") if telling else ""


def _shape(volume: Path) -> tuple[int, ...]:
    with volume.open("rb") as file:
        header = file.read(348)
    count, *sizes = struct.unpack_from("<8h", header, 40)
    return tuple(sizes[:count])


def _first_time(files: Sequence[Path], to: Path) -> float:
    return time.time() if to.exists() else max(file.stat().st_mtime for file in files)


def _pack(volume: Path, to: Path, mtime: float) -> None:
    try:
        with whole_file(to) as beside:
            _gzip(volume, beside)
            os.utime(beside, (mtime, mtime))
    except OSError as error:
        raise unwritable(to, error) from None


def _gzip(plain: Path, packed: Path) -> None:
    """Pack without name and time, so that the same content gives the same bytes."""
    with (
        plain.open("rb") as source,
        packed.open("wb") as target,
        gzip.GzipFile(filename="", mode="wb", compresslevel=4, fileobj=target, mtime=0) as stream,
    ):
        shutil.copyfileobj(source, stream, 1 << 20)
