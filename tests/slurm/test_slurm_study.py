"""The whole workflow through the profile: what is submitted, with what, and what comes out."""

import re
from collections import Counter

import pytest

pytestmark = pytest.mark.slow


def test_the_study_is_run_to_its_report_by_jobs(submitted):
    assert "tiny" in (submitted.folder / "results/7_report/index.html").read_text()
    assert submitted.would_run() == set()


def test_five_people_are_few_jobs_that_do_one_after_the_other(submitted):
    """Two jobs, of three people and of two; one if Snakemake joins these groups as well."""
    done = list((submitted.folder / "results/2_preprocess/adni").glob("sub-*/quality.tsv"))
    jobs = submitted.jobs("group_people_preprocess")
    assert len(done) == 5 and len(jobs) <= 2
    assert {(job["NumCPUs"], job["MinMemoryNode"]) for job in jobs} == {("1", "4000M")}
    assert sum(int(job["TimeLimit"].split(":")[0]) for job in jobs) == 2 * 5  # hours


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
