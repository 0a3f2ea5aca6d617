"""Hostile and damaged archives: the rest is used, nothing is written elsewhere, and a person is told."""

import bz2
import gzip
import io
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brainlapse.errors import Refused
from brainlapse.manifest.archives import Zip, require_space
from brainlapse.manifest.inventory import Download
from brainlapse.manifest.tars import Tar

GOOD = {"ADNI/I1/scan_I1.nii": b"a volume" * 200, "ADNI/I1/side.xml": b"<a/>", "table.csv": b"a,b\n1,2\n"}
PACKERS = {".tar": bytes, ".tar.gz": gzip.compress, ".tar.bz2": bz2.compress, ".tar.xz": lzma.compress}
KINDS = [".zip", *PACKERS]
GB = 1 << 30


def zip_of(members: dict[str, bytes], **claims) -> bytes:
    """A zip with these members; of the last one the entry says what `claims` says."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo("placeholder", (2015, 6, 7, 8, 9, 10))
            entry.filename = name  # past the constructor, which would mend it
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
        for claim, value in claims.items():
            setattr(archive.filelist[-1], claim, value)
    return packed.getvalue()


def tar_of(members: dict[str, bytes], packer=bytes, **claims) -> bytes:
    """A tar with these members; of the last one the header says what `claims` says."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in members.items():
            header = tarfile.TarInfo(name)
            header.size, header.mtime = len(content), 1433664550
            last = name == list(members)[-1]
            for claim, value in claims.items() if last else ():
                setattr(header, claim, value)
            archive.addfile(header, io.BytesIO(content))
    return packer(packed.getvalue())


def archive_of(kind: str, members: dict[str, bytes]) -> bytes:
    return zip_of(members) if kind == ".zip" else tar_of(members, PACKERS[kind])


def download(tmp_path: Path, name: str, data: bytes) -> Download:
    root = tmp_path / "root"
    root.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(data)
    return Download(root, tmp_path / "cache")


def content_of(download: Download) -> dict[str, bytes]:
    """The members' paths and contents, as unpacked."""
    assert download.unpack(download.items) == {}
    return {item.path[len(item.archive) + 1 :]: download.local(item).read_bytes() for item in download.items}


def outside(tmp_path: Path) -> dict[Path, int]:
    """All files that are not in the cache, with their sizes."""
    found = [path for path in tmp_path.rglob("*") if tmp_path / "cache" not in (path, *path.parents)]
    return {path: path.lstat().st_size for path in found}


def only_the_last_is_left(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    one = download(tmp_path, name, data)
    before = outside(tmp_path)
    assert content_of(one) == GOOD
    assert outside(tmp_path) == before
    assert [path for path, fault in one.unsafe if message in fault] == [one.unsafe[0][0]]
    assert one.unsafe[0][0].startswith(f"{tmp_path / 'root' / name}/")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../evil", "by `..`"),
        ("ADNI/../../../evil", "by `..`"),
        ("..\\..\\evil", "by `..`"),
        ("ADNI/..\\../evil", "by `..`"),
        ("/evil", "absolute path"),
        ("\\evil", "absolute path"),
        ("\\\\server\\evil", "absolute path"),
        ("C:/evil", "absolute path"),
        ("c:evil", "absolute path"),
        (".", "no name"),
        ("x" * 256, "over 230 bytes"),
        ("脳" * 100, "over 230 bytes"),
        ("x/" * 1500 + "x", "path of over 2000"),
        ("two\nlines.csv", "control characters"),
        ("adni/i1/SCAN_i1.nii", "only in case"),
        ("ADNI/I1", "name of an earlier member"),
        ("table.csv/below.csv", "below a member that is a file"),
    ],
)
def test_a_name_that_does_harm_is_left(tmp_path, kind, name, message):
    only_the_last_is_left(tmp_path, f"d{kind}", archive_of(kind, {**GOOD, name: b"evil"}), message)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_two_members_of_one_name_the_first_is_used(tmp_path):
    packed = io.BytesIO(zip_of(GOOD))
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr("table.csv", "evil")
    only_the_last_is_left(tmp_path, "d.zip", packed.getvalue(), "name of an earlier member")
    packed = io.BytesIO(tar_of(GOOD))
    with tarfile.open(fileobj=packed, mode="a") as archive:
        archive.addfile(tarfile.TarInfo("./table.csv"))
    only_the_last_is_left(tmp_path / "tar", "d.tar", packed.getvalue(), "name of an earlier member")


def test_a_harmful_name_with_nul_is_shown(tmp_path):
    data = zip_of({**GOOD, "nul\x00.csv": b"evil"})
    only_the_last_is_left(tmp_path, "d.zip", data, "control characters")
    assert download(tmp_path, "d.zip", data).unsafe[0][0].endswith(r"/nul\x00.csv")


