"""One channel and one double of conda for all tests of environments, and the studies run with them."""

import asyncio
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from conda_study import CondaStudy
from local_channel import write_channel
from study import TINY

from brainlapse import tables

HERE = Path(__file__).parent
SMALL = {
    **TINY,
    "models": {"regression": TINY["models"]["regression"]},
    "splits": {"train": 3, "validation": 0, "test": "rest"},
}


@pytest.fixture(scope="session")
def conda(tmp_path_factory):
    """A folder laid out as a conda installation, bin/conda and bin/activate, with channels/conda-forge."""
    if sys.platform != "linux" or sys.version_info[:2] != (3, 11):
        pytest.skip("the channel holds the Python that runs here, and the environments want 3.11, on Linux")
    folder = tmp_path_factory.mktemp("conda")
    asyncio.run(write_channel(folder / "channels" / "conda-forge"))
    command = folder / "bin" / "conda"
    command.parent.mkdir()
    command.write_text(f"#!{sys.executable}\n{(HERE / 'rattler_conda.py').read_text()}")
    command.chmod(0o755)
    shutil.copy(HERE / "activate.sh", command.with_name("activate"))
    return folder


@pytest.fixture(scope="session")
def light(conda, tmp_path_factory):
    """A study of which only manifest and pairs were run, the stages without ANTs and torch.

    Preprocessing is made up, and its rules are taken out: Snakemake makes the environment of every rule
    that it comes upon, needed or not.
    """
    mine = {"reader": "bids", "root": "data/mine", "role": "study"}
    study = CondaStudy(tmp_path_factory.mktemp("light"), {**SMALL, "cohorts": {"mine": mine}}, conda)
    study.asked, study.stages = "results/3_pairs/pairs.tsv", ["manifest", "pairs"]
    rules = study.folder / "Snakefile"
    rules.write_text(rules.read_text().replace('include: "workflow/rules/2_preprocess.smk"\n', ""))
    scans = pd.DataFrame(_write_dataset(study.folder / "data/mine"), columns=["subject", "scan"])
    quality = scans.assign(cohort="mine", status="accepted", packed_row=range(len(scans)))
    path = study.folder / "results/2_preprocess/mine/quality.tsv"
    tables.write(quality.reindex(columns=tables.QUALITY.names), path, tables.QUALITY)
    study.finish(study.asked)
    yield study
    shutil.rmtree(study.folder)  # its environments are large, and pytest would keep them


def _write_dataset(root: Path) -> Iterator[tuple[str, str]]:
    """Five people with two visits each, as BIDS; yields each scan's subject and id."""
    root.mkdir(parents=True)
    (root / "dataset_description.json").write_text('{"Name": "made up", "BIDSVersion": "1.10.0"}')
    image = nib.Nifti1Image(np.zeros((40, 48, 40), np.int16), np.diag([4, 4, 4, 1]))
    for subject in map(str, range(5)):
        person = root / f"sub-{subject}"
        for session in ("a", "b"):
            scan = f"sub-{subject}_ses-{session}"
            place = person / f"ses-{session}" / "anat" / f"{scan}_T1w.nii.gz"
            place.parent.mkdir(parents=True)
            image.to_filename(place)
            yield subject, scan
        days = "session_id\tacq_time\nses-a\t2020-01-05T08:00:00\nses-b\t2022-02-07T08:00:00\n"
        (person / f"sub-{subject}_sessions.tsv").write_text(days)


@pytest.fixture(scope="session")
def whole(conda, tmp_path_factory):
    """A study that was run to its report, each stage in its environment: ANTs, torch and all."""
    study = CondaStudy(tmp_path_factory.mktemp("whole"), SMALL, conda)
    study.asked = "all"
    study.stages = ["manifest", "preprocess", "pairs", "train", "sample", "evaluate", "report"]
    written = study.stage("phantom", {"seed": 0, "subjects": 5, "voxel_mm": 5.0}, "--out", "data/adni")
    assert written.returncode == 0, written.stderr
    study.finish(study.asked)
    yield study
    shutil.rmtree(study.folder)  # its environments are large, and pytest would keep them
