"""What a dry run would run is told with the keys that were edited, and with nothing else."""

import copy
import re

import pytest
from study import TINY

from brainlapse.errors import Refused
from brainlapse.why import explained


def told(study, config) -> dict[str, list[str]]:
    """The causes (lines set in) of each block of jobs (lines not set in)."""
    study.configure(config)
    answer = study.snakemake("--dry-run")
    study.configure(TINY)
    blocks = re.split(r"\n(?=\S)", explained(answer.stdout + answer.stderr))
    return {block.split("\n")[0]: [line.strip() for line in block.split("\n")[1:]] for block in blocks}


def test_edited_keys_are_named_with_their_values(finished):
    config = copy.deepcopy(TINY)
    config["models"]["regression"]["training"] = {**config["models"]["regression"]["training"], "steps": 3}
    config["evaluate"]["change_threshold"] = 0.1
    blocks = told(finished, config)
    assert blocks["train: regression"] == ["training.steps: 2 → 3"]
    scores = next(jobs for jobs in blocks if "score copy on adni" in jobs)
    assert blocks[scores] == ["change_threshold: 0.05 → 0.1"]
    assert ["what it is made of is made again"] in blocks.values()
    assert not any("train: brainlapse" in jobs for jobs in blocks)


def test_an_apostrophe_in_a_value_is_no_end_of_it(finished):
    blocks = told(finished, {**TINY, "report": {"title": "the heads' year"}})
    (causes,) = (found for jobs, found in blocks.items() if "one page for the study" in jobs)
    assert all(job.startswith("report: ") for job in blocks)
    assert 'title: "tiny" → "the heads\' year"' in causes


def test_edited_code_is_told_from_edited_keys(finished):
    finished.configure(TINY)
    path = finished.folder / "src/brainlapse/pairs/pairing.py"
    before = path.read_text()
    path.write_text(before.replace("DAYS_PER_YEAR = 365.25", "DAYS_PER_YEAR = 365.0"))
    try:
        blocks = told(finished, TINY)
    finally:
        path.write_text(before)
    pairs = next(jobs for jobs in blocks if jobs.startswith("pairs"))
    assert blocks[pairs] == ["the code of its stage was edited"]


def test_a_finished_study_and_a_text_that_is_no_dry_run(finished):
    assert list(told(finished, TINY)) == [
        "Nothing would run: all results are what these settings and this code make."
    ]
    with pytest.raises(Refused, match="no dry run"):
        explained("WorkflowError: the configuration has mistakes")
