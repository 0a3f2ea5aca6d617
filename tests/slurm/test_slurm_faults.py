"""Trainings that a cluster stops in every way it can go on, and end with the weights of one that was let be.

All is one run of Snakemake: rows of the same settings, one for each fault, while
the controller of the cluster is killed and started anew.
"""

import json
import os
import re
import signal

import pytest
import torch
from cluster import wait_for
from safetensors.torch import load_file
from submitted import copied

pytestmark = pytest.mark.slow

SAVED = ("cancelled", "warned", "overdue")  # they are told to stop
KILLED = ("lost", "starved")
STEPS = 300
# What the rows ask for, so that each meets its fault once; these are the shortest time limits that SLURM has.
_RESOURCES = (
    "train:slurm_extra='--signal=TERM@300' if wildcards.model == 'warned' and attempt == 1 else ''",
    "train:runtime=2 if wildcards.model == 'overdue' and attempt == 1 else 7",
    "train:mem_mb=300 if wildcards.model == 'starved' and attempt == 1 else 4000",
    "train:gpu=0 if wildcards.model == 'lost' else 1",  # on a node of its own
)


@pytest.fixture(scope="module")
def troubled(submitted, tmp_path_factory):
    """The study after a run in which all rows but `whole` met a fault, after `stopped_after[row]` steps."""
    study = copied(submitted, tmp_path_factory.mktemp("troubled"), ("whole", *SAVED, *KILLED), STEPS)
    snakemake = study.start("--set-resources", *_RESOURCES, "--", *study.weights)
    jobs = frozen_at_work(study, ("lost", *SAVED))
    study.stopped_after = {model: study.last_step(model) for model in SAVED}
    # First, since a controller that is killed may forget what it was told a moment before.
    study.cluster.kill_controller()
    study.cluster.start_controller()
    study.cluster.ask("scancel", jobs["cancelled"]["JobId"])
    study.cluster.lose_node(jobs["lost"]["NodeList"])
    wait_for(lambda: study.cluster.job(jobs["lost"]["JobId"])["JobState"] == "NODE_FAIL", "a lost node", 180)
    study.cluster.start_node(jobs["lost"]["NodeList"])
    study.finish(snakemake)
    return study


def frozen_at_work(study, models: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """The jobs of trainings that hang (SIGSTOP) once two steps are made; SLURM's SIGTERM wakes them up."""
    jobs = {}

    def all_frozen() -> bool:
        for model in set(models) - jobs.keys():
            process = study.training_process(model)
            if process and study.last_step(model) >= 2:
                os.kill(process, signal.SIGSTOP)
                jobs[model] = study.job_of(process)
        return len(jobs) == len(models)

    wait_for(all_frozen, f"the second step of {models}", 300)
    return jobs


def test_each_met_its_fault_once(troubled):
    endings = {
        model: [job["JobState"] for job in troubled.jobs(f"rule_train/{model}")] for model in troubled.models
    }
    assert endings.pop("whole") == ["COMPLETED"]
    assert {model: first for model, (first, _) in endings.items()} == {
        "cancelled": "CANCELLED",
        "warned": "FAILED",  # it ended by itself before its time limit
        "overdue": "TIMEOUT",
        "lost": "NODE_FAIL",
        "starved": "FAILED",  # OUT_OF_MEMORY where memory is watched by cgroups
    }
    assert {second for _, second in endings.values()} == {"COMPLETED"}


@pytest.mark.parametrize("model", [*SAVED, *KILLED])
def test_the_weights_are_those_of_a_training_that_was_let_be(troubled, model):
    folder = troubled.folder / "results/4_train"
    expected, weights = (load_file(folder / name / "model.safetensors") for name in ("whole", model))
    assert expected.keys() == weights.keys() and expected
    assert all(torch.equal(expected[name], weights[name]) for name in expected)


@pytest.mark.parametrize("model", SAVED)
def test_a_training_that_is_told_to_stop_goes_on_where_it_was(troubled, model):
    log = (troubled.folder / f"results/logs/train/{model}.log").read_text()
    step = int(re.search(r"going on after step (\d+)", log)[1])
    assert troubled.stopped_after[model] <= step < STEPS


@pytest.mark.parametrize("model", SAVED)
def test_its_log_has_the_steps_before_as_well(troubled, model):
    log = (troubled.folder / f"results/4_train/{model}/log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in log] == list(range(1, STEPS + 1))


@pytest.fixture(scope="module")
def restarted(submitted, tmp_path_factory):
    """A study whose Snakemake was killed while it trained, and started again as docs/cluster.md says.

    The training of the second run is cancelled once.
    """
    study = copied(submitted, tmp_path_factory.mktemp("restarted"), ("whole",), STEPS)
    snakemake = study.start("--", *study.weights)
    (job,) = frozen_at_work(study, ("whole",)).values()
    snakemake.kill()
    snakemake.wait()
    assert study.cluster.job(job["JobId"])["JobState"] == "RUNNING"  # nobody told the cluster
    study.cluster.ask("scancel", "--name", job["JobName"])
    wait_for(lambda: study.cluster.job(job["JobId"])["JobState"] == "CANCELLED", "the old job's end", 60)
    again = study.start("--", *study.weights)
    again.wait(120)
    study.refusal = study.printed
    assert study.snakemake("--unlock").returncode == 0
    snakemake = study.start("--", *study.weights)
    (job,) = frozen_at_work(study, ("whole",)).values()
    study.cluster.ask("scancel", job["JobId"])
    study.finish(snakemake)
    return study


def test_after_snakemake_was_killed_the_folder_is_locked(restarted):
    assert "--unlock" in restarted.refusal and "LockException" in restarted.refusal


def test_after_snakemake_was_killed_training_goes_on(restarted):
    log = (restarted.folder / "results/logs/train/whole.log").read_text()
    assert "going on after step" in log


def test_a_job_that_failed_asks_for_more_memory(restarted):
    first, second = restarted.jobs("rule_train/whole")
    assert first["JobState"] == "CANCELLED" and second["JobState"] == "COMPLETED"
    assert (first["MinMemoryNode"], second["MinMemoryNode"]) == ("16000M", "32000M")
