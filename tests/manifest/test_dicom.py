"""A made-up DICOM series becomes the volume it was, or a reason that a person can act on."""

import gzip
import os
from itertools import pairwise

import nibabel
import numpy as np
import pytest
from dicom_series import SLICES, SPACING_MM, voxels, write_series

from brainlapse.errors import Refused
from brainlapse.manifest import dicom
from brainlapse.manifest.dicom import Unconvertible, convert


def test_a_series_becomes_the_volume_it_was(tmp_path):
    header = convert(write_series(tmp_path / "in"), tmp_path / "out.nii.gz")
    image = nibabel.as_closest_canonical(nibabel.load(tmp_path / "out.nii.gz"))
    assert image.shape == voxels().shape
    # DICOM counts to the left and back, RAS to the right and front.
    np.testing.assert_array_equal(image.get_fdata(), voxels()[::-1, ::-1, :])
    np.testing.assert_allclose(np.diag(image.affine)[:3], SPACING_MM)
    np.testing.assert_allclose(image.affine[:3, 3], [-7, -7, 0])
    assert header["AcquisitionDateTime"].startswith("2010-01-09")
    assert header["MagneticFieldStrength"] == 1.5 and header["Manufacturer"] == "Siemens"


def test_who_the_person_is_stays_behind(tmp_path):
    header = convert(write_series(tmp_path / "in"), tmp_path / "out.nii.gz")
    told = repr(header).encode() + gzip.decompress((tmp_path / "out.nii.gz").read_bytes())
    for secret in (b"Nobody", b"941_S_0001", b"1935", b"Nowhere", b"UID"):
        assert secret not in told
    assert set(header) <= set(dicom.KEPT)


def test_the_same_slices_give_the_same_file(tmp_path):
    files = write_series(tmp_path / "in")
    for when, file in enumerate(files):
        os.utime(file, (1000 + when, 1000 + when))
    for name in ("a.nii.gz", "other/b.nii.gz"):
        convert(files, tmp_path / name)
    first, second = tmp_path / "a.nii.gz", tmp_path / "other" / "b.nii.gz"
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_mtime == second.stat().st_mtime == 1000 + SLICES - 1  # as Snakemake sees it


def test_a_volume_that_changes_is_new(tmp_path):
    files = write_series(tmp_path / "in")
    for file in files:
        os.utime(file, (1000, 1000))
    convert(files[:-1], tmp_path / "a.nii.gz")
    convert(files, tmp_path / "a.nii.gz")
    assert (tmp_path / "a.nii.gz").stat().st_mtime > 1e9


def test_only_the_files_it_was_given_are_used(tmp_path):
    one = write_series(tmp_path / "in", image=1, series=7)
    other = write_series(tmp_path / "in", image=2, series=8)
    for files, series in ((one, 7), (other, 8)):
        convert(files, tmp_path / f"{series}.nii.gz")
        assert nibabel.load(tmp_path / f"{series}.nii.gz").get_fdata().min() == voxels(series).min()


@pytest.mark.parametrize("place", ["with space", "Ünïcode 脳", "50%#1 'q' \"r\" $HOME", "-f"])
def test_any_folder_will_do(tmp_path, place):
    convert(write_series(tmp_path / place), tmp_path / place / "out" / f"{place}.nii.gz")
    assert sorted(p.name for p in (tmp_path / place / "out").iterdir()) == [f"{place}.nii.gz"]


def damage(files, kind):
    """The files with something wrong with them."""
    if kind == "garbage":
        files[-1].write_bytes(b"garbage" * 100)
    elif kind == "all garbage":
        for file in files:
            file.write_bytes(b"<html>")
    elif kind == "empty":
        files[0].write_bytes(b"")
    elif kind == "cut":
        files[4].write_bytes(files[4].read_bytes()[:-100])
    return files


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("garbage", "1 of 12 files are no DICOM images"),
        ("all garbage", "12 of 12 files are no DICOM images"),
        ("empty", "1 of 12 files are no DICOM images"),
        ("cut", "dcm2niix stopped with code 1: Warning: File not large enough"),
    ],
)
def test_damaged_slices_are_told(tmp_path, kind, message):
    with pytest.raises(Unconvertible, match=message):
        convert(damage(write_series(tmp_path / "in"), kind), tmp_path / "out" / "a.nii.gz")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("oddity", "message"),
    [
        ({"slices": [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11]}, "make 2 volumes: .*Interslice distance varies"),
        ({"height_mm": lambda k: k + 0.1 * k * k}, "make 2 volumes: .*Interslice distance varies"),
        ({"echo": lambda k: 3 if k < 6 else 5}, "make 2 volumes"),
        ({"slices": [3]}, "no 3D volume"),
    ],
)
def test_what_is_no_single_volume_is_told(tmp_path, oddity, message):
    with pytest.raises(Unconvertible, match=message) as problem:
        convert(write_series(tmp_path / "in", **oddity), tmp_path / "a.nii.gz")
    assert str(tmp_path) not in str(problem.value)
    assert len(str(problem.value)) < 400


def test_two_series_in_one_are_two_volumes(tmp_path):
    files = write_series(tmp_path / "in", series=7) + write_series(tmp_path / "in", series=8)
    with pytest.raises(Unconvertible, match="24 DICOM files make 2 volumes"):
        convert(files, tmp_path / "a.nii.gz")


def test_a_slice_that_was_copied_twice_does_no_harm(tmp_path):
    files = write_series(tmp_path / "in")
    again = files[3].with_name("copy.dcm")
    again.write_bytes(files[3].read_bytes())
    convert([*files, again], tmp_path / "a.nii.gz")
    assert nibabel.load(tmp_path / "a.nii.gz").shape == voxels().shape


def test_a_header_without_a_date_is_no_fault(tmp_path):
    header = convert(write_series(tmp_path / "in", day=None), tmp_path / "a.nii.gz")
    assert "AcquisitionDateTime" not in header


def test_what_a_killed_run_left_is_no_hindrance(tmp_path):
    left = tmp_path / ".converting-a.nii.gz" / "out"
    left.mkdir(parents=True)
    (left / "image.nii").write_bytes(b"half")
    convert(write_series(tmp_path / "in"), tmp_path / "a.nii.gz")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.nii.gz", "in"]


def test_it_is_stopped_in_time(tmp_path, monkeypatch):
    monkeypatch.setattr(dicom, "TIME_LIMIT_S", 0.0001)
    with pytest.raises(Unconvertible, match="was stopped after"):
        convert(write_series(tmp_path / "in"), tmp_path / "a.nii.gz")


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "a.nii.gz").mkdir()
    with pytest.raises(Refused, match=r"a\.nii\.gz cannot be written"):
        convert(write_series(tmp_path / "in"), tmp_path / "a.nii.gz")


def test_slices_in_any_order_give_one_volume(tmp_path):
    files = write_series(tmp_path / "in")
    made = []
    for number, order in enumerate((files, files[::-1], files[6:] + files[:6])):
        convert(order, tmp_path / f"{number}.nii.gz")
        made.append((tmp_path / f"{number}.nii.gz").read_bytes())
    assert all(a == b for a, b in pairwise(made))
