"""The list of the Dallas Lifespan Brain Study is what it says, and its overlay is a study."""

import re
from collections import defaultdict
from pathlib import Path

import pytest
import yaml

from brainlapse import config
from brainlapse.fetch import STUDIES
from brainlapse.fetch.listing import listed, of_first_people

PROJECT = Path(__file__).parents[2]
NAME = re.compile(r"(sub-\d+)/(ses-wave[123])/anat/\1_\2_acq-MPRAGE_run-[12]_T1w\.(nii\.gz|json)")


@pytest.fixture(scope="module")
def files():
    return listed(STUDIES["dlbs"].files)


def test_people_with_two_waves_and_nobody_else(files):
    waves = defaultdict(set)
    for file in files:
        if named := NAME.fullmatch(file.path):
            waves[named[1]].add(named[2])
    assert len(waves) == 314
    assert min(map(len, waves.values())) == 2 and sum(len(w) == 3 for w in waves.values()) == 179
    assert all("ses-wave1" in w for w in waves.values())


def test_images_their_side_files_and_the_studys_own(files):
    paths = {file.path for file in files}
    images = {path for path in paths if path.endswith(".nii.gz")}
    own = {"participants.tsv", "participants.json", "dataset_description.json", "README", "CHANGES"}
    assert paths == images | {path.replace(".nii.gz", ".json") for path in images} | own
    assert len(images) == 817
    assert sum(file.size for file in files) == 5_921_939_146
    assert all(file.version for file in files)


def test_a_try_is_small(files):
    some = of_first_people(files, 2)
    assert len({file.person for file in some} - {None}) == 2
    assert sum(file.size for file in some) < 60e6


def test_the_overlay_is_a_study_without_diagnoses():
    parts = [yaml.safe_load((PROJECT / name).read_text()) for name in ("config.yaml", "dlbs.yaml")]
    study = config.complete(_over(*parts))
    assert study["cohorts"].keys() == {"dlbs"}
    assert study["pairs"]["max_interval_years"] > 10.6
    for name in ("brainlapse", "brainlapse_plausible", "regression"):
        assert study["models"][name]["conditions"] == ["source", "interval", "age", "sex"]
    assert "diagnosis" not in str([row["conditions"] for row in study["models"].values()])
    head = (PROJECT / "dlbs.yaml").read_text()
    assert STUDIES["dlbs"].then in head and f"--root {study['cohorts']['dlbs']['root']}\n" in head


def _over(below: dict, above: dict) -> dict:
    """What Snakemake makes of two config files."""
    both = {
        key: _over(below[key], above[key])
        for key in below.keys() & above.keys()
        if isinstance(above[key], dict)
    }
    return {**below, **above, **both}
