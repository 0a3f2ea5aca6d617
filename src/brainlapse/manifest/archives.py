"""Zip archives, and what all archives have in common: a damaged or hostile one can do no harm.

Only members that members.Screen let pass are opened. Their content is written
by us, as far as it was declared; the libraries' own `extractall` is never
called.
"""

import lzma
import os
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from abc import ABC, abstractmethod
from calendar import timegm
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import Lock
from typing import IO

from brainlapse.errors import Refused
from brainlapse.folders import unreadable
from brainlapse.manifest.members import Member, Screen, shown
from brainlapse.writing import whole_file

_CHUNK = 1 << 20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
DAMAGE = (  # all that the libraries raise for bytes that they did not expect
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError,
    ValueError, OverflowError, IndexError, NotImplementedError, RecursionError,
)  # fmt: skip

Opener = Callable[[], IO[bytes]]
Place = Callable[[Path], AbstractContextManager[Path]]  # where to write so that a file comes to a path


class Damaged(Exception):
    """The content of a member cannot be had whole."""


class Archive(ABC):
    """The members of an archive, and one pass over it that writes some of them."""

    def __init__(self, path: str, members: list[Member]):
        self.path, self.members = path, members
        self.by_path = {member.path: member for member in members if not member.fault}
        self._lock = Lock()

    def unpack(self, targets: dict[str, Path], place: Place = whole_file) -> dict[str, str]:
        """Write members to the targets, whole, checked and with their recorded time.

        Returns what is wrong with those that could not be had. Raises Refused
        where a target cannot be written.
        """
        problems = dict.fromkeys(targets, "is no longer in the archive")
        with self._lock:
            try:
                for member, opener in self._contents(targets.keys() & self.by_path.keys()):
                    del problems[member.path]
                    try:
                        _write(whole(opener, member.size), targets[member.path], member.changed, place)
                    except Damaged as damage:
                        problems[member.path] = str(damage)
            except Damaged as damage:  # what comes behind cannot be reached
                problems = dict.fromkeys(problems, str(damage))
        return problems

    def read(self, path: str) -> bytes:
        """Return a member's whole content. Raises Damaged."""
        with self._lock:
            for member, opener in self._contents({path} & self.by_path.keys()):
                return b"".join(whole(opener, member.size))
        raise Damaged("is no longer in the archive")

    @abstractmethod
    def _contents(self, wanted: set[str]) -> Iterator[tuple[Member, Opener]]:
        """Each wanted member with what opens it, in the archive's order. Raises Damaged."""


class Zip(Archive):
    """A zip archive; only its central directory is read until a member is asked for."""

    def __init__(self, path: str):
        first_bytes(path)
        members, self._entries, screen = [], {}, Screen()
        try:
            self._file = zipfile.ZipFile(path)
            for entry in self._file.infolist():
                if not entry.filename.endswith(("/", "\\")):
                    members.append(_screened(entry, screen))
                    if not members[-1].fault:
                        self._entries[members[-1].path] = entry
        except DAMAGE as error:
            raise damaged(path, error) from None
        super().__init__(path, members)

    def _contents(self, wanted):
        for path in sorted(wanted, key=lambda path: self._entries[path].header_offset):
            entry = self._entries[path]
            yield self.by_path[path], lambda entry=entry: self._file.open(entry)


@contextmanager
def in_passing(path: Path) -> Iterator[Path]:
    """Yield the path itself: the place of a file that will not last."""
    path.parent.mkdir(parents=True, exist_ok=True)
    yield path


def require_space(folder: Path, needed: int) -> None:
    """Raise Refused if fewer than `needed` bytes are free where the folder is or will be."""
    there = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(there).free
    if needed > free:
        raise Refused(
            f"{folder}: unpacking needs {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free. Make room, "
            "or let the results lie on a larger disk."
        )


def whole(opener: Opener, size: int) -> Iterator[bytes]:
    """Yield the content in chunks. Raises Damaged in the end unless it is as long as declared and checks."""
    try:
        with opener() as stream:
            left = size
            while chunk := stream.read(min(_CHUNK, left + 1)):
                left -= len(chunk)
                if left < 0:
                    raise Damaged("is longer than its archive says")
                yield chunk
            if left:
                raise Damaged(f"lacks {left} of its {size} bytes")
    except DAMAGE as error:
        raise Damaged(f"is damaged ({reason(error)})") from None


def first_bytes(path: str) -> bytes:
    """Return how a file begins. Raises Refused if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(64)
    except OSError as error:
        raise unreadable(path, error) from None


def damaged(path: str, error: Exception) -> Refused:
    """Return the refusal of an archive that cannot be listed."""
    page = first_bytes(path).lstrip().startswith(b"<")
    why = "it is a web page, not an archive" if page else reason(error)
    return Refused(f"{path} is damaged or was cut off on its way ({why}). Download it again.")


def unwritable(path: Path, error: OSError) -> Refused:
    """Return the refusal of a place to which we cannot write."""
    return Refused(f"{path} cannot be written: {error.strerror}. Mend that, then start again.")


def reason(error: BaseException) -> str:
    """Return what an exception says, on one line."""
    return shown(str(error)) or type(error).__name__


def _screened(entry: zipfile.ZipInfo, screen: Screen) -> Member:
    name = entry.orig_filename if "\0" in entry.orig_filename else entry.filename
    return screen.member(
        name, entry.file_size, entry.compress_size, _recorded_time(entry), _fault_of_entry(entry)
    )


def _recorded_time(entry: zipfile.ZipInfo) -> int:
    """Local time of an unknown place, taken as the one furthest ahead so that it is never in the future."""
    if not 1 <= entry.date_time[1] <= 12:
        return 0
    return timegm(entry.date_time) - 14 * 3600


def _fault_of_entry(entry: zipfile.ZipInfo) -> str | None:
    if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
        return "is a link or a device"
    if entry.flag_bits & 0x1:
        return "is encrypted; unpack the archive yourself, then remove it"
    if entry.compress_type not in _METHODS:
        return f"is packed by method {entry.compress_type}; unpack the archive yourself, then remove it"
    return None


def _write(chunks: Iterator[bytes], target: Path, changed: int, place: Place) -> None:
    try:
        with place(target) as beside:
            with open(beside, "wb") as out:
                out.writelines(chunks)
            os.utime(beside, (changed, changed))
    except OSError as error:
        raise unwritable(target, error) from None
