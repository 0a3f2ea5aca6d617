"""Which OASIS-3 image a file is about, whatever the layout in which it lies.

Images lie in folders such as `OAS30001_MR_d0129`, in the simplified layout
(`anat1/….nii.gz`) or not (`anat1/NIFTI/….nii.gz`, `anat1/BIDS/….json`).
"""

import re
from typing import NamedTuple

from brainlapse.manifest.bids_names import entities, entity

SUBJECT = re.compile(r"OAS3\d{4}")
SESSION = re.compile(r"(OAS3\d{4})_(?:\w+_)?d(\d{4,})(?:\.\w+)*")  # a folder, an archive, a label in a table
SCAN_FOLDER = re.compile(r"(?:anat|func|dwi|fmap|swi|perf|pet)\d+")


class Place(NamedTuple):
    """Which image a file is about, whatever the layout in which it lies."""

    subject: str | None
    day: int | None
    folder: str  # anat1, …
    rest: str  # the name without subject and session


def place_of(folders: list[str], stem: str) -> tuple[Place, str | None]:
    """Return which image a file is about, and what is wrong where its name and its folders disagree."""
    pairs, suffix = entities(stem)
    named = f"{entity(pairs, 'sub') or ''}_{entity(pairs, 'ses') or entity(pairs, 'sess') or ''}"
    found = [match for match in map(SESSION.fullmatch, (*folders, named)) if match]
    told = sorted({(match[1], int(match[2])) for match in found})
    people = {subject for subject, _ in told} | set(SUBJECT.findall("/".join((*folders, stem))))
    rest = [pair for pair in pairs if not pair.startswith(("sub-", "ses-", "sess-"))]
    scan_folders = [match[0] for match in map(SCAN_FOLDER.match, folders) if match]
    place = Place(
        min(people, default=None),
        told[0][1] if told else None,
        scan_folders[-1] if scan_folders else "",
        "_".join([*rest, suffix]),
    )
    if len(people) > 1:
        return place, f"its path names {' and '.join(sorted(people))}"
    if len(told) > 1:
        return place, f"its path names {' and '.join(f'day {day}' for _, day in told)}"
    return place, None
