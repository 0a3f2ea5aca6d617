"""A stage's fingerprint follows what its code does, and a download's follows what lies there."""

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


def test_a_download_counts_its_paths_and_the_content_of_its_tables(tmp_path):
    (tmp_path / "ADNI").mkdir()
    (tmp_path / "ADNI" / "a.nii").write_bytes(b"1")
    (tmp_path / "table.csv").write_text("x")
    first = fingerprint.download_of(tmp_path)
    (tmp_path / "ADNI" / "a.nii").write_bytes(b"2")
    assert fingerprint.download_of(tmp_path) == first
    (tmp_path / "table.csv").write_text("y")
    second = fingerprint.download_of(tmp_path)
    assert second != first
    (tmp_path / "ADNI" / "b.nii").touch()
    assert fingerprint.download_of(tmp_path) != second
