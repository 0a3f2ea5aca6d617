"""Tar archives, packed or not: read from front to back, and listed once."""

import bz2
import gzip
import io
import json
import lzma
import os
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from brainlapse.folders import SIDE_FILES, TABLES
from brainlapse.manifest.archives import (
    DAMAGE,
    Archive,
    Damaged,
    Opener,
    Zip,
    damaged,
    first_bytes,
    reason,
    unwritable,
    whole,
)
from brainlapse.manifest.members import MOST_PACKED, SMALL, Member, Screen, most_unpacked
from brainlapse.writing import whole_file, write_text

_CHUNK = 1 << 20
_OPENERS = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open}  # by a file's first bytes


class Tar(Archive):
    """A tar archive, of which a listing is kept at a path, since all of it must be read to have one.

    Tables and side files are copied into a zip beside the listing on the same
    pass: they are asked for one by one.
    """

    def __init__(self, path: str, listing: Path):
        texts = listing.with_suffix(".zip")
        if not (listing.exists() and texts.exists()):
            _list(path, listing, texts)
        members = [Member(*member) for member in json.loads(listing.read_text(encoding="utf-8"))]
        super().__init__(path, members)
        self._texts = Zip(str(texts))

    def read(self, path: str) -> bytes:
        """Return a member's whole content. Raises Damaged."""
        return self._texts.read(path) if path in self._texts.by_path else super().read(path)

    def _contents(self, wanted):
        left = set(wanted)
        for member, opener in _members(self.path) if left else ():
            if not member.fault and member.path in left:
                left.remove(member.path)
                yield member, opener
            if not left:
                return


def _list(path: str, listing: Path, texts: Path) -> None:
    members = []
    try:
        with whole_file(texts) as beside, zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as copies:
            for member, opener in _members(path, to_the_end=True):
                members.append(member)
                if _is_text(member):
                    content = b"".join(whole(opener, member.size))
                    copies.writestr(zipfile.ZipInfo(member.path), content, zipfile.ZIP_DEFLATED)
        write_text(listing, json.dumps(members))
    except Damaged as error:
        raise damaged(path, error) from None
    except OSError as error:
        raise unwritable(listing, error) from None


def _is_text(member: Member) -> bool:
    name = member.path.lower()
    return not member.fault and name.endswith((*TABLES, *SIDE_FILES)) and member.size <= SMALL


def _members(path: str, to_the_end: bool = False) -> Iterator[tuple[Member, Opener]]:
    """Each member with what opens it until the next is asked for; to the end, where checksums are.

    Raises Damaged.
    """
    size, screen = os.path.getsize(path), Screen()
    try:
        with _stream(path, size) as stream, _opened(stream) as tar:
            for header in _headers(tar):
                bomb = header.size > most_unpacked(size)
                fault = "claims more than its archive can hold; nothing behind it is read" if bomb else None
                fault = _fault_of_type(header) or fault
                changed = int(header.mtime)
                member = screen.member(header.name, header.size, size, changed, fault)
                yield member, lambda header=header: tar.extractfile(header)
                if bomb:
                    return
            while to_the_end and stream.read(_CHUNK):
                pass
    except DAMAGE as error:
        raise Damaged(reason(error)) from None


@contextmanager
def _stream(path: str, size: int) -> Iterator[IO[bytes] | "_Limited"]:
    opener = _OPENERS.get(first_bytes(path)[:2])
    with (opener or open)(path, "rb") as stream:
        yield _Limited(stream, most_unpacked(size)) if opener else stream


def _opened(stream: IO[bytes] | "_Limited") -> tarfile.TarFile:
    """The tar; from a packed stream it never goes back, as that would unpack it from the start again."""
    mode = "r|" if isinstance(stream, _Limited) else "r:"
    return tarfile.open(fileobj=stream, mode=mode, tarinfo=_Header, bufsize=_CHUNK)


def _headers(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    before = -1
    while (header := tar.next()) is not None:
        tar.members.clear()  # or all of them would be kept in memory
        if header.size < 0 or tar.offset <= before:
            raise Damaged("its headers run backwards")
        before = tar.offset
        if not header.isdir():
            yield header


def _fault_of_type(header: tarfile.TarInfo) -> str | None:
    if not header.isreg():
        return "is a link or a device"
    return "is a sparse file; unpack the archive yourself, then remove it" if header.issparse() else None


class _Limited:
    """A stream that stops when more comes out of an archive than can be in it."""

    def __init__(self, stream: IO[bytes], limit: int):
        self._stream, self._left = stream, limit

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise Damaged(f"it unpacks to more than {MOST_PACKED} times its size")
        return data


class _Header(tarfile.TarInfo):
    """A tar header, refused where tarfile would quietly stop, run backwards or fill the memory."""

    @classmethod
    def frombuf(cls, buf, encoding, errors):
        header = super().frombuf(buf, encoding, errors)
        if header.size < 0 or (header.size > _CHUNK and not header.isreg()):
            raise tarfile.ReadError(f"a header claims {header.size} bytes")
        return header

    @classmethod
    def fromtarfile(cls, archive):
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:
            raise
        except tarfile.EmptyHeaderError:
            if isinstance(archive.fileobj, io.BufferedReader):  # a packed one has an end mark of its own
                raise tarfile.ReadError("it has no end mark") from None
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(str(error)) from None