def test_a_name_that_is_no_text_is_shown(tmp_path):
    data = tar_of({**GOOD, "?.csv": b"evil"}).replace(b"?.csv", b"\xff.csv")
    data = bytearray(data)
    at = data.index(b"\xff.csv")
    total = sum(data[at : at + 512]) - sum(data[at + 148 : at + 156]) + 8 * 32
    data[at + 148 : at + 156] = b"%06o\0 " % total
    only_the_last_is_left(tmp_path, "d.tar", bytes(data), "not in UTF-8")


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        ({"external_attr": (stat.S_IFLNK | 0o777) << 16}, "link or a device"),
        ({"external_attr": (stat.S_IFIFO | 0o777) << 16}, "link or a device"),
        ({"flag_bits": 1}, "encrypted"),
        ({"compress_type": 9}, "packed by method 9"),
        ({"file_size": 65 << 20}, "zip bomb"),
        ({"file_size": 17 * GB, "compress_size": 16 * GB}, "zip bomb"),
    ],
)
def test_a_member_of_a_zip_that_does_harm_is_left(tmp_path, claims, message):
    only_the_last_is_left(tmp_path, "d.zip", zip_of({**GOOD, "last.nii": b"/etc/passwd"}, **claims), message)


@pytest.mark.parametrize("kind", PACKERS)
@pytest.mark.parametrize(
    "type", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE]
)
def test_a_member_of_a_tar_that_is_no_file_is_left(tmp_path, kind, type):
    data = tar_of({**GOOD, "last.nii": b""}, PACKERS[kind], type=type, linkname="/etc/passwd")
    only_the_last_is_left(tmp_path, f"d{kind}", data, "link or a device")


@pytest.mark.parametrize("kind", PACKERS)
def test_a_link_does_not_lead_the_next_member_out(tmp_path, kind):
    link = tarfile.TarInfo("out")
    link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(link)
        through = tarfile.TarInfo("out/evil")
        through.size = 4
        archive.addfile(through, io.BytesIO(b"evil"))
    one = download(tmp_path, f"d{kind}", PACKERS[kind](packed.getvalue()))
    assert content_of(one) == {"out/evil": b"evil"}
    assert not (tmp_path / "evil").exists()


def test_a_bomb_in_a_packed_tar_is_not_unpacked(tmp_path):
    members = {**GOOD, "bomb.nii": bytes(70 << 20)}
    one = download(tmp_path, "d.tar.gz", gzip.compress(tar_of(members), 9))
    assert content_of(one) == GOOD
    assert "can hold; nothing behind it is read" in one.unsafe[0][1]


def test_many_small_bombs_are_one(tmp_path):
    data = gzip.compress(tar_of({f"{n}.nii": bytes(40 << 20) for n in range(2)}), 9)
    with pytest.raises(Refused, match="unpacks to more than 200 times its size"):
        download(tmp_path, "d.tar.gz", data)


def test_what_is_not_told_is_not_written(tmp_path):
    """A member that is longer than it says is cut off where it says, and does not pass the check."""
    data = zip_of({"long.nii": b"long" * 100}, file_size=4)
    one = download(tmp_path, "d.zip", data)
    (problem,) = one.unpack(one.items).values()
    assert "long.nii is damaged (Bad CRC-32" in problem
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "page", [b"<!DOCTYPE html><html>Log in</html>", b"\n<html>" + b"x" * 2000, b"", b"x"]
)
def test_what_is_no_archive_is_refused(tmp_path, kind, page):
    with pytest.raises(Refused, match=rf"d\{kind} is damaged or was cut off.*Download it again") as refusal:
        download(tmp_path, f"d{kind}", page)
    assert ("web page" in str(refusal.value)) == (b"<" in page)


@pytest.mark.parametrize("kind", KINDS)
def test_a_download_that_broke_off_is_refused(tmp_path, kind):
    data = archive_of(kind, {**GOOD, "noise.nii": os.urandom(2000)})
    end = len(data.rstrip(b"\0")) if kind == ".tar" else len(data)
    for cut in {1, 100, end // 3, end // 2, end - 600, end - 8, end - 1}:
        with pytest.raises(Refused, match="Download it again"):
            download(tmp_path, f"d{kind}", data[:cut])


def test_a_plain_tar_cut_between_two_members_is_refused(tmp_path):
    data = tar_of(GOOD)
    for cut in range(512, len(data.rstrip(b"\0")), 512):
        with pytest.raises(Refused, match="Download it again"):
            download(tmp_path, "d.tar", data[:cut])


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from(KINDS), at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_never_gives_wrong_content(tmp_path_factory, kind, at, bit):
    """Refused, unsafe, a problem, or the right content; a plain tar has no checksum of its contents."""
    data = bytearray(archive_of(kind, GOOD))
    data[int(at * len(data))] ^= 1 << bit
    try:
        one = download(tmp_path_factory.mktemp("flip"), f"d{kind}", bytes(data))
    except Refused:
        return
    problems = one.unpack(one.items)
    for item in set(one.items) - problems.keys():
        content = one.local(item).read_bytes()
        assert content in GOOD.values() or kind == ".tar"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from([".zip", ".tar"]), noise=st.binary(max_size=300), at=st.floats(0, 1))
def test_noise_is_refused_or_read_but_never_more(tmp_path_factory, kind, noise, at):
    data = archive_of(kind, GOOD)
    place = int(at * len(data))
    data = data[:place] + noise + data[place + len(noise) :]
    try:
        one = download(tmp_path_factory.mktemp("noise"), f"d{kind}", data)
    except Refused:
        return
    one.unpack(one.items)


