"""One finished tiny study for all tests of the workflow: it takes a minute to make."""

import copy
import csv
import shutil
from collections import Counter
from pathlib import Path

import pytest
from study import TINY, Study


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A study of seven phantoms, laid out as an ADNI download with one damaged image, run to its report.

    `finished.output` is what Snakemake printed, `finished.damaged` the id of the damaged scan.
    """
    study = Study(tmp_path_factory.mktemp("study"), TINY)
    written = study.stage("phantom", {"seed": 0, "subjects": 7, "voxel_mm": 5.0}, "--out", "data/adni")
    assert written.returncode == 0, written.stderr
    study.damaged = _damage_a_third_visit(study.folder / "data/adni")
    answer = study.snakemake("--workflow-profile", "workflow/profiles/default")
    study.output = answer.stdout + answer.stderr
    assert answer.returncode == 0, study.output
    return study


@pytest.fixture
def own_study(finished, tmp_path):
    """A copy of the finished study, which a test may change."""
    shutil.copytree(finished.folder, tmp_path / "study", symlinks=True)
    own = copy.copy(finished)
    own.folder = tmp_path / "study"
    own.configure(TINY)
    return own


def _damage_a_third_visit(root: Path) -> str:
    """Cut the last image of the person with most scans, as a broken download would."""
    with open(root / "truth" / "truth.tsv", newline="") as truth:
        rows = list(csv.DictReader(truth, delimiter="\t"))
    person, visits = Counter(row["subject"] for row in rows).most_common(1)[0]
    assert visits >= 3
    scan = [row["scan"] for row in rows if row["subject"] == person][-1]
    image = next(root.rglob(f"*_{scan}.nii"))
    image.write_bytes(image.read_bytes()[:5000])
    return scan
