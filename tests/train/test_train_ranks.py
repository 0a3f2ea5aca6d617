"""Two processes that train one model: really two, over gloo."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from toy_training import (
    advance,
    checkpoints_of,
    environment,
    fresh_run,
    in_a_process,
    options_for,
    pairs_of,
    settings_with,
)

FAMILIES = ("diffusion", "gan", "regression")


@pytest.fixture(scope="module")
def two(study, tmp_path_factory):
    """What two processes found that torchrun started."""
    out = tmp_path_factory.mktemp("two")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    script = Path(__file__).with_name("two_ranks.py")
    answer = subprocess.run(
        [*torchrun, script, study, out], env=environment(), capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stderr
    found = [json.loads((out / f"found-{rank}.json").read_text()) for rank in (0, 1)]
    tensors = {f: [load_file(out / f"{f}-{rank}.safetensors") for rank in (0, 1)] for f in FAMILIES}
    return found, tensors


def assert_equal_but_for_rounding(tensors, others):
    assert tensors.keys() == others.keys()
    for name, tensor in tensors.items():
        difference = (tensor.double() - others[name].double()).abs().max()
        assert difference <= 2e-3 * max(others[name].abs().max().item(), 1e-2), name


@pytest.mark.parametrize("family", FAMILIES)
def test_both_have_the_same_model_to_the_bit(two, family):
    _, tensors = two
    first, second = tensors[family]
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("family", FAMILIES)
def test_they_learn_what_one_does_in_two_parts(study, two, family):
    found, tensors = two
    run = fresh_run(settings_with(family, batch=4, accumulate=2))
    losses = advance(run, pairs_of(options_for(study, study)), 3)
    assert [one["size"] for one in found] == [2, 2]
    for step, theirs in zip(losses, found[1][family], strict=True):
        assert theirs == pytest.approx(step, rel=1e-3)
    assert_equal_but_for_rounding(tensors[family][0], run.tensors())


def test_without_random_numbers_they_learn_what_one_does_from_the_whole_batch(study, two):
    _, tensors = two
    run = fresh_run(settings_with("regression", batch=4))
    advance(run, pairs_of(options_for(study, study)), 3)
    assert_equal_but_for_rounding(tensors["regression"][0], run.tensors())


def test_they_skip_a_step_together(two):
    found, _ = two
    assert [one["skipped"] for one in found] == [[1, 1], [1, 1]]


def test_one_that_lacks_memory_stops_both(two):
    (first, second), _ = two
    assert first["memory"] == ["Failed", "another process of this training failed; it says why."]
    assert second["memory"][0] == "Refused" and "training.batch: 1 pair(s) at once" in second["memory"][1]


def test_a_refusal_is_told_once(two):
    found, _ = two
    assert [one["refusal"] for one in found] == ["told", "silent, 2"]


def test_one_command_trains_in_two_processes(study, tmp_path):
    options = options_for(study, tmp_path, settings_with(batch=4, steps=3), processes=2, pictures=1)
    process = in_a_process(options)
    _, error = process.communicate(timeout=180)
    assert process.returncode == 0, error
    assert error.count("train toy: step 3/3") == 1 and "2 process(es)" in error
    run = fresh_run(settings_with(batch=4, accumulate=2, steps=3))
    advance(run, pairs_of(options), 3)
    weights = {name.removeprefix("average."): t for name, t in run.tensors().items() if "average." in name}
    assert_equal_but_for_rounding(load_file(tmp_path / "model.safetensors"), weights)
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 3
    assert len(list((tmp_path / "pictures").iterdir())) == 3


def test_two_processes_that_are_told_to_stop_save_once_and_can_go_on(study, tmp_path):
    options = options_for(study, tmp_path, settings_with(batch=4, steps=100_000), processes=2)
    process = in_a_process(options, wait_for_step=2)
    process.send_signal(signal.SIGTERM)
    _, error = process.communicate(timeout=120)
    assert process.returncode == 75, error
    saved_after = int(error.split("saved after step ")[1].split(".")[0])
    resumed = fresh_run(options.settings)
    checkpoints_of(options).restore_newest(resumed)
    assert resumed.step == saved_after and error.count("saved after step") == 1


@pytest.mark.slow
def test_processes_whose_launcher_is_killed_save_and_end(study, tmp_path):
    options = options_for(study, tmp_path, settings_with(batch=4, steps=100_000), processes=2)
    process = in_a_process(options, wait_for_step=2)
    workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(workers) >= 2
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 60
    while any(map(alive, workers)):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    resumed = fresh_run(options.settings)
    checkpoints_of(options).restore_newest(resumed)
    assert resumed.step >= 2 and not (tmp_path / "model.safetensors").exists()


def alive(process):
    status = Path(f"/proc/{process}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.slow
def test_what_every_process_refuses_ends_with_a_refusal(study, tmp_path):
    options = options_for(study, tmp_path, settings_with(batch=4), processes=2)
    options.quality = [tmp_path / "absent.tsv"]
    process = in_a_process(options)
    _, error = process.communicate(timeout=120)
    assert process.returncode == 2 and error.count("brainlapse train: ") == 1, error
