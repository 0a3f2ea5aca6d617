"""The whole workflow through the profile: what is submitted, with what, and what comes out."""

import copy
import re
import shutil
from collections import Counter

import pytest
from submitted import SMALL, SubmittedStudy

pytestmark = pytest.mark.slow


def test_the_study_is_run_to_its_report_by_jobs(submitted):
    assert "tiny" in (submitted.folder / "results/7_report/index.html").read_text()
    assert submitted.would_run() == set()


@pytest.fixture(scope="module")
def resumed(submitted, tmp_path_factory):
    """The study again, of which only the manifest is there, with a further cohort, of which nothing is."""
    config = copy.deepcopy(SMALL)
    config["cohorts"]["other"] = {"reader": "adni", "root": "data/other", "role": "external"}
    study = SubmittedStudy(tmp_path_factory.mktemp("resumed"), config, submitted.cluster)
    for part in ("data", ".snakemake", "results/1_manifest"):
        shutil.copytree(submitted.folder / part, study.folder / part)
    written = study.stage("phantom", {"seed": 9, "subjects": 3, "voxel_mm": 5.0}, "--out", "data/other")
    assert written.returncode == 0, written.stderr
    study.finish(study.start(*(f"results/2_preprocess/{cohort}/quality.tsv" for cohort in config["cohorts"])))
    return study


@pytest.mark.parametrize(("name", "people", "parts"), [("submitted", 6, 2), ("resumed", 6 + 3, 2 + 1)])
def test_a_person_is_preprocessed_once_by_the_job_of_a_few(request, name, people, parts):
    """Snakemake's own --group-components submits people twice, or without end, after a checkpoint."""
    study = request.getfixturevalue(name)
    lists = sorted((study.folder / "results/2_preprocess").glob("*/people/*.txt"))
    members = [path.read_text().split() for path in lists]
    done = [path.parent.name for path in (study.folder / "results/2_preprocess").glob("*/sub-*/quality.tsv")]
    assert len(lists) == parts and len(done) == people
    assert sorted(f"sub-{person}" for few in members for person in few) == sorted(done)
    submitted = re.findall(r"preprocess: (\S+) of (\w+)$", study.printed, re.MULTILINE)
    assert len(submitted) == len(set(submitted)) == people
    jobs = study.jobs("group_people_[^/]+")
    assert {(job["NumCPUs"], job["MinMemoryNode"]) for job in jobs} == {("1", "4000M")}
    # Two hours a person, one after the other, and a minute for the list.
    assert sorted(job["TimeLimit"] for job in jobs) == sorted(f"{2 * len(few):02}:01:00" for few in members)


def test_all_that_is_done_a_model_or_shard_is_a_job_of_its_own(submitted):
    jobs = Counter(submitted.submissions())
    floors = 3  # copy, zero and rescan
    assert jobs["rule_train"] == 1 and jobs["rule_sample_shard"] == 2
    assert jobs["rule_sample"] == jobs["rule_score"] == 1 + floors


def test_jobs_that_want_a_gpu_go_where_there_are_some_and_no_others_do(submitted):
    chosen = set(re.findall(r"Auto-selected partition '(\w+)' for job (\w+)", submitted.printed))
    on_gpu = {job for partition, job in chosen if partition == "gpu"}
    on_cpu = {job for partition, job in chosen if partition == "cpu"}
    assert on_gpu == {"train", "sample_shard"} and not on_gpu & on_cpu
