"""What was chosen is brought to disk as NIfTI once, whatever it was, and what cannot be is told."""

import io
import json
import os
import tarfile
import zipfile
from datetime import date
from pathlib import Path

import nibabel
import numpy as np
import pytest
from dicom_series import voxels, write_series

from brainlapse.errors import Refused
from brainlapse.manifest import dicom
from brainlapse.manifest.images import Brought, Image, bring
from brainlapse.manifest.inventory import Download

FORMS = ("open", "zip", "tar", "tgz")


def pack(folder: Path, form: str) -> None:
    """Put what lies in the folder into an archive of this form in its place."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if form == "zip":
        with zipfile.ZipFile(folder / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for file in files:
                archive.write(file, file.relative_to(folder))
    elif form in ("tar", "tgz"):
        with tarfile.open(folder / f"all.{form}", "w:gz" if form == "tgz" else "w") as archive:
            for file in files:
                archive.add(file, file.relative_to(folder))
    for file in files if form != "open" else ():
        file.unlink()


def series_in(download: Download) -> dict[str, Image]:
    """The series of a download by scan id, as a reader would find them."""
    found = {}
    for item in download.items:
        if item.path.endswith(".dcm"):
            found.setdefault(item.path.rpartition("_")[2].removesuffix(".dcm"), []).append(item)
    return {scan: Image(f"*_{scan}.dcm", tuple(items), dicom=True) for scan, items in found.items()}


def study(tmp_path: Path, form: str = "open") -> Download:
    """Two series in one folder, and the second one's follow-up elsewhere."""
    folder = tmp_path / "root" / "ADNI"
    write_series(folder, image=1, series=7, day="20100109")
    write_series(folder, image=2, series=8, day="20100109")
    write_series(folder / "later", image=3, series=9, day="20110220")
    pack(tmp_path / "root", form)
    return Download(tmp_path / "root", tmp_path / "cache")


def inodes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_ino for path in folder.iterdir()}


def test_nifti_in_the_open_is_itself(tmp_path):
    path = tmp_path / "root" / "a_I1.nii.gz"
    path.parent.mkdir()
    path.write_bytes(b"x")
    download = Download(tmp_path / "root", tmp_path / "cache")
    (item,) = download.items
    assert bring({"I1": Image(item.path, (item,))}, download) == {"I1": Brought(path)}
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("form", FORMS[1:])
def test_nifti_in_an_archive_is_unpacked_once(tmp_path, form):
    (tmp_path / "root").mkdir()
    for n in range(3):
        (tmp_path / "root" / f"a_I{n}.nii").write_bytes(b"x" * n)
    pack(tmp_path / "root", form)
    download = Download(tmp_path / "root", tmp_path / "cache")
    images = {f"I{n}": Image(item.path, (item,)) for n, item in enumerate(download.items)}
    brought = bring(images, download)
    folder = tmp_path / "cache" / "unpacked" / f"all.{form}"
    assert list(brought) == list(images)
    assert [one.path for one in brought.values()] == [folder / f"a_I{n}.nii" for n in range(3)]
    before = inodes(folder)
    assert bring(images, Download(tmp_path / "root", tmp_path / "cache"), threads=4) == brought
    assert inodes(folder) == before


@pytest.mark.parametrize("form", FORMS)
def test_series_are_converted_wherever_they_lie(tmp_path, form):
    download = study(tmp_path, form)
    brought = bring(series_in(download), download, threads=2)
    assert sorted(brought) == ["I1", "I2", "I3"]
    for scan, series in (("I1", 7), ("I2", 8), ("I3", 9)):
        one = brought[scan]
        assert one.path == tmp_path / "cache" / "converted" / f"{scan}.nii.gz"
        volume = nibabel.as_closest_canonical(nibabel.load(one.path)).get_fdata()
        np.testing.assert_array_equal(volume, voxels(series)[::-1, ::-1, :])
        assert (one.field_strength_t, one.manufacturer, one.problem) == (1.5, "Siemens", None)
    assert [brought[scan].acquired for scan in ("I1", "I3")] == [date(2010, 1, 9), date(2011, 2, 20)]
    assert sorted(path.name for path in (tmp_path / "cache").iterdir() if path.name != "listings") == [
        "converted"
    ]  # no slices are left


def test_the_bytes_do_not_depend_on_where_they_lie_or_how_many_at_once(tmp_path):
    made = set()
    for form in FORMS:
        for threads in (1, 3):
            place = tmp_path / f"{form}{threads}"
            download = study(place, form)
            bring(series_in(download), download, threads)
            made.add(tuple(path.read_bytes() for path in sorted(place.rglob("*.nii.gz"))))
    assert len(made) == 1


@pytest.mark.parametrize("form", ["open", "tgz"])
def test_a_series_is_converted_once(tmp_path, form):
    download = study(tmp_path, form)
    first = bring(series_in(download), download)
    before = inodes(tmp_path / "cache" / "converted")
    again = Download(tmp_path / "root", tmp_path / "cache")
    assert bring(series_in(again), again) == first
    assert inodes(tmp_path / "cache" / "converted") == before


def test_a_series_that_was_completed_is_converted_again(tmp_path):
    late = write_series(tmp_path / "root", image=1)[-1]
    content = late.read_bytes()
    late.unlink()
    for expected in (11, 12):
        download = Download(tmp_path / "root", tmp_path / "cache")
        brought = bring(series_in(download), download)
        assert nibabel.load(brought["I1"].path).shape[2] == expected
        late.write_bytes(content)


