"""All files of a study's list into one folder: what is there is checked, what is missing is fetched."""

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

from brainlapse.errors import Refused
from brainlapse.fetch import Study
from brainlapse.fetch.download import (
    PATIENCE,
    Failed,
    Patience,
    Server,
    download,
    part_of,
    sha256_of,
    size_of,
)
from brainlapse.fetch.listing import Listed, listed, of_first_people, place
from brainlapse.fetch.lock import only_run
from brainlapse.fetch.progress import Progress, amount

MOST_IN_A_ROW = 3  # failed files, after which the server is left alone
NAMED = 3  # failures in the message

log = logging.getLogger(__name__)


def collect(
    study: Study,
    root: Path,
    people: int | None = None,
    mirror: str | None = None,
    patience: Patience = PATIENCE,
) -> None:
    """Fetch what is missing of the study; returns when all of it lies below `root`, else raises Refused.

    `people`: only the first so many people of the list. `mirror`: the address
    of another copy, which is not asked for the versions of the study's own
    server. Every file that is there is read and checked again: half a minute
    for 6 GB, for which the promise holds for files from elsewhere, too.
    """
    files = of_first_people(listed(study.files), people)
    server = Server(_web_address(mirror or study.address), patience, versions=mirror is None)
    _announce(study, files, mirror or study.address, root)
    try:
        root.mkdir(parents=True, exist_ok=True)
        with only_run(root):
            missing = _missing(files, root)
            _check_room(missing, root)
            new, failures = _fetch(server, missing, root)
    except OSError as error:
        raise Refused(
            f"{error.filename or root}: {error.strerror or error}. When that is mended, the same command "
            "goes on where it stopped."
        ) from None
    _conclude(study, len(files), len(files) - len(missing), new, failures)


def _web_address(address: str) -> str:
    if not address.lower().startswith(("http://", "https://")):
        raise Refused(f"--url {address}: must begin with http:// or https://.")
    return address


def _announce(study: Study, files: Sequence[Listed], address: str, root: Path) -> None:
    people = len({file.person for file in files if file.person})
    log.info("%s\n%s, %s", study.title, study.source, study.licence)
    log.info("%d people, %d files, %s", people, len(files), amount(sum(file.size for file in files)))
    log.info("from %s\nto %s", address, root)


def _missing(files: Sequence[Listed], root: Path) -> list[Listed]:
    """The files that are not there as the list has them."""
    places = {file: place(root, file.path) for file in files}
    likely = [file for file, path in places.items() if path.is_file() and path.stat().st_size == file.size]
    progress, whole = Progress("checked", likely), set()
    for file in likely:
        if sha256_of(places[file]) == file.sha256:
            whole.add(file)
        progress.settle(file)
    return [file for file in files if file not in whole]


def _check_room(missing: Sequence[Listed], root: Path) -> None:
    parts = {file: size_of(part_of(place(root, file.path))) for file in missing}
    needed = sum(file.size - min(file.size, there) for file, there in parts.items())
    free = shutil.disk_usage(root).free
    if needed > free:
        raise Refused(
            f"{root}: {amount(needed)} are needed and {amount(free)} are free. Make room, or name a folder "
            "on another disk with --root."
        )


def _fetch(server: Server, missing: Sequence[Listed], root: Path) -> tuple[int, list[str]]:
    """Fetch file by file; returns how many came, and what is wrong with the others until it gave up."""
    progress, new, failures, in_a_row = Progress("fetched", missing), 0, [], 0
    for file in missing:
        try:
            download(server, file, place(root, file.path), progress.at)
        except Failed as failure:
            log.warning("%s", failure)
            failures.append(str(failure))
            in_a_row += 1
            if in_a_row == MOST_IN_A_ROW:
                break
        else:
            progress.settle(file)
            new, in_a_row = new + 1, 0
    return new, failures


def _conclude(study: Study, asked: int, there: int, new: int, failures: Sequence[str]) -> None:
    absent = asked - there - new
    log.info("%d files were there, %d are new, %d are missing", there, new, absent)
    if not absent:
        log.info("Everything is there. Next:\n  %s", study.then)
        return
    gave_up = f" It gave up after {MOST_IN_A_ROW} failures in a row." if absent > len(failures) else ""
    lines = [f"{absent} of {asked} files are missing.{gave_up}", *failures[:NAMED]]
    raise Refused("\n  ".join([*lines, "The same command goes on where it stopped."]))
