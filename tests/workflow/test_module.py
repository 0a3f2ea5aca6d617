"""Another workflow uses this one as a module, from a folder of its own, with a configuration of its own."""

import os
import subprocess
import sys

import pytest
import yaml
from study import PROJECT, SNAKEMAKE, TINY, rules_in

from brainlapse import tables

FOREIGN = """\
configfile: "mine.yaml"


rule mine:
    input:
        "out/3_pairs/pairs.tsv",
    output:
        "people.txt",
    shell:
        "cut -f 3 {{input}} | sort -u > {{output}}"


module brainlapse:
    snakefile:
        "{project}/Snakefile"
    config:
        config["heads"]


use rule * from brainlapse as brainlapse_*
"""


def run(folder, *arguments):
    path = f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}"
    command = [SNAKEMAKE, "--cores", "2", *arguments]
    return subprocess.run(
        command, cwd=folder, env={**os.environ, "PATH": path}, text=True, capture_output=True
    )


@pytest.fixture
def foreign(tmp_path):
    """A folder with a workflow of its own and a study of five phantoms in its configuration."""
    cohorts = {"heads": {"reader": "phantom", "root": "heads", "role": "study"}}
    study = {**TINY, "results": "out", "cohorts": cohorts, "phantom": {"subjects": 5, "voxel_mm": 5.0}}
    study["splits"] = {"train": 3, "validation": 0, "test": "rest"}
    (tmp_path / "Snakefile").write_text(FOREIGN.format(project=PROJECT))
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"heads": study}))
    return tmp_path


def test_the_others_first_rule_stays_its_default_and_the_whole_study_has_a_name(foreign):
    answer = run(foreign, "--dry-run")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    before = {"brainlapse_phantom", "brainlapse_manifest", "brainlapse_gather", "brainlapse_pairs"}
    assert rules_in(answer.stdout + answer.stderr) == {"mine"} | before
    whole = run(foreign, "--dry-run", "brainlapse_all")
    assert whole.returncode == 0, whole.stdout + whole.stderr
    wanted = {"brainlapse_train", "brainlapse_sample", "brainlapse_score", "brainlapse_report"}
    assert wanted <= rules_in(whole.stdout + whole.stderr)


@pytest.mark.slow
def test_a_foreign_workflow_makes_pairs_with_this_one(foreign):
    answer = run(foreign)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    pairs = tables.read(foreign / "out/3_pairs/pairs.tsv", tables.PAIRS)
    assert set(pairs["subject"]) <= set((foreign / "people.txt").read_text().split())
    again = run(foreign)
    assert "Nothing to be done" in again.stdout + again.stderr
