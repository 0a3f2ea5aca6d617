"""The download as ADNI's archive hands it out: a collection table and a tree of images.

Header, quoting, dates, ids and folder names are those of the archive's
collection table (`"Image Data ID","Subject",…`) and of its extracted zips.
"""

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import nibabel as nib

from brainlapse.phantom.subjects import DAYS_A_YEAR, Subject, Visit
from brainlapse.writing import whole_file, write_text

COLLECTION = "Phantom_Study_7_01_2026.csv"
HEADER = (
    "Image Data ID", "Subject", "Group", "Sex", "Age", "Visit", "Modality", "Description", "Type",
    "Acq Date", "Format", "Downloaded",
)  # fmt: skip
PROCESSED = "MPR; GradWarp; B1 Correction; N3; Scaled"

_DOWNLOADED_ON = "7/1/2026"
_UPLOADED_AFTER = timedelta(days=40)
_FIRST_IMAGE = 7000000
_LAST_YEAR = {"ADNI1": 2010, "ADNI2": 2016, "ADNI3": 2026}
_CODES = {  # nominal years since the first visit, and what the phase calls such a visit
    "ADNI1": {0: "sc", 0.5: "m06", 1: "m12", 1.5: "m18", 2: "m24", 3: "m36", 4: "m48", 5: "m60", 6: "m72"},
    "ADNI2": {0: "v02", 0.5: "v05", 1: "v11", 2: "v21", 3: "v31", 4: "v41", 5: "v51", 6: "v61"},
    "ADNI3": {0: "init", 1: "y1", 2: "y2", 3: "y3", 4: "y4", 5: "y5", 6: "y6"},
}
_DESCRIPTIONS = {
    ("ADNI1", "SIEMENS"): "MPRAGE",
    ("ADNI1", "GE"): "MP-RAGE",
    ("ADNI1", "PHILIPS"): "MP-RAGE",
    ("ADNI2", "SIEMENS"): "MPRAGE",
    ("ADNI2", "GE"): "SAG IR-SPGR",
    ("ADNI2", "PHILIPS"): "MPRAGE SENSE2",
    ("ADNI3", "SIEMENS"): "Accelerated Sagittal MPRAGE",
    ("ADNI3", "GE"): "Accelerated SAG IR-SPGR",
    ("ADNI3", "PHILIPS"): "Accelerated Sagittal MPRAGE",
}


@dataclass(frozen=True)
class Series:
    """One row of the collection: an image of one subject at one time."""

    image_id: str
    ptid: str
    group: str
    sex: str
    age_years: int
    visit: str
    description: str
    acquired: datetime
    type: str = "Original"
    downloaded: bool = True

    @property
    def path(self) -> Path:
        """Where the archive's zip puts the file, relative to the download."""
        name = re.sub(r"[^0-9A-Za-z-]", "_", self.description)
        # The stamp in a file's name is that of the upload, weeks after the scan.
        stamp = (self.acquired + _UPLOADED_AFTER).strftime("%Y%m%d%H%M%S000")
        series = f"S{int(self.image_id[1:]) // 10}"
        file = f"ADNI_{self.ptid}_MR_{name}_Br_{stamp}_{series}_{self.image_id}.nii"
        return Path("ADNI", self.ptid, name, f"{self.acquired:%Y-%m-%d_%H_%M_%S}.0", self.image_id, file)

    @property
    def cells(self) -> tuple[str, ...]:
        """The row's cells, in the order of HEADER."""
        day = f"{self.acquired.month}/{self.acquired.day}/{self.acquired.year}"
        return (
            self.image_id, self.ptid, self.group, self.sex, str(self.age_years), self.visit, "MRI",
            self.description, self.type, day, "NiFTI", _DOWNLOADED_ON if self.downloaded else "",
        )  # fmt: skip


def original(subject: Subject, visit: Visit, vendor: str) -> Series:
    """The scan of a visit that a study would use."""
    phase = _phase(subject)
    clock = timedelta(hours=8, minutes=(37 * subject.number + 113 * visit.number) % 600, seconds=visit.number)
    return Series(
        image_id=_image_id(subject, visit, 0),
        ptid=subject.ptid,
        group=_group(subject, phase),
        sex=subject.sex,
        age_years=int(subject.age_years + visit.years),
        visit=_codes(subject, phase)[visit.number],
        description=_DESCRIPTIONS[phase, vendor],
        acquired=datetime.combine(visit.acquired, datetime.min.time()) + clock,
    )


def repeat_of(series: Series) -> Series:
    """The same scan once more, twelve minutes later."""
    return _beside(series, 1, description=f"{series.description} Repeat", minutes=12)


def processed_from(series: Series) -> Series:
    """What the archive derives from a scan: unwarped, evened out and rescaled."""
    return _beside(series, 2, description=PROCESSED, type="Processed")


def localizer_of(series: Series) -> Series:
    """The few slices by which the scan was planned."""
    return _beside(series, 3, description="Localizer", minutes=-5)


def not_downloaded(subject: Subject, vendor: str) -> Series:
    """One more visit, a year after the last, of which only the row arrived."""
    last = subject.visits[-1]
    visit = Visit(last.number + 1, last.acquired + timedelta(days=371), last.years + 371 / DAYS_A_YEAR)
    later = replace(subject, visits=(*subject.visits, visit))
    return replace(original(later, visit, vendor), downloaded=False)


def write_image(folder: Path, series: Series, image: nib.Nifti1Image) -> None:
    """Write one image into the tree, uncompressed as the archive has it."""
    with whole_file(folder / series.path) as beside:
        beside.write_bytes(image.to_bytes())


def write_collection(folder: Path, rows: Iterable[Series]) -> None:
    """Write the collection table: every cell in quotes, ordered by subject and time."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(
        row.cells for row in sorted(rows, key=lambda row: (row.ptid, row.acquired, row.image_id))
    )
    write_text(folder / COLLECTION, text.getvalue())


def _beside(series: Series, kind: int, minutes: int = 0, **changes) -> Series:
    image_id = f"I{int(series.image_id[1:]) + kind}"
    return replace(
        series, image_id=image_id, acquired=series.acquired + timedelta(minutes=minutes), **changes
    )


def _image_id(subject: Subject, visit: Visit, kind: int) -> str:
    return f"I{_FIRST_IMAGE + 100 * subject.number + 10 * visit.number + kind}"


def _phase(subject: Subject) -> str:
    """The phase in which a subject entered; its vocabulary stays with the subject."""
    year = subject.visits[0].acquired.year
    return next(phase for phase, last in _LAST_YEAR.items() if year <= last)


def _group(subject: Subject, phase: str) -> str:
    """The research group; ADNI2 told early from late mild impairment."""
    if subject.diagnosis == "MCI" and phase == "ADNI2":
        return "EMCI" if subject.pace < 1 else "LMCI"
    return subject.diagnosis


def _codes(subject: Subject, phase: str) -> list[str]:
    """A visit's code is that of the nearest nominal time which no earlier visit took."""
    left, codes = list(_CODES[phase]), []
    for visit in subject.visits:
        nominal = min(left, key=lambda years: abs(years - visit.years))
        codes.append(_CODES[phase][nominal])
        left = [years for years in left if years > nominal]
    return codes
