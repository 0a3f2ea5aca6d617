"""The images of an IDA download, found by image id whatever the layout, in the open or in archives."""

import re
from collections import defaultdict
from datetime import date
from itertools import groupby

import pandas as pd

from brainlapse.manifest.copies import one_of_copies
from brainlapse.manifest.images import Image
from brainlapse.manifest.inventory import Download, Item

IMAGE_FILE = re.compile(r"\.(nii|nii\.gz|dcm)$", re.IGNORECASE)
NUMBER_IN_NAME = re.compile(r"_[ID](\d+)\.(?:nii|nii\.gz|dcm)$", re.IGNORECASE)
NUMBER_OF_FOLDER = re.compile(r"[ID](\d+)")
STAMP = re.compile(r"(\d{4})-(\d\d)-(\d\d)_\d\d_\d\d_\d\d")


def find_images(download: Download, subject: re.Pattern) -> tuple[pd.DataFrame, dict[str, Image]]:
    """Return a row an image, and the images by scan id.

    Columns: scan (`I…`, or None where neither file nor folder says), subject,
    stamp (a date, from the folder), folder (the description as the folder has
    it), image (its name) and problem (None, or two different files of one
    image, as one_of_copies tells them). The number in a file name that looks
    like a date is the day of processing and is not used.
    """
    files, nameless = defaultdict(list), []
    for item in download.items:
        if IMAGE_FILE.search(item.path):
            number = _number(item.path)
            (nameless if number is None else files[number]).append(item)
    rows, images = [], {}
    for number, items in files.items():
        scan = f"I{number}"
        images[scan], problem = _image_of(scan, items)
        rows.append(_row(download, scan, images[scan], subject, problem))
    for item in nameless:
        rows.append(_row(download, None, Image(item.path, (item,)), subject, None))
    columns = ["scan", "subject", "stamp", "folder", "image", "problem"]
    return pd.DataFrame(rows, columns=columns, dtype=object), images


def _number(path: str) -> int | None:
    """The image id's digits: from the file's name, else from the nearest folder that is an image id."""
    found = NUMBER_IN_NAME.search(path)
    if found:
        return int(found[1])
    ids = [NUMBER_OF_FOLDER.fullmatch(part) for part in path.split("/")[-4:-1]]
    return next((int(part[1]) for part in reversed(ids) if part), None)


def _image_of(scan: str, items: list[Item]) -> tuple[Image, str | None]:
    """The one image that all these files are, or are copies of."""
    nifti = [item for item in items if not item.path.lower().endswith(".dcm")]
    if not nifti:
        return _series(scan, items)
    chosen, problem = one_of_copies(nifti)
    return Image(chosen.path, (chosen,)), problem


def _series(scan: str, slices: list[Item]) -> tuple[Image, str | None]:
    """All slices, each file name once; the problem is that of the first slice that has one."""
    chosen = [one_of_copies(list(copies)) for _, copies in groupby(sorted(slices, key=_name), key=_name)]
    kept = tuple(item for item, _ in chosen)
    problem = next((problem for _, problem in chosen if problem), None)
    return Image(f"{kept[0].path.rpartition('/')[0]}/*_{scan}.dcm", kept, dicom=True), problem


def _name(item: Item) -> str:
    return item.path.rpartition("/")[2]


def _row(download: Download, scan, image: Image, subject: re.Pattern, problem: str | None) -> dict:
    below = image.name.removeprefix(str(download.root)).split("/")
    stamps = [place for place, part in enumerate(below[:-1]) if STAMP.match(part)]
    return {
        "scan": scan,
        "subject": _subject(below, subject),
        "stamp": _date(below[stamps[-1]]) if stamps else None,
        "folder": _description(below, stamps, subject),
        "image": image.name,
        "problem": problem,
    }


def _description(below: list[str], stamps: list[int], form: re.Pattern) -> str | None:
    """The folder above the stamp's; without a stamp that below the person's, unless it is an image's."""
    if stamps:
        return below[stamps[-1] - 1] if stamps[-1] else None
    after = next((place + 1 for place, part in enumerate(below[:-2]) if form.fullmatch(part)), None)
    return None if after is None or NUMBER_OF_FOLDER.fullmatch(below[after]) else below[after]


def _subject(below: list[str], form: re.Pattern) -> str | None:
    """Whose folder it is, else whose name the file bears."""
    folder = next(filter(form.fullmatch, below[:-1]), None)
    in_name = folder is None and re.search(rf"_({form.pattern})_", below[-1])
    return in_name[1] if in_name else folder


def _date(part: str) -> date | None:
    year, month, day = map(int, STAMP.match(part).groups())
    try:
        return date(year, month, day)
    except ValueError:
        return None
