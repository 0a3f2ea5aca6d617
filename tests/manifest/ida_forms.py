"""Made-up images in all the forms in which IDA tells of them: real headers, invented rows."""

import csv
import io
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path


@dataclass(frozen=True)
class Shot:
    """One image of a made-up study."""

    image: int
    subject: str
    when: date
    description: str = "MPRAGE"
    type: str = "Original"
    group: str = "MCI"
    sex: str = "F"
    age: float = 71.3
    visit: str = "sc"
    field_strength: float = 3.0
    vendor: str = "SIEMENS"
    modality: str = "MRI"

    @property
    def rid(self) -> int:
        return int(self.subject.rpartition("_")[2])


def us(day: date) -> str:
    return f"{day.month}/{day.day}/{day.year}"


def collection(shots: Iterable[Shot]) -> str:
    """F1: the CSV of a data collection."""
    head = ["Image Data ID", "Subject", "Group", "Sex", "Age", "Visit", "Modality", "Description", "Type",
            "Acq Date", "Format", "Downloaded"]  # fmt: skip
    rows = [
        [f"I{s.image}", s.subject, s.group, s.sex, int(s.age), s.visit, s.modality, s.description, s.type,
         us(s.when), "NiFTI", "7/01/2026"]
        for s in shots
    ]  # fmt: skip
    return written(head, rows, quoting=csv.QUOTE_ALL)


def search_export(shots: Iterable[Shot]) -> str:
    """F2: idaSearch, with image ids without their I and a protocol full of delimiters."""
    head = ["Subject ID", "Project", "Phase", "Sex", "Research Group", "Visit", "Study Date", "Age",
            "Modality", "Description", "Type", "Imaging Protocol", "Image ID"]  # fmt: skip
    rows = [
        [s.subject, "ADNI", "ADNI 2", s.sex, s.group, "ADNI2 Screening MRI-New Pt", us(s.when), s.age,
         s.modality, s.description, s.type,
         f"Acquisition Plane=SAGITTAL;Manufacturer={s.vendor};Field Strength={s.field_strength}", s.image]
        for s in shots
    ]  # fmt: skip
    return written(head, rows)


def key_mri(shots: Iterable[Shot]) -> str:
    """F3: Key_MRI, ISO dates, no type."""
    head = ["subject_id", "image_id", "study_id", "series_id", "image_visit", "image_date",
            "series_description", "series_type", "acquisition_type"]  # fmt: skip
    rows = [
        [s.subject, s.image, 1, 2, "4_sc", s.when, s.description, "MP-RAGE", "3D"]
        for s in shots
        if s.type == "Original"
    ]
    return written(head, rows)


def structural(shots: Iterable[Shot]) -> str:
    """F3: Structural_MRI_Images."""
    head = ["image_id", "subject_id", "study_id", "mri_visit", "mri_date", "mri_description", "mri_thickness",
            "mri_mfr", "mri_mfr_model", "mri_field_str"]  # fmt: skip
    rows = [
        [s.image, s.subject, 1, "scmri", s.when, s.description, 1.2, s.vendor, "Trio", s.field_strength]
        for s in shots
    ]
    return written(head, rows)


def all_images(shots: Iterable[Shot]) -> str:
    """F3: All_Images."""
    head = ["image_id", "subject_id", "study_id", "series_id", "image_visit", "image_date",
            "image_description", "image_type", "VISCODE2"]  # fmt: skip
    kinds = {"Processed": "Pre-processed"}
    rows = [
        [s.image, s.subject, 1, 2, "bl", s.when, s.description, kinds.get(s.type, s.type), "bl"]
        for s in shots
    ]
    return written(head, rows)


FORMS: dict[str, Callable[[Iterable[Shot]], str]] = {
    "My_Collection_3_20_2021.csv": collection,
    "idaSearch_3_20_2021.csv": search_export,
    "All_Subjects_Key_MRI_21Aug2025.csv": key_mri,
    "Mine_Structural_MRI_Images_21Aug2025.csv": structural,
    "Mine_All_Images_21Aug2025.csv": all_images,
}


def side_file(shot: Shot) -> str:
    """The XML beside an image, with a namespace as IDA writes it."""
    terms = (
        f'<protocolTerm><protocol term="Field Strength">{shot.field_strength}</protocol>'
        f'<protocol term="Manufacturer">{shot.vendor}</protocol></protocolTerm>'
    )
    original = f"<imageUID>{shot.image}</imageUID><description>{shot.description}</description>{terms}"
    derived = ""
    if shot.type != "Original":
        original = f"<imageUID>{shot.image + 500000}</imageUID><description>MPRAGE</description>{terms}"
        derived = (
            "<seriesLevelMeta><derivedProduct>"
            f"<imageUID>{shot.image}</imageUID><processedDataLabel>{shot.description}</processedDataLabel>"
            f"<relatedImage><imageUID>{shot.image + 500000}</imageUID></relatedImage>"
            "</derivedProduct></seriesLevelMeta>"
        )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><idaxs xmlns="http://ida.loni.usc.edu"><project>'
        f"<subject><subjectIdentifier>{shot.subject}</subjectIdentifier>"
        f"<researchGroup>{shot.group}</researchGroup><subjectSex>{shot.sex}</subjectSex>"
        f"<visit><visitIdentifier>ADNI Screening</visitIdentifier></visit>"
        f"<study><subjectAge>{shot.age}</subjectAge><series><seriesIdentifier>9</seriesIdentifier>"
        f"<modality>{shot.modality}</modality><dateAcquired>{shot.when} 08:15:30.0</dateAcquired>"
        f"{derived}<imagingProtocol>{original}</imagingProtocol></series></study>"
        "</subject></project></idaxs>"
    )


def path_of(shot: Shot, leaf: str = "I", suffix: str = ".nii") -> Path:
    """Where IDA's zip puts the image: the leaf folder is `I…` today and was `S…` before 2022."""
    name = re.sub(r"[^0-9A-Za-z-]", "_", shot.description)
    folder = f"I{shot.image}" if leaf == "I" else f"S{shot.image % 97 + 1000}"
    file = f"ADNI_{shot.subject}_MR_{name}_Br_20190101120000000_S99_I{shot.image}{suffix}"
    return Path("ADNI", shot.subject, name, f"{shot.when}_08_15_30.0", folder, file)


def place(root: Path, shot: Shot, **how) -> Path:
    """Write a stand-in for the image, whose content tells whose it is."""
    path = root / path_of(shot, **how)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content(shot))
    return path


def content(shot: Shot) -> bytes:
    return f"image {shot.image}".encode() * 50


def written(head: list[str], rows: Iterable[Iterable], quoting=csv.QUOTE_MINIMAL) -> str:
    text = io.StringIO()
    writer = csv.writer(text, quoting=quoting, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue()
