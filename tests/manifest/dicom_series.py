"""Made-up DICOM series: a small ramp of voxels, with the header's fields that matter here."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

SPACING_MM = (1.0, 1.0, 1.5)
SIDE, SLICES = 16, 12


def voxels(series: int = 7) -> np.ndarray:
    """Return what write_series writes: (16, 16, 12) of int, by column, row and slice, all different."""
    return np.arange(SIDE * SIDE * SLICES).reshape(SLICES, SIDE, SIDE).transpose(2, 1, 0) + series


def write_series(
    folder: Path,
    image: int = 1,
    series: int = 7,
    day: str | None = "20100109",
    slices: Iterable[int] = range(SLICES),
    height_mm: Callable[[int], float] = lambda k: k * SPACING_MM[2],
    echo: Callable[[int], float] = lambda k: 3,
) -> list[Path]:
    """Write an axial series as IDA names it, and return its files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for k in slices:
        one = _header(series, day)
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = _uid("slice", series, k)
        one.InstanceNumber, one.EchoTime = k + 1, echo(k)
        one.ImagePositionPatient = [-8, -8, height_mm(k)]
        one.PixelData = voxels(series)[:, :, k].T.astype("<u2").tobytes()
        paths.append(folder / f"ADNI_941_S_0001_MR_MPRAGE_br_raw_20190101_{k + 1}_S{series}_I{image}.dcm")
        one.save_as(paths[-1], enforce_file_format=True)
    return paths


def _header(series: int, day: str | None) -> Dataset:
    one = Dataset()
    one.file_meta = FileMetaDataset()
    one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one.SOPClassUID = one.file_meta.MediaStorageSOPClassUID = MRImageStorage
    one.PatientName, one.PatientID, one.PatientBirthDate = "Nobody^Ever", "941_S_0001", "19350102"
    one.ImageComments, one.InstitutionName = "called Nobody", "Nowhere"
    one.StudyInstanceUID, one.SeriesInstanceUID = _uid("study"), _uid("series", series)
    if day:
        one.StudyDate = one.SeriesDate = one.AcquisitionDate = day
    one.StudyTime = one.SeriesTime = one.AcquisitionTime = "081530"
    one.Modality, one.Manufacturer, one.MagneticFieldStrength = "MR", "SIEMENS", "1.5"
    one.PatientPosition, one.SeriesDescription, one.ProtocolName = "HFS", "MPRAGE", "MPRAGE"
    one.SeriesNumber, one.AcquisitionNumber = series, 1
    one.ImageOrientationPatient, one.PixelSpacing = [1, 0, 0, 0, 1, 0], list(SPACING_MM[:2])
    one.SliceThickness, one.RepetitionTime = SPACING_MM[2], 2300
    one.MRAcquisitionType, one.ImageType = "3D", ["ORIGINAL", "PRIMARY", "M"]
    one.Rows = one.Columns = SIDE
    one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 16, 12, 11, 0
    one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
    return one


def _uid(*parts) -> str:
    return generate_uid(entropy_srcs=[str(part) for part in parts])
