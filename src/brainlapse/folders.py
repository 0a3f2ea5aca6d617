"""One walk over a study's folder, so that the workflow and the manifest see the same files in it.

Only the standard library is used: it is imported while the Snakefile is read.
"""

import errno
import os
import stat
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from brainlapse.errors import Refused

TABLES = (".csv", ".tsv", ".txt", ".json", ".xlsx")
SIDE_FILES = (".xml",)
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_NOT_THE_STUDYS = {"__MACOSX", "lost+found"}


class File(NamedTuple):
    """A file as the walk met it."""

    path: str  # the root as it was given, and what lies below it
    size: int  # bytes
    mtime_ns: int


def files_under(root: str | Path) -> Iterator[File]:
    """Yield every file under the root, in an order that depends only on what lies there.

    Links to files and folders are followed, since people link big disks into
    one folder; no folder is walked twice, and a folder's own place comes
    before a link to it. Hidden names and links to nothing are left out.
    Raises Refused for what cannot be read.
    """
    seen: set[tuple[int, int]] = set()
    starts = [str(Path(root))]
    for start in starts:  # grows by each link to a folder
        try:
            status = os.stat(start)
        except OSError as error:
            raise unreadable(start, error) from None
        yield from _walk(start, status, seen, starts)


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name was put there by a system, not by the study."""
    return name in _NOT_THE_STUDYS or (name[:1] == "." and name not in (".", ".."))


def _walk(start: str, status: os.stat_result, seen: set, links: list[str]) -> Iterator[File]:
    waiting = [(start, status)]
    while waiting:
        folder, status = waiting.pop()
        # One question to the disk for each name: a study has hundreds of thousands.
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        below = []
        for entry in _entries(folder):
            status = _status(entry)
            if status is None:
                continue
            if not stat.S_ISDIR(status.st_mode):
                if stat.S_ISREG(status.st_mode):  # a pipe or a socket is no file
                    yield File(entry.path, status.st_size, status.st_mtime_ns)
            elif entry.is_symlink():
                links.append(entry.path)
            else:
                below.append((entry.path, status))
        waiting.extend(reversed(below))


def _entries(folder: str) -> list[os.DirEntry]:
    """What lies in the folder, by name."""
    try:
        with os.scandir(folder) as entries:
            return sorted((e for e in entries if not is_hidden(e.name)), key=attrgetter("name"))
    except OSError as error:
        raise unreadable(folder, error) from None


def _status(entry: os.DirEntry) -> os.stat_result | None:
    """What the entry, or that to which it links, is; None where it links to nothing."""
    try:
        return entry.stat()
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP):
            return None
        raise unreadable(entry.path, error) from None


def unreadable(path: str | Path, error: OSError) -> Refused:
    """Return the refusal of a file or folder that the system does not let us read."""
    return Refused(
        f"{path} cannot be read: {error.strerror}. Make it readable, or move it out of the folder."
    )
