"""Images of a download → NIfTI files on disk: as they lie there, unpacked once, or converted once."""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from urllib.parse import quote

from brainlapse.manifest.archives import require_space
from brainlapse.manifest.dicom import Unconvertible, convert
from brainlapse.manifest.inventory import Download, Item
from brainlapse.writing import write_text

FIRST_MRI = date(1980, 1, 1)  # an earlier date in a header stands for one that was taken out
_SLICES = "Slices"  # the sidecar's own key: of which files the volume was made

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Image:
    """One image of a download: a NIfTI file, or the slices of a DICOM series."""

    name: str  # the item's path, or `<folder>/*_I123.dcm` for a series
    items: tuple[Item, ...]
    dicom: bool = False


@dataclass(frozen=True)
class Brought:
    """What became of an image: a NIfTI file on disk, or the reason why there is none."""

    path: Path | None
    acquired: date | None = None  # what the DICOM header says; None for NIfTI
    field_strength_t: float | None = None
    manufacturer: str | None = None
    problem: str | None = None


def bring(images: dict[str, Image], download: Download, threads: int = 1) -> dict[str, Brought]:
    """Return, by scan id, a NIfTI file for each image or the problem with it.

    NIfTI in the open is itself, in an archive it is unpacked once. DICOM is
    converted once, `threads` series at a time, to converted/<scan>.nii.gz and
    .json under the download's cache; again only when files were added to the
    series or taken away. Raises Refused where the disk has no room.
    """
    nifti = {scan: image for scan, image in images.items() if not image.dicom}
    series = {scan: image for scan, image in images.items() if image.dicom}
    brought = _nifti(nifti, download) | _converted(series, download, threads)
    return {scan: brought[scan] for scan in images}


def _nifti(images: dict[str, Image], download: Download) -> dict[str, Brought]:
    problems = download.unpack(image.items[0] for image in images.values())
    brought = {}
    for scan, image in images.items():
        path, problem = download.place_of(image.items[0]), problems.get(image.items[0])
        if problem is None and not os.access(path, os.R_OK):
            problem = f"{path} cannot be read"
        brought[scan] = Brought(None, problem=problem) if problem else Brought(path)
    return brought


def _converted(images: dict[str, Image], download: Download, threads: int) -> dict[str, Brought]:
    before = {scan: _converted_before(scan, image, download) for scan, image in images.items()}
    brought = {scan: one for scan, one in before.items() if one}
    # Archive by archive, so that few are opened again and again.
    waiting = sorted(images.keys() - brought.keys(), key=lambda scan: (_where(images[scan]), scan))
    if not waiting:
        return brought
    log.info("manifest: converting %d DICOM series", len(waiting))
    require_space(download.cache, sum(item.size for scan in waiting for item in images[scan].items))
    with _slices_folder(download) as folder:
        conversions = [_Conversion(scan, images[scan], download, folder) for scan in waiting]
        damage = download.copy({k: v for one in conversions for k, v in one.copies(in_tar=True).items()})
        with ThreadPoolExecutor(threads) as pool:
            running = [pool.submit(one.run, damage) for one in conversions]
            try:
                return brought | {scan: one.result() for scan, one in zip(waiting, running, strict=True)}
            finally:
                pool.shutdown(cancel_futures=True)  # where one was refused, the rest would be too


@dataclass(frozen=True)
class _Conversion:
    """One series on its way from slices, wherever they lie, to a NIfTI file."""

    scan: str
    image: Image
    download: Download
    folder: Path  # takes the slices that lie in archives

    def copies(self, in_tar: bool) -> dict[Item, Path]:
        """Where the slices from archives go; those from tars are copied all at once, before."""
        return {
            item: self._slices / f"{number:06}.dcm"
            for number, item in enumerate(self.image.items)
            if item.archive and _is_tar(item) == in_tar
        }

    def run(self, damage: dict[Item, str]) -> Brought:
        from_zips, from_tars = self.copies(in_tar=False), self.copies(in_tar=True)
        try:
            damage = self.download.copy(from_zips) | damage
            problem = next((damage[item] for item in self.image.items if item in damage), None)
            if problem:
                raise Unconvertible(problem)
            places = from_zips | from_tars
            return self._convert([places.get(item) or Path(item.path) for item in self.image.items])
        except Unconvertible as problem:
            _volume(self.scan, self.download).unlink(missing_ok=True)  # of the series as it was
            return Brought(None, problem=str(problem))
        finally:
            shutil.rmtree(self._slices, ignore_errors=True)

    @property
    def _slices(self) -> Path:
        return self.folder / _volume(self.scan, self.download).name

    def _convert(self, slices: list[Path]) -> Brought:
        """The sidecar comes last: with it the volume is known to be of these slices."""
        unreadable = [path for path in slices if not os.access(path, os.R_OK)]
        if unreadable:
            raise Unconvertible(f"{unreadable[0]} cannot be read")
        volume = _volume(self.scan, self.download)
        _sidecar(volume).unlink(missing_ok=True)
        header = convert(slices, volume) | {_SLICES: _fingerprint(self.image, self.download)}
        write_text(_sidecar(volume), json.dumps(header, indent=1) + "\n")
        return _as_header_says(volume, header)


def _converted_before(scan: str, image: Image, download: Download) -> Brought | None:
    volume = _volume(scan, download)
    try:
        header = json.loads(_sidecar(volume).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    if not volume.exists() or header.get(_SLICES) != _fingerprint(image, download):
        return None
    return _as_header_says(volume, header)


def _as_header_says(volume: Path, header: dict) -> Brought:
    try:
        acquired = date.fromisoformat(str(header.get("AcquisitionDateTime"))[:10])
    except ValueError:
        acquired = None
    strength = header.get("MagneticFieldStrength")
    return Brought(
        volume,
        acquired if acquired and acquired >= FIRST_MRI else None,
        float(strength) if strength else None,
        header.get("Manufacturer"),
    )


def _fingerprint(image: Image, download: Download) -> str:
    above = len(str(download.root))
    told = sorted(f"{item.size} {item.path[above:]}" for item in image.items)
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]


def _volume(scan: str, download: Download) -> Path:
    return download.cache / "converted" / f"{quote(scan, safe='')}.nii.gz"


def _sidecar(volume: Path) -> Path:
    return volume.with_name(volume.name.removesuffix(".nii.gz") + ".json")


def _where(image: Image) -> str:
    return image.items[0].archive or ""


def _is_tar(item: Item) -> bool:
    return not item.archive.lower().endswith(".zip")


@contextmanager
def _slices_folder(download: Download) -> Iterator[Path]:
    """A folder for slices on their way, empty even if an earlier run was killed; gone afterwards."""
    folder = download.cache / "slices"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
