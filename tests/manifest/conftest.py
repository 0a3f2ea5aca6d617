"""The manifest stage, run on a folder as its command runs it."""

import argparse
from pathlib import Path

import pytest

from brainlapse import manifest, tables


@pytest.fixture
def run(tmp_path):
    """A function that runs the manifest of a download and returns its tables by name."""

    def run_manifest(root: Path, out: Path | None = None, **settings) -> dict:
        out = out or tmp_path / "out"
        known = {"reader": "adni", "root": str(root), "role": "external"}
        options = argparse.Namespace(cohort="study", settings={**known, **settings}, out=out, threads=2)
        manifest.run(options)
        kinds = (tables.SCANS, tables.REJECTED, tables.FUNNEL)
        return {kind.name.partition(".")[0]: tables.read(out / kind.name, kind) for kind in kinds}

    return run_manifest
