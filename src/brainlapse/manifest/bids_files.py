"""The files of the one BIDS dataset that lies in a download, in the open or in archives, at any depth."""

import logging
from collections import defaultdict
from typing import NamedTuple

from brainlapse.errors import Refused
from brainlapse.manifest.bids_names import NIFTI
from brainlapse.manifest.copies import one_of_copies
from brainlapse.manifest.inventory import Download, Item

LEFT_OUT = {"derivatives", "sourcedata"}

log = logging.getLogger(__name__)


class Found(NamedTuple):
    """A file of the dataset, wherever it is packed."""

    folders: tuple[str, ...]  # below the dataset's own folder
    stem: str  # its name; without the suffix if it is a NIfTI file
    item: Item
    problem: str | None = None  # two files that should be one


def dataset_files(download: Download) -> list[Found]:
    """Return the files of the one dataset that lies in the download, and the NIfTI files beside it.

    Copies are one file; those beside the dataset have `..` as first folder.
    Raises Refused where there is no dataset or more than one.
    """
    placed = [(_parts_below(download, item), item) for item in download.items]
    kept = [(parts, item) for parts, item in placed if not LEFT_OUT & set(parts[:-1])]
    if len(kept) < len(placed):
        log.info("manifest: %d files in derivatives/ or sourcedata/ are left out", len(placed) - len(kept))
    top = _top(download, [parts for parts, _ in kept])
    copies = defaultdict(list)
    for parts, item in kept:
        if parts[: len(top)] == top:
            copies[parts[len(top) : -1], NIFTI.sub("", parts[-1])].append(item)
        elif NIFTI.search(parts[-1]):
            copies[("..", *parts[:-1]), NIFTI.sub("", parts[-1])].append(item)
    return [Found(*place, *one_of_copies(items)) for place, items in sorted(copies.items())]


def _top(download: Download, paths: list[tuple[str, ...]]) -> tuple[str, ...]:
    """The folder that holds the sub- folders with images."""
    tops = set()
    for parts in [parts for parts in paths if NIFTI.search(parts[-1])] or paths:
        first = next((place for place, part in enumerate(parts[:-1]) if part.startswith("sub-")), None)
        if first is not None:
            tops.add(parts[:first])
    if not tops:
        raise Refused(
            f"{download.root}: no BIDS dataset, for no folder below it is named sub-LABEL. "
            "Give the folder in which dataset_description.json and the sub- folders lie."
        )
    if len(tops) > 1:
        raise Refused(
            f"{download.root}: sub- folders lie in {' and in '.join(_folder(top) for top in sorted(tops))}. "
            "One label may be two people in two datasets: make each a cohort of its own, or keep one copy."
        )
    top = tops.pop()
    if (*top, "dataset_description.json") not in paths:
        log.warning("manifest: %s has no dataset_description.json; read as BIDS all the same", download.root)
    return top


def _parts_below(download: Download, item: Item) -> tuple[str, ...]:
    """The folders and the name of a file below the download's folder, or in its archive."""
    return tuple(item.path.removeprefix(f"{item.archive or download.root}/").split("/"))


def _folder(parts: tuple[str, ...]) -> str:
    return "/".join(parts) or "the folder itself (or an archive's)"