def header_of(**fields) -> bytes:
    """A tar header with numbers that no writer would write."""
    header = bytearray(tarfile.TarInfo("x.nii").tobuf(tarfile.GNU_FORMAT))
    for name, value in fields.items():
        start, end = {"size": (124, 136), "type": (156, 157)}[name]
        header[start:end] = value
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


@pytest.mark.parametrize(
    "header",
    [
        header_of(size=b"\xff" * 12),  # minus one byte
        header_of(size=b"\xff" * 10 + b"\xfc\x00"),  # two blocks back: round and round
        header_of(size=b"77777777777\0", type=b"L"),  # a name of 8 GB
        header_of(size=b"77777777777\0", type=b"x"),
    ],
)
@pytest.mark.parametrize("packer", PACKERS.values())
def test_a_tar_that_would_loop_or_fill_the_memory_is_refused(tmp_path, header, packer):
    with pytest.raises(Refused, match="damaged"):
        download(tmp_path, "d.tar", packer(tar_of({"a.nii": b"a"})[:1024] + header + bytes(10240)))


def test_one_damaged_member_does_not_hold_up_the_rest(tmp_path):
    data = bytearray(zip_of(GOOD | {"noise.nii": os.urandom(5000)}))
    data[data.index(b"noise.nii") + 2000] ^= 1
    one = download(tmp_path, "d.zip", bytes(data))
    (problem,) = one.unpack(one.items).items()
    assert problem[0].path.endswith("d.zip/noise.nii")
    assert problem[1].startswith(f"{problem[0].path} is damaged (")
    assert one.read(next(item for item in one.items if item.path.endswith("table.csv"))) == GOOD["table.csv"]
    with pytest.raises(Refused, match=r"noise\.nii is damaged.*Download its archive again"):
        one.local(problem[0])
    with pytest.raises(Refused, match=r"noise\.nii is damaged.*Download its archive again"):
        one.read(problem[0])
    assert sorted(path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()) == [
        "scan_I1.nii", "side.xml", "table.csv",
    ]  # fmt: skip


def test_an_archive_that_changes_while_it_is_read_is_a_problem(tmp_path):
    one = download(tmp_path, "d.tar.gz", tar_of(GOOD, gzip.compress))
    (tmp_path / "root" / "d.tar.gz").write_bytes(tar_of({"table.csv": GOOD["table.csv"]}))
    problems = {item.path[-3:]: text for item, text in one.unpack(one.items).items()}
    assert {end: text.partition(" ")[2] for end, text in problems.items()} == {
        "nii": "is no longer in the archive",
        "xml": "is no longer in the archive",
    }


def test_members_with_backslashes_are_in_folders(tmp_path):
    """Some Windows programs write them so."""
    one = download(tmp_path, "d.zip", zip_of({"ADNI\\": b"", "ADNI\\I1\\x.nii": b"x"}))
    assert content_of(one) == {"ADNI/I1/x.nii": b"x"}


def test_the_recorded_time_does_not_depend_on_where_we_are(tmp_path, monkeypatch):
    (tmp_path / "d.zip").write_bytes(zip_of(GOOD))
    seen = set()
    for zone in ("Pacific/Auckland", "America/Los_Angeles"):
        monkeypatch.setenv("TZ", zone)
        seen |= {member.changed for member in Zip(str(tmp_path / "d.zip")).members}
    assert len(seen) == 1


@pytest.mark.parametrize(("month", "day"), [(0, 0), (15, 31)])
def test_a_time_that_is_none_is_no_fault(tmp_path, month, day):
    (tmp_path / "d.zip").write_bytes(zip_of(GOOD, date_time=(2015, month, day, 31, 63, 62)))
    assert Zip(str(tmp_path / "d.zip")).members[-1].changed == 315532800


def test_a_time_to_come_is_none(tmp_path):
    (tmp_path / "d.tar").write_bytes(tar_of(GOOD, mtime=1 << 35))
    assert Tar(str(tmp_path / "d.tar"), tmp_path / "l.json").members[-1].changed == 315532800


def test_room_on_the_disk_is_asked_for_first(tmp_path):
    members = {f"{n}.nii": b"" for n in range(1000)}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in members:
            archive.writestr(name, b"")
            archive.filelist[-1].file_size = archive.filelist[-1].compress_size = 15 * GB
    one = download(tmp_path, "d.zip", packed.getvalue())
    with pytest.raises(Refused, match=r"cache: unpacking needs 16106\.1 GB, and [\d.]+ GB are free"):
        one.unpack(one.items)
    require_space(tmp_path / "not" / "there" / "yet", 1)


def test_checksums_are_those_of_the_content(tmp_path):
    """The helper writes what the libraries read: else the tests above would test nothing."""
    with zipfile.ZipFile(io.BytesIO(zip_of(GOOD))) as archive:
        assert [entry.CRC for entry in archive.infolist()] == [zlib.crc32(c) for c in GOOD.values()]
