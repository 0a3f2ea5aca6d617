"""The walk sees what a person sees in a study's folder, once, and says what it cannot read."""

import os
import tempfile
from pathlib import Path

import pytest

from brainlapse.errors import Refused
from brainlapse.folders import files_under

NOBODY = 65534


def write(path: Path, content: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def names(root) -> list[str]:
    return [os.path.relpath(file.path, root) for file in files_under(root)]


def test_every_file_is_met_with_its_size_and_time(tmp_path):
    write(tmp_path / "b" / "deep" / "er.nii", "123")
    write(tmp_path / "a.csv")
    deep = next(file for file in files_under(tmp_path) if file.path.endswith("er.nii"))
    assert sorted(names(tmp_path)) == ["a.csv", "b/deep/er.nii"]
    assert deep.size == 3 and deep.mtime_ns == os.stat(deep.path).st_mtime_ns


@pytest.mark.parametrize("name", ["with space", "Ünïcode 脳", "50%#1", "new\nline"])
def test_any_name_is_a_name(tmp_path, name):
    write(tmp_path / name / f"{name}.nii")
    assert names(tmp_path) == [f"{name}/{name}.nii"]


@pytest.mark.parametrize(
    "name", [".DS_Store", "._scan.nii", ".hidden/x.nii", "__MACOSX/x.nii", "lost+found/x"]
)
def test_what_a_system_put_there_is_left_out(tmp_path, name):
    write(tmp_path / "ADNI" / name)
    write(tmp_path / "ADNI" / "scan.nii")
    assert names(tmp_path) == ["ADNI/scan.nii"]


def test_links_to_other_disks_are_followed(tmp_path):
    write(tmp_path / "disk" / "images" / "scan.nii")
    write(tmp_path / "disk" / "table.csv")
    root = tmp_path / "root"
    root.mkdir()
    (root / "ADNI").symlink_to(tmp_path / "disk" / "images")
    (root / "t.csv").symlink_to(tmp_path / "disk" / "table.csv")
    assert sorted(names(root)) == ["ADNI/scan.nii", "t.csv"]


def test_no_folder_is_walked_twice(tmp_path):
    write(tmp_path / "z" / "scan.nii")
    (tmp_path / "z" / "up").symlink_to(tmp_path)
    (tmp_path / "a").symlink_to(tmp_path / "z")
    assert names(tmp_path) == ["z/scan.nii"]  # the folder's own place, not the link that sorts before it


def test_a_folder_that_two_links_reach_is_met_once(tmp_path):
    write(tmp_path / "disk" / "deep" / "scan.nii")
    root = tmp_path / "root"
    root.mkdir()
    (root / "a").symlink_to(tmp_path / "disk" / "deep")
    (root / "b").symlink_to(tmp_path / "disk")  # holds what `a` leads to
    (root / "c").symlink_to(tmp_path / "disk" / "deep")
    assert names(root) == ["a/scan.nii"]


def test_a_link_into_a_folder_that_is_hidden_is_followed(tmp_path):
    write(tmp_path / ".store" / "scan.nii")
    (tmp_path / "ADNI").symlink_to(tmp_path / ".store")
    assert names(tmp_path) == ["ADNI/scan.nii"]


def test_a_root_may_be_a_link(tmp_path):
    write(tmp_path / "disk" / "scan.nii")
    (tmp_path / "root").symlink_to(tmp_path / "disk")
    assert [file.path for file in files_under(tmp_path / "root")] == [str(tmp_path / "root" / "scan.nii")]


def test_what_is_no_file_is_left_out(tmp_path):
    (tmp_path / "not fetched.nii").symlink_to(tmp_path / "nowhere")
    (tmp_path / "itself").symlink_to(tmp_path / "itself")
    os.mkfifo(tmp_path / "pipe.csv")
    assert names(tmp_path) == []


def test_a_root_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(Refused, match=r"nowhere cannot be read: No such file"):
        names(tmp_path / "nowhere")


def test_a_folder_that_cannot_be_read_is_named():
    """Root may read everything, so as root (in CI) this is looked at with the eyes of nobody."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)  # pytest's own folders are closed to others
        closed = Path(folder) / "closed"
        closed.mkdir(mode=0)
        mine = os.geteuid()
        try:
            if mine == 0:
                os.seteuid(NOBODY)
            with pytest.raises(Refused, match=r"closed cannot be read: Permission denied"):
                names(Path(folder))
        finally:
            os.seteuid(mine)