def test_a_series_that_broke_leaves_no_older_volume(tmp_path):
    files = write_series(tmp_path / "root", image=1)
    download = Download(tmp_path / "root", tmp_path / "cache")
    bring(series_in(download), download)
    files[5].unlink()
    download = Download(tmp_path / "root", tmp_path / "cache")
    assert "Interslice distance varies" in bring(series_in(download), download)["I1"].problem
    assert inodes(tmp_path / "cache" / "converted") == {}


def test_one_that_fails_does_not_hold_up_the_rest(tmp_path):
    write_series(tmp_path / "root" / "a", image=1, slices=[0, 1, 2, 4, 5])
    write_series(tmp_path / "root" / "b", image=2)[0].write_bytes(b"garbage")
    write_series(tmp_path / "root" / "c", image=3)
    pack(tmp_path / "root", "zip")
    archive = tmp_path / "root" / "all.zip"
    damaged = bytearray(archive.read_bytes())
    damaged[damaged.index(b"_1_S7_I3.dcm") + 100] ^= 1
    archive.write_bytes(damaged)
    write_series(tmp_path / "root" / "d", image=4)
    download = Download(tmp_path / "root", tmp_path / "cache")
    brought = bring(series_in(download), download, threads=2)
    assert "Interslice distance varies" in brought["I1"].problem
    assert brought["I2"].problem == "1 of 12 files are no DICOM images"
    assert "_1_S7_I3.dcm is damaged (" in brought["I3"].problem
    assert brought["I4"].problem is None
    assert [one.path is None for one in (brought[f"I{n}"] for n in (1, 2, 3, 4))] == [True, True, True, False]
    again = bring(series_in(download), download, threads=1)
    assert again == brought  # the texts too: they go into a table


def test_a_damaged_nifti_in_a_zip_is_a_problem(tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "a_I1.nii").write_bytes(os.urandom(1000))
    pack(tmp_path / "root", "zip")
    archive = tmp_path / "root" / "all.zip"
    damaged = bytearray(archive.read_bytes())
    damaged[500] ^= 1
    archive.write_bytes(damaged)
    download = Download(tmp_path / "root", tmp_path / "cache")
    (item,) = download.items
    (one,) = bring({"I1": Image(item.path, (item,))}, download).values()
    assert one.path is None and "a_I1.nii is damaged" in one.problem


def test_a_file_that_went_away_is_a_problem(tmp_path):
    download = study(tmp_path)
    images = series_in(download)
    Path(images["I1"].items[0].path).unlink()
    brought = bring(images, download)
    assert brought["I1"].problem == f"{images['I1'].items[0].path} cannot be read"
    assert brought["I2"].problem is None


def test_the_sidecar_says_no_name(tmp_path):
    download = study(tmp_path)
    bring(series_in(download), download)
    header = json.loads((tmp_path / "cache" / "converted" / "I1.json").read_text())
    assert set(header) <= {*dicom.KEPT, "Slices"}
    assert "Nobody" not in repr(header) and "941_S" not in repr(header)


@pytest.mark.parametrize("day", ["19000101", None])
def test_a_date_that_was_taken_out_is_none(tmp_path, day):
    write_series(tmp_path / "root", image=1, day=day)
    download = Download(tmp_path / "root", tmp_path / "cache")
    for _ in range(2):  # converted, and as it was converted before
        assert bring(series_in(download), download)["I1"].acquired is None


@pytest.mark.parametrize("scan", ["sub-1_ses-2/run 1", "../../evil", "50%#Ü", ".."])
def test_any_scan_id_is_one_file_in_the_cache(tmp_path, scan):
    write_series(tmp_path / "root", image=1)
    pack(tmp_path / "root", "zip")
    download = Download(tmp_path / "root", tmp_path / "cache")
    (image,) = series_in(download).values()
    path = bring({scan: image}, download)[scan].path
    assert path.parent == tmp_path / "cache" / "converted" and path.exists()


def test_what_a_killed_run_left_is_removed(tmp_path):
    download = study(tmp_path, "zip")
    converted, slices = tmp_path / "cache" / "converted", tmp_path / "cache" / "slices" / "I1"
    for folder in (converted, slices, converted / ".converting-I1.nii.gz"):
        folder.mkdir(parents=True)
    (slices / "000099.dcm").write_bytes(b"half")
    (converted / "I1.nii.gz").write_bytes(b"whole, but its sidecar was not written any more")
    (converted / ".partial-1-I1.nii.gz").write_bytes(b"half")
    brought = bring(series_in(download), download)
    assert nibabel.load(brought["I1"].path).shape == voxels().shape
    assert not slices.parent.exists() and not (converted / ".converting-I1.nii.gz").exists()


def test_a_disk_without_room_is_refused(tmp_path):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for n in range(1000):
            archive.writestr(f"{n}_I1.dcm", b"")
            archive.filelist[-1].file_size = archive.filelist[-1].compress_size = 15 << 30
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "d.zip").write_bytes(packed.getvalue())
    download = Download(tmp_path / "root", tmp_path / "cache")
    with pytest.raises(Refused, match="unpacking needs 16106"):
        bring(series_in(download), download)
    assert not (tmp_path / "cache" / "slices").exists()
