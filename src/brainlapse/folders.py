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
    starts, walked = [str(Path(root))], set()
    for start in starts:  # grows by each link to a folder
        place = os.path.realpath(start)
        if not _was_met(place, walked):
            walked.add(place)
            yield from _walk(start, place, walked, starts)


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name was put there by a system, not by the study."""
    return name in _NOT_THE_STUDYS or (name[:1] == "." and name not in (".", ".."))


def _was_met(place: str, walked: set[str]) -> bool:
    """Whether a folder lies in one that was walked, and not where the walk does not look."""
    while place not in walked:
        place, name = os.path.split(place)
        if not name or is_hidden(name):
            return False
    return True


def _walk(start: str, place: str, walked: set[str], links: list[str]) -> Iterator[File]:
    """The files of a folder that lies at `place`; links to folders are put at the end of `links`."""
    waiting = [start]
    while waiting:
        folder = waiting.pop()
        if folder != start and place + folder[len(start) :] in walked:
            continue
        below = []
        for entry in _entries(folder):
            # A folder costs no further question to the disk: a study has hundreds of thousands.
            if entry.is_dir(follow_symlinks=False):
                below.append(entry.path)
                continue
            status = _status(entry)
            if status and stat.S_ISREG(status.st_mode):  # a pipe or a socket is no file
                yield File(entry.path, status.st_size, status.st_mtime_ns)
            elif status and stat.S_ISDIR(status.st_mode):
                links.append(entry.path)
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
