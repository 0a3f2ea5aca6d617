"""A stage's fingerprint follows what its code does, and a download's follows what lies there."""

import os
import shutil

import pytest

from brainlapse import fingerprint


@pytest.fixture
def package(tmp_path, monkeypatch):
    copy = tmp_path / "brainlapse"
    shutil.copytree(fingerprint.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(fingerprint, "PACKAGE", copy)
    fingerprint.code_of.cache_clear()
    yield copy
    fingerprint.code_of.cache_clear()


def codes(package) -> dict[str, str]:
    fingerprint.code_of.cache_clear()
    return {stage: fingerprint.code_of(stage) for stage in ("manifest", "pairs", "train", "sample")}


def changed(package, file: str, edit) -> set[str]:
    before = codes(package)
    path = package / file
    path.write_text(edit(path.read_text()))
    return {stage for stage, code in codes(package).items() if code != before[stage]}


def test_comments_docstrings_and_layout_do_not_count(package):
    def relayout(text):
        return text.replace('"""All', '"""Some', 1).replace("\n\n\n", "\n\n\n\n# a comment\n", 1)

    assert changed(package, "pairs/pairing.py", relayout) == set()


def test_a_stages_own_code_counts_for_it_alone(package):
    assert changed(package, "pairs/pairing.py", lambda text: text + "\nEXTRA = 1\n") == {"pairs"}


def test_shared_code_counts_for_all_that_import_it(package):
    assert changed(package, "volumes.py", lambda text: text + "\nEXTRA = 1\n") == {"train", "sample"}
    assert changed(package, "models/__init__.py", lambda text: text + "\nEXTRA = 1\n") == {"train", "sample"}
    everyone = {"manifest", "pairs", "train", "sample"}
    assert changed(package, "tables.py", lambda text: text + "\nEXTRA = 1\n") == everyone


def test_the_command_line_does_not_count(package):
    assert changed(package, "cli.py", lambda text: text + "\nEXTRA = 1\n") == set()


def test_a_module_counts_what_it_imports_and_not_its_neighbours(package):
    behind = {str(path.relative_to(package)) for path in fingerprint.files_behind("preprocess.subject")}
    assert {"preprocess/subject.py", "preprocess/brain.py", "volumes.py", "atlas.py"} <= behind
    assert not behind & {"preprocess/gather.py", "report/page.py", "cli.py"}


def test_a_download_counts_its_paths(tmp_path):
    before = written(tmp_path / "ADNI" / "a.nii", "1")
    assert written(tmp_path / "ADNI" / "a.nii", "2") == before
    assert written(tmp_path / "ADNI" / ".DS_Store", "x") == before
    assert written(tmp_path / "ADNI" / "b.nii", "1") != before


@pytest.mark.parametrize("name", ["t.csv", "t.TSV", "t.txt", "t.json", "t.xlsx"])
def test_tables_count_by_content(tmp_path, name):
    before = written(tmp_path / name, "x", mtime=1)
    assert written(tmp_path / name, "x", mtime=2) == before
    assert written(tmp_path / name, "y", mtime=1) != before


@pytest.mark.parametrize("name", ["t.xml", "t.zip", "t.tar", "t.tar.gz", "t.tgz", "t.tar.bz2", "t.TAR.XZ"])
def test_archives_and_side_files_count_by_size_and_time(tmp_path, name):
    before = written(tmp_path / name, "x", mtime=1)
    assert written(tmp_path / name, "y", mtime=1) == before
    assert written(tmp_path / name, "y", mtime=2) != before
    assert written(tmp_path / name, "yy", mtime=1) != before


def test_a_download_is_the_same_wherever_it_lies(tmp_path):
    here, there = (written(tmp_path / place / "ADNI" / "a.nii", "1", root=tmp_path / place) for place in "xy")
    assert here == there


def written(path, content: str, mtime: float = 0, root=None) -> str:
    """The download's fingerprint after a file was written into it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    os.utime(path, (mtime, mtime))
    return fingerprint.download_of(root or next(p for p in path.parents if p.name != "ADNI"))
