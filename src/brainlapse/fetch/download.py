"""One file over HTTP: resumed where it stopped, and under its own name only when it is what the list says."""

import hashlib
import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

import requests
import urllib3

from brainlapse import __version__
from brainlapse.fetch.listing import Listed
from brainlapse.fetch.progress import amount

CHUNK = 1 << 16  # what a killed run loses at most, bytes
MOST_REDIRECTS = 5
TRANSIENT = {408, 425, 429, *range(500, 600)}  # answers that may be another one a little later
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(?:\d+|\*)")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Patience:
    """How long a server that fails or is silent is waited for, in seconds."""

    waits_s: tuple[float, ...] = (1, 2, 5, 10, 30, 60)  # before the second try of a file, the third, …
    longest_s: float = 300  # of the waits that a server asks for
    connect_s: float = 20
    silence_s: float = 60


PATIENCE = Patience()


class Failed(Exception):
    """A file could not be had, and another try now would not help. The message says what to do."""


class _Broke(Exception):
    """This try ended early; the next may not."""

    def __init__(self, why: object, wait_s: float = 0, anew: bool = False):
        super().__init__(why)
        self.wait_s, self.anew = wait_s, anew


class Server:
    """Where the paths of a list lie. Follows redirects to http and https, and knows no other protocol."""

    def __init__(self, base: str, patience: Patience, versions: bool):
        """`versions`: it keeps the versions that the list names, and is asked for just these."""
        self.patience = patience
        self._base, self._versions = base.rstrip("/"), versions
        self._session = requests.Session()
        self._session.max_redirects = MOST_REDIRECTS
        self._session.headers["User-Agent"] = f"brainlapse/{__version__}"
        self._session.headers["Accept-Encoding"] = "identity"  # the list tells of the bytes as they lie there

    def address(self, file: Listed) -> str:
        """The file's address."""
        version = f"?versionId={quote(file.version, safe='')}" if self._versions and file.version else ""
        return f"{self._base}/{quote(file.path)}{version}"

    @contextmanager
    def answer(self, file: Listed, start: int) -> Iterator[requests.Response]:
        """The answer to a request for the file's bytes from `start` on, its body not yet read."""
        ranges = {"Range": f"bytes={start}-"} if start else {}
        timeout = (self.patience.connect_s, self.patience.silence_s)
        try:
            with self._session.get(
                self.address(file), headers=ranges, stream=True, timeout=timeout
            ) as answer:
                yield answer
        except (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError) as error:
            raise _Broke(_cause(error)) from None
        except requests.RequestException as error:
            raise Failed(f"{self.address(file)}: {error}. {_ADVICE}") from None


def _cause(error: Exception) -> object:
    """What is behind an error of requests, without the wrapping."""
    inner = error.args[0] if error.args else error
    return getattr(inner, "reason", None) or inner


_OTHER_COPY = "--url takes the address of another copy of the data set."
_ADVICE = f"If a browser does not get it either, it has moved or is closed for a while. {_OTHER_COPY}"


def download(server: Server, file: Listed, path: Path, at: Callable[[int], None]) -> None:
    """Bring the file to `path`, or raise Failed; what came by then is kept beside it for the next call.

    `at` is told how many bytes are there. If-Range is not sent: a file that
    changed on the server between two tries fails the check of SHA-256, and is
    fetched once more from its beginning. What lay at `path` is kept, too.
    """
    part = part_of(path)
    if part.is_symlink():
        part.unlink()  # or we would write where it leads
    path.parent.mkdir(parents=True, exist_ok=True)
    for _ in range(2):
        _complete(server, file, part, at)
        if sha256_of(part) == file.sha256:
            _settle(part, path)
            return
        part.unlink()
    raise Failed(
        f"{server.address(file)} twice gave {file.size} bytes whose SHA-256 is not that of the list: "
        f"something on the way changes them, or they were changed there. {_OTHER_COPY}"
    )


def part_of(path: Path) -> Path:
    """Where a file grows until it is whole."""
    return path.with_name(f"{path.name}.part")


