"""Files that are either whole or not there, even when the process is killed."""

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_UNFINISHED = ".partial-"


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; on success it replaces `path` in one step.

    The content is flushed to disk before the rename, so a reader sees the old
    file or the new one and never a part. Missing parent folders are made. On
    an exception the partial file is removed and `path` is left as it was.
    The yielded name ends as `path` does, since some writers choose by suffix.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{_UNFINISHED}{os.getpid()}-{threading.get_ident()}-{path.name}")
    try:
        yield beside
        _flush_to_disk(beside)
        os.replace(beside, path)
        _flush_to_disk(path.parent)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Yield a folder beside `folder` that replaces it on success; what a killed run left is removed."""
    beside, old = (folder.with_name(f".{folder.name}-{which}") for which in ("new", "old"))
    for leftover in (beside, old):
        shutil.rmtree(leftover, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        yield beside
        os.sync()  # thousands of small files: one flush for all is a hundred times faster than one each
        if folder.exists():
            os.rename(folder, old)
        os.rename(beside, folder)
    finally:
        for leftover in (beside, old):
            shutil.rmtree(leftover, ignore_errors=True)


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text as a whole file."""
    with whole_file(path) as beside:
        beside.write_text(text, encoding="utf-8", newline="")


def remove_unfinished(folder: str | Path, deep: bool = False) -> None:
    """Remove what writers that were killed left in a folder, or with `deep` in all that lie in it.

    Only for a folder that nobody else is writing to.
    """
    for beside in Path(folder).glob(f"{'**/' if deep else ''}{_UNFINISHED}*"):
        beside.unlink(missing_ok=True)


def _flush_to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
