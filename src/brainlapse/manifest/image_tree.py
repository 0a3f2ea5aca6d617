"""The images of an extracted IDA download, found by image id whatever the layout."""

import os
import re
from datetime import date
from pathlib import Path

import pandas as pd

NIFTI = re.compile(r".*_I(\d+)\.nii(\.gz)?", re.IGNORECASE)
DICOM = re.compile(r".*_I(\d+)\.dcm", re.IGNORECASE)
SUBJECT = re.compile(r"\d{3}_S_\d{4,5}")
STAMP = re.compile(r"(\d{4})-(\d\d)-(\d\d)_\d\d_\d\d_\d\d")


def find_images(root: Path) -> pd.DataFrame:
    """Return a row an image: scan (`I…`), subject, stamp (a date, from the folder) and image.

    `image` is the NIfTI file, or the folder of a DICOM series. The number in a
    file name that looks like a date is the day of processing and is not used.
    """
    found = []
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            nifti, dicom = NIFTI.fullmatch(name), DICOM.fullmatch(name)
            if nifti:
                found.append(_row(nifti[1], Path(folder), Path(folder, name)))
            elif dicom:
                found.append(_row(dicom[1], Path(folder), Path(folder)))
                break  # the other slices of the series
    return pd.DataFrame(found, columns=["scan", "subject", "stamp", "image"])


def _row(number: str, folder: Path, image: Path) -> dict:
    stamps = [_date(part) for part in folder.parts if STAMP.match(part)]
    subjects = [part for part in folder.parts if SUBJECT.fullmatch(part)]
    return {
        "scan": f"I{int(number)}",
        "subject": subjects[-1] if subjects else None,
        "stamp": stamps[-1] if stamps else None,
        "image": str(image),
    }


def _date(part: str) -> date | None:
    year, month, day = map(int, STAMP.match(part).groups())
    try:
        return date(year, month, day)
    except ValueError:
        return None
