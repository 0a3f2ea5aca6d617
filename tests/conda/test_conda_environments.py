"""With `--use-conda` every stage runs in an environment of its own: what its YAML lists, and no more.

The channel and the solver's front end are doubles (docs/conda.md); the
environments, their activation and the jobs are real.
"""

import re

import pytest
from conda_study import packages_in

from environments import pinned_in

ALWAYS = ["light", pytest.param("whole", marks=pytest.mark.slow)]


@pytest.fixture(params=ALWAYS)
def study(request):
    return request.getfixturevalue(request.param)


def test_every_job_ran_in_the_interpreter_of_its_stage(study):
    ran_in = {
        stage: {one["prefix"] for one in study.seen() if one["stage"] == stage} for stage in study.stages
    }
    assert ran_in == {stage: {str(study.environment_of(stage))} for stage in study.stages}


def test_a_job_imports_from_its_environment_and_the_project_alone(study):
    """Nothing of the user's own packages, which Python would find first."""
    for one in study.seen():
        places = (f"{one['prefix']}/", f"{study.folder}/src/")
        assert one["files"] and all(file.startswith(places) for file in one["files"])


def test_an_environment_holds_what_its_yaml_lists_and_nothing_else(study):
    for stage in study.stages:
        found = packages_in(study.environment_of(stage)).items()
        listed = pinned_in(study.folder / "envs" / f"{stage}.yaml")
        assert {name for name, _ in found - listed.items()} <= {"pip", "setuptools"}, stage
        assert listed.keys() <= dict(found).keys()


def test_a_finished_study_has_nothing_to_do(study):
    assert study.would_run(study.asked) == set()


def test_an_edited_yaml_reruns_the_jobs_of_its_stage(study):
    path = study.folder / "envs/pairs.yaml"
    before = path.read_text()
    path.write_text(before + "# edited\n")
    try:
        listed = study.snakemake("--dry-run", study.asked).stdout
    finally:
        path.write_text(before)
    stale = [job for job in jobs_in(listed) if "Software environment definition has changed" in job]
    of_stage = ["pairs: sources, targets and splits by person", "pairs: what chooses those of adni"]
    assert sorted(re.findall(r"^Job \d+: (.*)", "\n".join(stale), re.MULTILINE)) == [
        job for job in of_stage if "train" in study.stages or "what" not in job
    ]


def jobs_in(listed: str) -> list[str]:
    """What a dry run says of each job: what it is for, and why it would run."""
    return re.findall(r"^Job \d+: .*\n.*", listed, re.MULTILINE)


def test_a_stage_whose_yaml_lacks_a_package_fails(study):
    """The last of all: Snakemake takes away what a failed job should have made."""
    path = study.folder / "envs/pairs.yaml"
    before = path.read_text()
    path.write_text(re.sub(r"  - pip:(?s:.*)", "", before))
    try:
        ran = study.snakemake(study.asked)
    finally:
        path.write_text(before)
    assert ran.returncode != 0
    log = (study.folder / "results/logs/pairs.log").read_text()
    assert "No module named 'pandas'" in log, ran.stdout + ran.stderr