def size_of(part: Path) -> int:
    """Bytes of it that are there."""
    return part.stat().st_size if part.exists() else 0


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, as 64 hexadecimal digits."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _settle(part: Path, path: Path) -> None:
    if path.exists():
        beside = path.with_name(f"{path.name}.replaced")
        os.replace(path, beside)
        log.warning("%s was not what the list says; it is kept as %s", path, beside.name)
    with part.open("rb") as whole:
        os.fsync(whole.fileno())
    os.replace(part, path)


def _complete(server: Server, file: Listed, part: Path, at: Callable[[int], None]) -> None:
    """Bring `part` to the file's size, with as many tries as the server's patience has waits, and one."""
    waits = iter(server.patience.waits_s)
    while (have := size_of(part)) < file.size:
        try:
            _continue(server, file, part, have, at)
        except _Broke as trouble:
            if trouble.anew:
                part.unlink(missing_ok=True)
            wait_s = next(waits, None)
            if wait_s is None:
                tries = len(server.patience.waits_s) + 1
                raise Failed(f"{server.address(file)}: {trouble} (the last of {tries} tries).") from None
            wait_s = max(wait_s, min(trouble.wait_s, server.patience.longest_s))
            log.info("%s: %s; trying again in %.0f s", file.path, trouble, wait_s)
            time.sleep(wait_s)


def _continue(server: Server, file: Listed, part: Path, have: int, at: Callable[[int], None]) -> None:
    """Append what one answer brings; raises _Broke if that is not all that was missing."""
    with server.answer(file, have) as answer, _opened(part, _begin(answer, file, have)) as out:
        for block in answer.raw.stream(CHUNK, decode_content=False):
            if out.tell() + len(block) > file.size:
                out.truncate(0)
                raise Failed(_not_the_file(answer, file, f"more than {file.size} bytes"))
            out.write(block)
            at(out.tell())
        if out.tell() < file.size:
            raise _Broke(f"the answer ended after {amount(out.tell())} of {amount(file.size)}")


def _opened(part: Path, begin: int) -> BinaryIO:
    """The file, to be written from `begin` on; what was behind is gone."""
    part.touch()
    out = part.open("r+b")
    out.truncate(out.seek(begin))
    return out


def _begin(answer: requests.Response, file: Listed, have: int) -> int:
    """Where in the file the answer's body begins; raises Failed or _Broke if it is not of the file."""
    status = answer.status_code
    if status in TRANSIENT:
        raise _Broke(f"HTTP {status} {answer.reason}", wait_s=_asked_wait(answer))
    if status == 416:
        raise _Broke("the server has no such part", anew=True)
    if status not in (200, 206):
        raise Failed(f"{answer.url} is answered with HTTP {status} {answer.reason}. {_ADVICE}")
    if answer.headers.get("Content-Type", "").startswith("text/html"):
        raise Failed(
            f"{answer.url} is answered with a web page: a login, a proxy or an error stands before the file. "
            f"{_ADVICE}"
        )
    begin = have if status == 206 else 0
    if status == 206 and _begin_of_part(answer) != have:
        raise _Broke("the server sent another part than was asked for", anew=True)
    length = answer.headers.get("Content-Length", "")
    if length.isdigit() and begin + int(length) != file.size:
        raise Failed(_not_the_file(answer, file, f"{begin + int(length)} bytes"))
    return begin


def _begin_of_part(answer: requests.Response) -> int | None:
    told = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    return int(told[1]) if told else None


def _not_the_file(answer: requests.Response, file: Listed, has: str) -> str:
    return (
        f"{answer.url} has {has} where the list says {file.size} bytes, so it is another file: "
        f"the data set was changed there. {_OTHER_COPY}"
    )


def _asked_wait(answer: requests.Response) -> float:
    try:
        return urllib3.Retry().parse_retry_after(answer.headers.get("Retry-After", "0"))
    except urllib3.exceptions.InvalidHeader:
        return 0
