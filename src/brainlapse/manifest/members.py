"""What is wrong with a member of an archive: its name and its claims, looked at before they are used."""

import re
import time
import unicodedata
from typing import NamedTuple

LARGEST = 16 << 30  # bytes a member may claim
MOST_PACKED = 200  # times its size; images and tables shrink to a third
SMALL = 64 << 20  # bytes that are harmless however well they were packed
LONGEST_NAME = 230  # bytes; writing.whole_file needs the rest of the 255 that disks allow
LONGEST_PATH = 2000
UNPRINTABLE = "has a name with control characters, or not in UTF-8"
_UNWRITABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")  # ends of lines, or no UTF-8
_BEFORE_ALL_ARCHIVES = 315532800  # 1980-01-01, the first day a zip can name


class Member(NamedTuple):
    """A file in an archive."""

    path: str  # parts joined by /; with a fault, the name as it can be shown
    size: int  # bytes, unpacked
    changed: int  # seconds since 1970, as the archive recorded it
    fault: str | None  # why it is never opened


class Screen:
    """Looks at the members of one archive, in its order, and says what is wrong with each."""

    def __init__(self):
        self._files, self._folders = set(), set()

    def member(self, name: str, size: int, packed: int, changed: int, fault: str | None) -> Member:
        """Return the member; `packed` is how many bytes of the archive hold it, or hold all of them."""
        parts = re.split(r"[/\\]", name)  # some Windows programs write backslashes
        fault = _fault_of_name(name, parts) or fault or _fault_of_size(size, packed)
        path = "/".join(part for part in parts if part not in ("", "."))
        fault = fault or self._clash(unicodedata.normalize("NFC", path).casefold())
        changed = changed if 0 < changed < time.time() else _BEFORE_ALL_ARCHIVES
        return Member(shown(name) if fault else path, size, changed, fault)

    def _clash(self, path: str) -> str | None:
        """What clashes with an earlier member on a disk that takes A and a for the same, as many do."""
        if path in self._files or path in self._folders:
            return "has the name of an earlier member, or differs from it only in case"
        above, folders = path.rpartition("/")[0], []
        while above and above not in self._folders:
            if above in self._files:
                return "lies below a member that is a file"
            folders.append(above)
            above = above.rpartition("/")[0]
        self._folders.update(folders)
        self._files.add(path)
        return None


def shown(name: str) -> str:
    """Return a name as it can be written into a table or printed, whatever characters it holds."""
    return _UNWRITABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), name)


def most_unpacked(packed: int) -> int:
    """Return how many bytes may come out of so many."""
    return max(SMALL, MOST_PACKED * packed)


def _fault_of_name(name: str, parts: list[str]) -> str | None:
    if not set(parts) - {"", "."}:
        return "has no name"
    if name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name):
        return "has an absolute path"
    if ".." in parts:
        return "leaves the archive's folder by `..`"
    if shown(name) != name:
        return UNPRINTABLE
    if len(name.encode()) > LONGEST_PATH or max(len(part.encode()) for part in parts) > LONGEST_NAME:
        return f"has a name of over {LONGEST_NAME} bytes, or a path of over {LONGEST_PATH}"
    return None


def _fault_of_size(size: int, packed: int) -> str | None:
    if size > min(LARGEST, most_unpacked(packed)):
        return f"claims to unpack to {size / 1e9:.1f} GB, as a zip bomb does"
    return None
