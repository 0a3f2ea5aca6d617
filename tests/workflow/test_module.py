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


@pytest.mark.slow
def test_a_foreign_workflow_makes_pairs_with_this_one(tmp_path):
    cohorts = {"heads": {"reader": "phantom", "root": "heads", "role": "study"}}
    study = {**TINY, "results": "out", "cohorts": cohorts, "phantom": {"subjects": 5, "voxel_mm": 5.0}}
    study["splits"] = {"train": 3, "validation": 0, "test": "rest"}
    (tmp_path / "Snakefile").write_text(FOREIGN.format(project=PROJECT))
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"heads": study}))
    answer = run(tmp_path)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    pairs = tables.read(tmp_path / "out/3_pairs/pairs.tsv", tables.PAIRS)
    assert set(pairs["subject"]) <= set((tmp_path / "people.txt").read_text().split())
    assert "Nothing to be done" in run(tmp_path).stderr
    whole = run(tmp_path, "--dry-run", "brainlapse_all")
    assert whole.returncode == 0, whole.stdout + whole.stderr
    wanted = {"brainlapse_train", "brainlapse_sample", "brainlapse_score", "brainlapse_report"}
    assert wanted <= rules_in(whole.stdout + whole.stderr)
