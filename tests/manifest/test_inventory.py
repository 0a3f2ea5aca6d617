"""A folder of trees and archives is one tree of files, read where they lie or unpacked once."""

import gzip
import io
import os
import signal
import stat
import subprocess
import sys
import tarfile
import time
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from brainlapse.errors import Refused
from brainlapse.manifest.inventory import Download, Item

WHEN = (2015, 6, 7, 8, 9, 10)


def write_zip(path: Path, members: dict[str, bytes], when=WHEN) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, when), content)
    return path


def write_tar(path: Path, members: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz" if path.suffix in (".gz", ".tgz") else "w") as archive:
        for name, content in members.items():
            header = tarfile.TarInfo(name)
            header.size, header.mtime = len(content), 1433664550
            archive.addfile(header, io.BytesIO(content))
    return path


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.fixture
def root(tmp_path):
    """A tree, a zip and two tars, with some of a system's leavings."""
    root = tmp_path / "root"
    write(root / "ADNI" / "I1" / "a_I1.nii", b"one")
    write(root / "table.csv", b"a,b\n")
    write(root / ".DS_Store", b"x")
    members = {"ADNI/I2/b_I2.nii": b"two", "ADNI/I2/b.xml": b"<two/>", "__MACOSX/ADNI/._b_I2.nii": b"x"}
    write_zip(root / "part 1.zip", {"ADNI/": b"", **members})
    write_tar(root / "more" / "part2.tar.gz", {"./ADNI/I3/c_I3.nii": b"three", "ADNI/I3/c.xml": b"<three/>"})
    write_tar(root / "part3.TAR", {"inner.zip": b"PK", ".hidden/d.nii": b"x", "d.csv": b"c,d\n"})
    return root


CONTENTS = {
    "ADNI/I1/a_I1.nii": b"one",
    "more/part2.tar.gz/ADNI/I3/c.xml": b"<three/>",
    "more/part2.tar.gz/ADNI/I3/c_I3.nii": b"three",
    "part 1.zip/ADNI/I2/b.xml": b"<two/>",
    "part 1.zip/ADNI/I2/b_I2.nii": b"two",
    "part3.TAR/d.csv": b"c,d\n",
    "part3.TAR/inner.zip": b"PK",
    "table.csv": b"a,b\n",
}


@pytest.fixture
def download(root, tmp_path):
    return Download(root, tmp_path / "cache")


def find(download: Download, end: str) -> Item:
    return next(item for item in download.items if item.path.endswith(end))


def copies(tmp_path: Path) -> dict[str, int]:
    """The unpacked files with their inodes: a file that is written anew has another."""
    place = tmp_path / "cache" / "unpacked"
    return {str(p.relative_to(place)): p.stat().st_ino for p in sorted(place.rglob("*")) if p.is_file()}


def test_all_lies_in_one_tree(root, download):
    assert [item.path for item in download.items] == [f"{root}/{path}" for path in sorted(CONTENTS)]
    assert {item.path.removeprefix(f"{root}/"): item.size for item in download.items} == {
        path: len(content) for path, content in CONTENTS.items()
    }
    assert {item.archive and Path(item.archive).name for item in download.items} == {
        None, "part 1.zip", "part2.tar.gz", "part3.TAR",
    }  # fmt: skip
    assert download.unsafe == []


def test_what_is_read_is_what_lies_there(root, download):
    assert {item.path.removeprefix(f"{root}/"): download.read(item) for item in download.items} == CONTENTS
    local = {item.path.removeprefix(f"{root}/"): download.local(item) for item in download.items}
    assert {path: copy.read_bytes() for path, copy in local.items()} == CONTENTS


def test_what_lies_in_the_open_is_not_copied(root, tmp_path, download):
    assert download.local(find(download, "a_I1.nii")) == root / "ADNI" / "I1" / "a_I1.nii"
    assert copies(tmp_path) == {}


def test_a_member_is_unpacked_once(root, tmp_path, download):
    items = [item for item in download.items if item.archive]
    for item in items:
        download.local(item)
    first = copies(tmp_path)
    assert set(first) == {path for path in CONTENTS if "part" in path}
    again = Download(root, tmp_path / "cache")
    assert again.unpack(items) == {}
    assert copies(tmp_path) == first


def test_a_copy_has_the_time_that_the_archive_recorded(root, tmp_path, download):
    """So Snakemake sees the same file when it is unpacked a second time."""
    times = set()
    for cache in ("one", "two"):
        other = Download(root, tmp_path / cache)
        paths = [other.local(find(other, end)) for end in ("b_I2.nii", "c_I3.nii")]
        times.add(tuple(path.stat().st_mtime for path in paths))
    ((zipped, tarred),) = times
    assert tarred == 1433664550
    assert abs(zipped - tarred) <= 14 * 3600 + 10  # a zip does not say in which time zone


@pytest.mark.parametrize("damage", [lambda copy: copy.write_bytes(b"o"), lambda copy: os.utime(copy, (1, 1))])
def test_a_copy_that_is_not_the_members_is_made_again(download, damage):
    copy = download.local(find(download, "b_I2.nii"))
    damage(copy)
    assert download.local(find(download, "b_I2.nii")).read_bytes() == b"two"
    assert copy.stat().st_mtime > 1


def test_a_member_that_was_replaced_is_unpacked_again(root, tmp_path, download):
    download.local(find(download, "b_I2.nii"))
    write_zip(root / "part 1.zip", {"ADNI/I2/b_I2.nii": b"TWO"}, when=(2016, *WHEN[1:]))
    again = Download(root, tmp_path / "cache")
    assert again.local(find(again, "b_I2.nii")).read_bytes() == b"TWO"


def test_what_a_killed_run_left_is_no_file(tmp_path, download):
    place = tmp_path / "cache" / "unpacked" / "part 1.zip" / "ADNI" / "I2"
    write(place / ".partial-1-b_I2.nii", b"t")
    assert download.local(find(download, "b_I2.nii")).read_bytes() == b"two"


def test_a_kill_leaves_nothing_half_under_its_name(tmp_path):
    members = {f"{n}.nii": os.urandom(1 << 20) for n in range(100)}
    write_zip(tmp_path / "root" / "big.zip", members)
    root, cache = tmp_path / "root", tmp_path / "cache"
    code = (
        "from brainlapse.manifest.inventory import Download; import sys\n"
        "one = Download(*sys.argv[1:]); one.unpack(one.items)"
    )
    running = subprocess.Popen([sys.executable, "-c", code, root, cache], env=_environment())
    while running.poll() is None and len(list(cache.rglob("*.nii"))) < 5:
        time.sleep(0.005)
    running.send_signal(signal.SIGKILL)
    running.wait()
    whole = [path for path in cache.rglob("*.nii") if not path.name.startswith(".")]
    assert len(whole) > 0
    assert all(path.read_bytes() == members[path.name] for path in whole)
    one = Download(root, cache)
    assert one.unpack(one.items) == {}
    assert all(one.local(item).read_bytes() == members[Path(item.path).name] for item in one.items)


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def test_a_tar_is_listed_once(root, tmp_path, download):
    """A file of the same size and time is taken for the same, so that only a new archive is read."""
    packed = root / "more" / "part2.tar.gz"
    status = packed.stat()
    packed.write_bytes(b"x" * status.st_size)
    os.utime(packed, ns=(status.st_atime_ns, status.st_mtime_ns))
    write_tar(root / "new.tgz", {"e.csv": b"e\n"})
    again = Download(root, tmp_path / "cache")
    assert {item.path for item in again.items} == {item.path for item in download.items} | {
        f"{root}/new.tgz/e.csv"
    }
    assert again.read(find(again, "c.xml")) == b"<three/>"  # kept with the listing
    os.utime(packed)
    with pytest.raises(Refused, match=r"part2\.tar\.gz is damaged"):
        Download(root, tmp_path / "cache")


def test_members_of_a_packed_tar_are_unpacked_in_one_pass(tmp_path, monkeypatch):
    """Asked for in any order; a pass for each would take days for a real download."""
    members = {f"{n}.nii": os.urandom(1000) for n in range(50)}
    write_tar(tmp_path / "root" / "d.tgz", members)
    one = Download(tmp_path / "root", tmp_path / "cache")
    opened = []
    monkeypatch.setattr(gzip, "GzipFile", _noting(gzip.GzipFile, opened))
    assert one.unpack(reversed(one.items)) == {}
    assert len(opened) == 1
    assert all(one.local(item).read_bytes() == members[Path(item.path).name] for item in one.items)


def _noting(kind, made: list):
    class Noting(kind):
        def __init__(self, *arguments, **named):
            made.append(arguments)
            super().__init__(*arguments, **named)

    return Noting


def test_a_browser_may_have_unpacked_the_outer_half(tmp_path):
    write_tar(tmp_path / "root" / "a.tar", {"x.csv": b"x\n"}).rename(tmp_path / "root" / "a.tar.gz")
    one = Download(tmp_path / "root", tmp_path / "cache")
    assert one.read(one.items[0]) == b"x\n"


def test_many_archives_are_not_all_open(tmp_path):
    for n in range(50):
        write_zip(tmp_path / "root" / f"{n}.zip", {"x.csv": b"x"})
    before = len(os.listdir("/proc/self/fd"))
    one = Download(tmp_path / "root", tmp_path / "cache")
    assert [one.read(item) for item in one.items] == [b"x"] * 50
    assert len(os.listdir("/proc/self/fd")) < before + 10


def test_nothing_is_written_into_the_download(root, tmp_path, download):
    before = {path: path.lstat().st_mtime_ns for path in [root, *root.rglob("*")]}
    for path in before:
        path.chmod(stat.S_IREAD | (stat.S_IEXEC if path.is_dir() else 0))
    try:
        again = Download(root, tmp_path / "other")
        assert again.unpack(again.items) == {}
        assert {path: path.lstat().st_mtime_ns for path in [root, *root.rglob("*")]} == before
    finally:
        for path in before:
            path.chmod(stat.S_IRWXU)


@pytest.mark.parametrize("name", ["with space", "Ünïcode 脳", "50%#1 {x}", "x.zip/y"])
def test_any_name_is_a_name(tmp_path, name):
    root = tmp_path / name
    write_zip(root / name / "a b#%.zip", {f"{name}/ü%#.nii": b"x"})
    one = Download(root, tmp_path / "cache" / name)
    assert [item.path for item in one.items] == [f"{root}/{name}/a b#%.zip/{name}/ü%#.nii"]
    assert one.local(one.items[0]).read_bytes() == b"x"


def test_a_relative_root_and_a_linked_one_will_do(root, tmp_path, monkeypatch):
    (tmp_path / "linked").symlink_to(root)
    monkeypatch.chdir(tmp_path)
    for given, prefix in (("root/", "root"), ("linked", "linked"), (".", ".")):
        one = Download(given, "cache")
        item = find(one, "b_I2.nii")
        assert item.path.startswith(f"{prefix}/")
        assert one.local(item).read_bytes() == b"two"
        assert one.local(find(one, "a_I1.nii")).read_bytes() == b"one"


def test_a_name_that_no_table_can_hold_is_told(tmp_path):
    write(tmp_path / "root" / "two\nlines.nii", b"x")
    (tmp_path / "root").joinpath(os.fsdecode(b"latin-\xe9.zip")).write_bytes(b"x")
    one = Download(tmp_path / "root", tmp_path / "cache")
    assert one.items == []
    assert [Path(path).name for path, _ in one.unsafe] == [r"latin-\udce9.zip", r"two\nlines.nii"]


def test_results_below_the_root_are_not_part_of_the_download(root):
    one = Download(root, root / "results" / "files")
    items = list(one.items)
    assert one.unpack(items) == {}
    assert Download(root, root / "results" / "files").items == items


def test_a_table_as_large_as_an_image_is_refused(tmp_path):
    with write(tmp_path / "root" / "table.csv", b"").open("wb") as file:
        file.truncate(2 << 30)
    one = Download(tmp_path / "root", tmp_path / "cache")
    with pytest.raises(Refused, match=r"table\.csv has 2\.1 GB; no table is as large"):
        one.read(one.items[0])


def test_a_file_that_went_away_is_refused(root, download):
    (root / "table.csv").unlink()
    with pytest.raises(Refused, match=r"table\.csv cannot be read: No such file"):
        download.read(find(download, "table.csv"))


def test_a_cache_that_cannot_be_written_is_refused(root, tmp_path):
    (tmp_path / "cache").write_bytes(b"")
    with pytest.raises(Refused, match=r"cache.* cannot be written"):
        Download(root, tmp_path / "cache")


def test_a_million_slices_fit_in_memory():
    """Counted on a hundredth of them."""
    archive = "/disk/of/the/lab/adni/ADNI3_DICOM_4.zip"
    name = "ADNI_941_S_0001_MR_Accelerated_Sagittal_MPRAGE_br_raw_20190828121257468"
    folder = "ADNI/941_S_0001/Accelerated_Sagittal_MPRAGE/2019-08-27_09_39_38.0/I1221051"
    tracemalloc.start()
    items = [Item(f"{archive}/{folder}/{name}_{n}_S1_I2.dcm", 70000 + n, archive) for n in range(10_000)]
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert used * 1_000_000 / len(items) < 420e6
