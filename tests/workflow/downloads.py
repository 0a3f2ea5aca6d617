"""Downloads of four studies in their own forms, made from phantom heads: what scientists really point at."""

import csv
import gzip
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import nibabel as nib
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid


@dataclass(frozen=True)
class Head:
    """One usable phantom scan, wherever it lies."""

    subject: str
    scan: str
    diagnosis: str
    acquired: date
    image: Path

    @property
    def stamp_folder(self) -> Path:
        return self.image.parents[1]


def heads(phantom: Path) -> list[Head]:
    """The usable scans of a phantom study, by person and time."""
    with open(phantom / "truth" / "truth.tsv", newline="") as table:
        rows = list(csv.DictReader(table, delimiter="\t"))
    images = {path.name.rpartition("_")[2].removesuffix(".nii"): path for path in phantom.rglob("*.nii")}
    return [
        Head(row["subject"], row["scan"], row["diagnosis"],
             date.fromisoformat(images[row["scan"]].parents[1].name[:10]), images[row["scan"]])
        for row in rows
    ]  # fmt: skip


def by_person(scans: list[Head]) -> Iterator[tuple[int, list[Head]]]:
    people = dict.fromkeys(head.subject for head in scans)
    for number, subject in enumerate(people):
        yield number, [head for head in scans if head.subject == subject]


def as_adni(root: Path) -> None:
    """Turn the phantom's tidy download into what lies on a scientist's disk.

    Half the people told by a search export instead of the collection, whose dates Excel wrote; one person's
    images in a zip, one's as DICOM, one's in leaf folders of the old kind; diagnoses in DXSUM.
    """
    collection = next(root.glob("*.csv"))
    with open(collection, newline="") as table:
        rows = list(csv.DictReader(table))
    people = dict(by_person(heads(root)))
    exported = {people[0][0].subject, people[1][0].subject, people[4][0].subject}
    _write_search_export(root / "idaSearch_7_02_2026.csv", [r for r in rows if r["Subject"] in exported])
    _write_collection(collection, [r for r in rows if r["Subject"] not in exported])
    _write_dxsum(root / "DXSUM_01Jul2026.csv", heads(root))
    for head in people[0]:
        as_dicom(head)
    _zip_away(root / "adni_part_2.zip", root, people[1])
    for head in people[2]:
        head.image.parent.rename(head.image.parent.with_name(f"S{head.scan[1:]}"))


def as_bids(phantom: Path, root: Path) -> None:
    """A BIDS dataset: sessions whose labels sort against time, told by sessions.tsv."""
    root.mkdir(parents=True)
    (root / "dataset_description.json").write_text('{"Name": "made up", "BIDSVersion": "1.10.0"}')
    for number, visits in by_person(heads(phantom)):
        person, lines = f"sub-P{number}", ["session_id\tacq_time"]
        for visit, head in enumerate(visits):
            session = f"ses-{9 - visit}"
            target = root / person / session / "anat" / f"{person}_{session}_T1w.nii.gz"
            pack(head.image, target)
            lines.append(f"{session}\t{head.acquired}T08:00:00")
        (root / person / f"{person}_sessions.tsv").write_text("\n".join(lines) + "\n")


def as_oasis3(phantom: Path, root: Path) -> None:
    """OASIS-3: days since entry in the folders, clinical tables by day, no dates at all."""
    ages, visits = ["OASISID,AgeatEntry,GENDER"], ["OASISID,days_to_visit,CDRTOT,dx1"]
    for number, scans in by_person(heads(phantom)):
        person = f"OAS3900{number}"
        ages.append(f"{person},70.5,2")
        for head in scans:
            day = (head.acquired - scans[0].acquired).days + 30
            session = f"{person}_MR_d{day:04d}"
            pack(head.image, root / session / "anat1" / f"sub-{person}_sess-d{day:04d}_run-01_T1w.nii.gz")
            visits.append(f"{person},{day + 20},0,Cognitively normal")
    (root / "OASIS3_demographics.csv").write_text("\n".join(ages) + "\n")
    (root / "OASIS3_UDSb4_cdr.csv").write_text("\n".join(visits) + "\n")


def as_aibl(phantom: Path, root: Path) -> None:
    """AIBL: people are numbers, no collection table, diagnoses by visit code."""
    dx, dates = ["RID;SITEID;VISCODE;DXCURREN"], ["RID;SITEID;VISCODE;EXAMDATE"]
    for number, scans in by_person(heads(phantom)):
        for code, head in zip(("bl", "m18", "m36", "m54"), scans, strict=False):
            rid, day = 100 + number, head.acquired
            target = root / "AIBL" / str(rid) / "MPRAGE_ADNI_confirmed" / head.stamp_folder.name / head.scan
            target.mkdir(parents=True)
            shutil.copy(head.image, target / f"AIBL_{rid}_MR_MPRAGE_Br_20190101_S1_{head.scan}.nii")
            dx.append(f"{rid};1;{code};1")
            dates.append(f"{rid};1;{code};{day.month}/{day.day}/{day.year}")
    (root / "aibl_pdxconv_01-Jun-2018.csv").write_text("\n".join(dx) + "\n")
    (root / "aibl_mrimeta_01-Jun-2018.csv").write_text("\n".join(dates) + "\n")


