"""All that a study's folder holds, in the open or in archives, as one tree of files to read."""

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Iterable
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from brainlapse.errors import Refused
from brainlapse.folders import ARCHIVES, File, files_under, is_hidden, unreadable
from brainlapse.manifest.archives import Archive, Damaged, Place, Zip, in_passing, require_space
from brainlapse.manifest.members import UNPRINTABLE, shown
from brainlapse.manifest.tars import Tar
from brainlapse.writing import whole_file

LARGEST_READ = 1 << 30  # bytes of a table
_LISTING = 1  # raised when what a listing of a tar holds changes
_OPEN_AT_ONCE = 4  # archives; a directory of many members takes memory

log = logging.getLogger(__name__)


class Item(NamedTuple):
    """A file that can be used, wherever it lies."""

    path: str  # the file; for a member of an archive, the archive's path + "/" + the member's path
    size: int  # bytes, uncompressed
    archive: str | None = None  # path of the archive that holds it


class Download:
    """All that lies under a study's folder, in the open or in archives, as one tree.

    `items` are sorted by path; archives are not items, their members are.
    Hidden files and folders are left out. `unsafe` are the members that are
    never opened: (path, what is wrong with it). The root is never written to;
    `cache` takes what is unpacked and converted. Raises Refused for a folder
    that cannot be read or an archive that is damaged.
    """

    def __init__(self, root: str | Path, cache: str | Path):
        self.root, self.cache = Path(root), Path(cache)
        self.items: list[Item] = []
        self.unsafe: list[tuple[str, str]] = []
        self._opened: OrderedDict[str, Archive] = OrderedDict()
        self._opening = Lock()
        self._listings: dict[str, Path] = {}
        own = self._place_below_root()
        for file in files_under(self.root):
            if own is None or not file.path.startswith(own):
                self._add(file)
        self.items.sort(key=attrgetter("path"))
        self.unsafe.sort()

    def read(self, item: Item) -> bytes:
        """Return a file's whole content, checked. Raises Refused if it is damaged or no table is so large."""
        if item.size > LARGEST_READ:
            raise Refused(f"{item.path} has {item.size / 1e9:.1f} GB; no table is as large. Move it away.")
        try:
            if item.archive is None:
                return Path(item.path).read_bytes()
            return self._archive(item.archive).read(_member(item))
        except Damaged as damage:
            raise Refused(f"{item.path} {damage}. Download its archive again.") from None
        except OSError as error:
            raise unreadable(item.path, error) from None

    def local(self, item: Item) -> Path:
        """Return the file itself, or its copy under the cache, unpacked once. Raises Refused if damaged."""
        problem = self.unpack([item]).get(item)
        if problem:
            raise Refused(f"{problem}. Download its archive again.")
        return self.place_of(item)

    def place_of(self, item: Item) -> Path:
        """Return where the file lies, or will lie when it has been unpacked."""
        if item.archive is None:
            return Path(item.path)
        return self.cache / "unpacked" / Path(item.path).relative_to(self.root)

    def unpack(self, items: Iterable[Item]) -> dict[Item, str]:
        """Unpack what lies in archives and is not unpacked yet, each archive in one pass.

        Returns what is wrong with those that could not be unpacked; the rest
        are at `place_of`.
        """
        missing = {item: self.place_of(item) for item in items if item.archive and not self._is_there(item)}
        if missing:
            size = sum(item.size for item in missing)
            log.info("manifest: unpacking %d files, %.2f GB, from archives", len(missing), size / 1e9)
            require_space(self.cache, size)
        return self._take_out(missing, whole_file)

    def copy(self, targets: dict[Item, Path]) -> dict[Item, str]:
        """Write members of archives to paths that will not last, each archive in one pass.

        Returns what is wrong with those that could not be had.
        """
        return self._take_out(targets, in_passing)

    def _place_below_root(self) -> str | None:
        """What paths begin with in the cache, where someone keeps results in the download's folder."""
        try:
            return f"{self.root / self.cache.resolve().relative_to(self.root.resolve())}/"
        except ValueError:
            return None

    def _add(self, file: File) -> None:
        if shown(file.path) != file.path:
            self.unsafe.append((shown(file.path), UNPRINTABLE))
        elif file.path.lower().endswith(ARCHIVES):
            self._add_members(file)
        else:
            self.items.append(Item(file.path, file.size))

    def _add_members(self, file: File) -> None:
        key = hashlib.sha256(f"{_LISTING} {file.size} {file.mtime_ns} {file.path!r}".encode())
        self._listings[file.path] = self.cache / "listings" / f"{key.hexdigest()[:16]}.json"
        for member in self._archive(file.path).members:
            if any(map(is_hidden, member.path.replace("\\", "/").split("/"))):
                continue
            if member.fault:
                self.unsafe.append((f"{file.path}/{member.path}", member.fault))
            else:
                self.items.append(Item(f"{file.path}/{member.path}", member.size, file.path))

    def _archive(self, path: str) -> Archive:
        """The archive, opened; the few used last stay open."""
        with self._opening:
            if path not in self._opened:
                packed = (
                    Zip if path.lower().endswith(".zip") else lambda path: Tar(path, self._listings[path])
                )
                self._opened[path] = packed(path)
            self._opened.move_to_end(path)
            while len(self._opened) > _OPEN_AT_ONCE:
                self._opened.popitem(last=False)
            return self._opened[path]

    def _is_there(self, item: Item) -> bool:
        """Whether the copy has the member's size and time; a copy has its name only when it is whole."""
        try:
            status = self.place_of(item).stat()
        except FileNotFoundError:
            return False
        member = self._archive(item.archive).by_path.get(_member(item))
        return member is None or (status.st_size, int(status.st_mtime)) == (member.size, member.changed)

    def _take_out(self, targets: dict[Item, Path], place: Place) -> dict[Item, str]:
        problems = {}
        for archive, items in groupby(sorted(targets, key=attrgetter("archive")), attrgetter("archive")):
            members = {_member(item): item for item in items}
            paths = {member: targets[item] for member, item in members.items()}
            for member, problem in self._archive(archive).unpack(paths, place).items():
                problems[members[member]] = f"{members[member].path} {problem}"
        return problems


def _member(item: Item) -> str:
    return item.path[len(item.archive) + 1 :]
