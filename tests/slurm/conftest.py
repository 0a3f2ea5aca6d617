"""One cluster for all of its tests, and one small study that went through it to its report."""

import tempfile
from pathlib import Path

import cluster as loopback
import pytest
from submitted import SMALL, SubmittedStudy


@pytest.fixture(scope="session")
def cluster():
    if not loopback.available():
        pytest.skip("needs root, and Debian's packages slurm-wlm and munge")
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder:  # the paths of sockets must be short
        running = loopback.Cluster(Path(folder))
        yield running
        running.stop()


@pytest.fixture(scope="session")
def submitted(cluster, tmp_path_factory):
    """A study of six phantoms, run to its report by jobs of the cluster."""
    study = SubmittedStudy(tmp_path_factory.mktemp("study"), SMALL, cluster)
    written = study.stage("phantom", {"seed": 0, "subjects": 6, "voxel_mm": 5.0}, "--out", "data/adni")
    assert written.returncode == 0, written.stderr
    study.finish(study.start())
    return study
