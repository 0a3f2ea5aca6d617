"""One run at a time in a folder; a lock that a killed run left behind does not count."""

import fcntl
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from brainlapse.errors import Refused

NAME = ".fetch.lock"

log = logging.getLogger(__name__)


@contextmanager
def only_run(root: Path) -> Iterator[None]:
    """Hold the folder's lock; raises Refused, naming process and host, if another run holds it.

    The system drops a lock with its process, so what a killed run left behind
    can be had. But not every shared disk knows the locks of other hosts, so
    the note of a run on another host is believed.
    """
    path = root / NAME
    with open(path, "a+", encoding="utf-8") as file:
        file.seek(0)
        holder = file.read().strip()
        if _is_taken(file, holder) or not _is_still(path, file):
            who = holder or "it began just now"
            raise Refused(
                f"{root} is being filled by another run ({who}). Wait for it; if it is over, delete {path}."
            )
        if holder:
            log.info("%s was left behind by %s, which runs no more", path, holder)
        file.truncate(0)
        print(f"process {os.getpid()} on {socket.gethostname()}", file=file, flush=True)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _is_taken(file: IO[str], holder: str) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a disk that knows no locks
        return bool(holder)
    return bool(holder) and not holder.endswith(f" on {socket.gethostname()}")


def _is_still(path: Path, file: IO[str]) -> bool:
    """Whether the file still lies there, and its last holder did not delete it after we opened it."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