def pack(image: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(gzip.compress(image.read_bytes(), mtime=0))


def as_dicom(head: Head) -> None:
    """Put the image's slices, with the geometry they have, in the place of the NIfTI file."""
    image = nib.load(head.image)
    voxels, lps = np.asarray(image.dataobj), np.diag([-1, -1, 1, 1]) @ image.affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    i, j = (lps[:3, axis] / spacing[axis] for axis in (0, 1))
    for k in range(voxels.shape[2]):
        one = _slice_header(head, k)
        one.ImageOrientationPatient = [f"{value:.10g}" for value in (*i, *j)]
        one.ImagePositionPatient = [f"{value:.10g}" for value in (lps @ [0, 0, k, 1])[:3]]
        one.PixelSpacing, one.SliceThickness = (
            [f"{spacing[1]:.10g}", f"{spacing[0]:.10g}"],
            f"{spacing[2]:.10g}",
        )
        one.Columns, one.Rows = voxels.shape[:2]
        one.PixelData = voxels[:, :, k].T.astype("<i2").tobytes()
        name = head.image.name.replace("_Br_", "_br_raw_").replace(
            f"_{head.scan}.nii", f"_{k}_{head.scan}.dcm"
        )
        one.save_as(head.image.with_name(name), enforce_file_format=True)
    head.image.unlink()


def _slice_header(head: Head, k: int) -> Dataset:
    one = Dataset()
    one.file_meta = FileMetaDataset()
    one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one.SOPClassUID = one.file_meta.MediaStorageSOPClassUID = MRImageStorage
    one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = generate_uid(
        entropy_srcs=[head.scan, str(k)]
    )
    one.StudyInstanceUID = one.SeriesInstanceUID = generate_uid(entropy_srcs=[head.scan])
    one.StudyDate = one.SeriesDate = one.AcquisitionDate = f"{head.acquired:%Y%m%d}"
    one.StudyTime = one.SeriesTime = one.AcquisitionTime = "081530"
    one.PatientName, one.PatientID = "Nobody^Ever", head.subject
    one.Modality, one.Manufacturer, one.MagneticFieldStrength = "MR", "SIEMENS", "3"
    one.PatientPosition, one.SeriesDescription = "HFS", "MPRAGE"
    one.SeriesNumber, one.AcquisitionNumber, one.InstanceNumber = 2, 1, k + 1
    one.MRAcquisitionType, one.ImageType, one.EchoTime = "3D", ["ORIGINAL", "PRIMARY", "M"], 3
    one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
    one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 16, 16, 15, 1
    return one


def _write_search_export(path: Path, rows: list[dict]) -> None:
    names = {"Subject ID": "Subject", "Sex": "Sex", "Research Group": "Group", "Visit": "Visit",
             "Study Date": "Acq Date", "Age": "Age", "Modality": "Modality", "Description": "Description",
             "Type": "Type", "Image ID": "Image Data ID"}  # fmt: skip
    with open(path, "w", newline="", encoding="utf-16") as table:
        writer = csv.writer(table, delimiter="\t")
        writer.writerow([*names, "Imaging Protocol"])
        for row in rows:
            cells = {ours: row[theirs] for ours, theirs in names.items()}
            cells["Image ID"] = cells["Image ID"].lstrip("I")
            writer.writerow([*cells.values(), "Weighting=T1;Field Strength=3.0"])


def _write_collection(path: Path, rows: list[dict]) -> None:
    """As Excel saves it elsewhere: semicolons, day first."""
    path.unlink()
    with open(path, "w", newline="", encoding="utf-8-sig") as table:
        writer = csv.DictWriter(table, list(rows[0]), delimiter=";")
        writer.writeheader()
        for row in rows:
            month, day, year = row["Acq Date"].split("/")
            writer.writerow({**row, "Acq Date": f"{int(day):02d}.{int(month):02d}.{year}"})


def _write_dxsum(path: Path, scans: list[Head]) -> None:
    codes = {"CN": 1, "MCI": 2, "AD": 3}
    lines = ["Phase,PTID,RID,VISCODE2,EXAMDATE,DIAGNOSIS"]
    lines += [
        f"ADNI3,{head.subject},{int(head.subject[6:])},m,{head.acquired},{codes[head.diagnosis]}"
        for head in scans
    ]
    path.write_text("\n".join(lines) + "\n")


def _zip_away(path: Path, root: Path, scans: list[Head]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for head in scans:
            archive.write(head.image, Path("My Collection", head.image.relative_to(root)))
            head.image.unlink()
