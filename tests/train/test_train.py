"""Training as a person meets it: a folder out, a run that survives being killed, and refusals."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import brainlapse
from brainlapse import tables, train
from brainlapse.errors import Refused
from brainlapse.models import Batch
from brainlapse.models.settings import settings_from
from brainlapse.models.stored import Recipe
from brainlapse.train.checkpoints import Checkpoints, fingerprint_of
from brainlapse.train.journal import Journal
from brainlapse.train.loop import STOPPED
from brainlapse.train.loop import train as train_loop
from brainlapse.train.pairs import TrainingPairs, draw, unpacked
from brainlapse.train.run import Run
from brainlapse.train.settings import TrainingSettings
from brainlapse.volumes import from_bytes
from toy_study import COHORT, write_toy_study

ROW = {
    "family": "diffusion",
    "network": {"patch": 4, "channels": [8, 16], "attention_levels": [1]},
    "training": {
        "steps": 12, "batch": 2, "learning_rate": 1e-3, "warmup_steps": 2, "precision": "fp32",
        "checkpoint_minutes": 0,
    },
}  # fmt: skip
SETTINGS = {"seed": 3, "grid": {"shape": [16, 24, 16], "spacing_mm": 11.0}, **ROW}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The toy study, its volumes widened to a grid that patch 4 with two levels divides."""
    results = write_toy_study(tmp_path_factory.mktemp("study"), subjects=8)
    packed = results / "2_preprocess" / COHORT / "volumes.npy"
    np.save(packed, np.pad(np.load(packed), ((0, 0), (0, 0), (2, 2), (0, 0))))
    return results


def options_for(study, out, **training):
    settings = SETTINGS | {"training": SETTINGS["training"] | training}
    return Namespace(
        model="toy",
        pairs=study / "3_pairs" / "pairs.tsv",
        quality=[study / "2_preprocess" / COHORT / "quality.tsv"],
        threads=1,
        settings=settings,
        out=out,
    )


def fresh_run(settings=SETTINGS):
    torch.manual_seed(settings["seed"])
    training = settings_from(TrainingSettings, settings["training"])
    return Run(Recipe.read(settings).build(), training, settings["seed"], torch.device("cpu"))


def pairs_of(options):
    return TrainingPairs(options.pairs, options.quality, SETTINGS["grid"]["shape"])


def checkpoints_of(options):
    return Checkpoints(options.out / "resume", fingerprint_of(options.settings, pairs_of(options).digest()))


def advance(run, pairs, until):
    while run.step < until:
        packed = pairs.batch(draw(len(pairs), 2, run.seed, run.step))
        run.advance(unpacked(packed, run.device))


def assert_same(run, other):
    assert run.counts() == other.counts()
    tensors, others = run.tensors(), other.tensors()
    assert tensors.keys() == others.keys()
    assert all(torch.equal(tensors[name], others[name]) for name in tensors)


def in_a_process(options, wait_for_step=None):
    """Train in a process of its own; with `wait_for_step`, come back when its checkpoint lies there."""
    command = [
        sys.executable, "-m", "brainlapse", "train", "--model", "toy", "--threads", "1",
        "--pairs", options.pairs, "--quality", *options.quality,
        "--settings", json.dumps(options.settings), "--out", options.out,
    ]  # fmt: skip
    environment = os.environ | {
        "PYTHONPATH": str(Path(brainlapse.__file__).parents[1]),
        "OMP_NUM_THREADS": "1",
    }
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while wait_for_step and process.poll() is None and time.monotonic() < deadline:
        found = sorted((options.out / "resume").glob("*.safetensors"))
        if found and int(found[-1].stem.split("-")[-1]) >= wait_for_step:
            break
        time.sleep(0.01)
    return process


def test_a_model_comes_out_with_its_settings_and_a_log(study, tmp_path, caplog):
    options = options_for(study, tmp_path)
    with caplog.at_level(logging.INFO):
        train.run(options)
    assert load_file(tmp_path / "model.safetensors")["usual.sd"] > 0
    assert json.loads((tmp_path / "settings.json").read_text()) == options.settings
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, 13))
    assert {"loss", "steps_per_second", "learning_rate", "seconds"} <= lines[0].keys()
    assert any((tmp_path / "tensorboard").iterdir()) and not any((tmp_path / "resume").iterdir())
    assert "train toy: step 12/12, loss" in caplog.text and "M parameters" in caplog.text


def test_the_same_seed_gives_the_same_bytes(study, tmp_path):
    for name in ("one", "two"):
        train.run(options_for(study, tmp_path / name))
    one, two = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "two"))
    assert one == two


def test_a_run_that_is_killed_goes_on_as_if_nothing_had_happened(study, tmp_path):
    options = options_for(study, tmp_path, steps=100_000)
    process = in_a_process(options, wait_for_step=4)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL

    resumed = fresh_run(options.settings)
    checkpoints_of(options).restore_newest(resumed)
    assert resumed.step >= 4
    whole, pairs = fresh_run(options.settings), pairs_of(options)
    whole.calibrate(pairs.spread())
    until = 2 * resumed.step
    advance(resumed, pairs, until)
    advance(whole, pairs, until)
    assert_same(resumed, whole)


def test_sigterm_saves_and_says_that_the_run_can_go_on(study, tmp_path):
    options = options_for(study, tmp_path, steps=100_000)
    process = in_a_process(options, wait_for_step=2)
    process.send_signal(signal.SIGTERM)
    _, error = process.communicate(timeout=60)
    assert process.returncode == STOPPED == 75, error
    saved_after = int(error.split("saved after step ")[1].split(".")[0])
    resumed = fresh_run(options.settings)
    checkpoints_of(options).restore_newest(resumed)
    assert resumed.step == saved_after
    with Journal(tmp_path, "toy", 100_000, since=saved_after):
        assert len((tmp_path / "log.jsonl").read_text().splitlines()) == saved_after // 500


def test_a_torn_checkpoint_falls_back_to_the_one_before(study, tmp_path, caplog):
    options = options_for(study, tmp_path)
    checkpoints, run, pairs = checkpoints_of(options), fresh_run(), pairs_of(options)
    for step in (1, 2, 3):
        advance(run, pairs, step)
        checkpoints.save(run)
    older, newest = sorted((tmp_path / "resume").glob("*.safetensors"))
    newest.write_bytes(newest.read_bytes()[:-1000])
    resumed = fresh_run()
    checkpoints.restore_newest(resumed)
    assert resumed.step == 2 and newest.name in caplog.text
    older.write_bytes(b"")
    resumed = fresh_run()
    checkpoints.restore_newest(resumed)
    assert resumed.step == 0


def test_other_settings_or_other_data_start_afresh(study, tmp_path):
    options = options_for(study, tmp_path)
    run, pairs = fresh_run(), pairs_of(options)
    advance(run, pairs, 1)
    checkpoints_of(options).save(run)
    other = fresh_run()
    checkpoints_of(options_for(study, tmp_path, learning_rate=2e-3)).restore_newest(other)
    assert other.step == 0
    pairs.sources[0], pairs.targets[0] = pairs.targets[0], pairs.sources[0]
    assert fingerprint_of(options.settings, pairs.digest()) != checkpoints_of(options).fingerprint


def test_a_step_that_is_not_finite_changes_nothing_and_too_many_are_refused(study, tmp_path):
    options = options_for(study, tmp_path, steps=60)
    run, pairs = fresh_run(options.settings), pairs_of(options)
    advance(run, pairs, 2)
    before = {name: tensor.clone() for name, tensor in run.tensors().items()}
    batch = unpacked(pairs.batch([0, 1]), run.device)
    batch.target[0, 0, 8, 12, 8] = torch.inf
    run.advance(batch)
    assert run.counts() == {"step": 3, "skipped": 1, "skipped_in_a_row": 1}
    assert all(torch.equal(before[name], tensor) for name, tensor in run.tensors().items())
    pairs.years[:] = torch.nan
    with (
        Journal(tmp_path, "toy", 60, since=3) as journal,
        pytest.raises(Refused, match="not finite 21 times"),
    ):
        train_loop(run, pairs, checkpoints_of(options), journal)


def test_the_learning_rate_rises_and_falls():
    run = fresh_run({**SETTINGS, "training": {"steps": 100, "warmup_steps": 10, "learning_rate": 1e-3}})
    rates = []
    for run.step in range(100):
        rates.append(run.learning_rate)
    assert rates[0] == pytest.approx(1e-3 / 11) and max(rates) == rates[10] == pytest.approx(1e-3)
    assert rates == sorted(rates[:10]) + sorted(rates[10:], reverse=True) and rates[-1] < 1e-6


def test_without_an_average_it_is_the_weights():
    run = fresh_run({**SETTINGS, "training": ROW["training"] | {"ema": 0}})
    run.advance(grey_pair())
    average, weights = run.average.state_dict(), run.model.state_dict()
    assert all(torch.equal(average[name], weights[name]) for name in weights)


def test_bfloat16_learns_about_what_float32_learns():
    losses = {}
    for precision in ("fp32", "bf16"):
        run = fresh_run({**SETTINGS, "training": ROW["training"] | {"precision": precision}})
        losses[precision] = [run.advance(grey_pair()) for _ in range(6)]
        assert all(parameter.dtype == torch.float32 for parameter in run.model.parameters())
    assert losses["bf16"] != losses["fp32"]
    assert losses["bf16"] == pytest.approx(losses["fp32"], rel=0.05)


def grey_pair():
    volume = torch.zeros(1, 1, 16, 24, 16)
    return Batch(volume, torch.ones(1), volume + 0.1)


def test_batches_hold_what_the_packed_volumes_hold(study):
    pairs = pairs_of(options_for(study, study))
    volumes = np.load(study / "2_preprocess" / COHORT / "volumes.npy")
    quality = tables.read(study / "2_preprocess" / COHORT / "quality.tsv", tables.QUALITY)
    row = quality.set_index("scan")["packed_row"][pairs.table["target_scan"][4]]
    batch = unpacked(pairs.batch([4, 1]), torch.device("cpu"))
    np.testing.assert_array_equal(batch.target[0, 0].numpy(), from_bytes(volumes[row]))
    assert batch.interval_years[0] == pytest.approx(pairs.table["interval_years"][4])


def test_only_training_pairs_are_drawn(study):
    pairs = pairs_of(options_for(study, study))
    assert set(pairs.table["split"]) == {"train"} and pairs.subjects == 6
    indices = {i for step in range(200) for i in draw(len(pairs), 2, 0, step)}
    assert indices == set(range(len(pairs)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"training": {"stepz": 3}}, "models.toy.training.stepz: there is no such key"),
        ({"training": {"ema": 1.5}}, "training.ema: must be less than 1"),
        ({"training": {"steps": 0}}, "training.steps: must be a whole number of at least 1"),
        ({"predict": "epsilon", "diffuse": "residue"}, "models.toy.diffuse: must be one of"),
        ({"grid": {"shape": [16, 20, 16], "spacing_mm": 11.0}}, "each side must be a multiple of 8"),
        ({"grid": {"shape": [16, 16, 16], "spacing_mm": 11.0}}, r"volumes of \[16, 24, 16\]"),
    ],
)
def test_a_wrong_row_is_refused_before_anything_is_written(study, tmp_path, change, message):
    options = options_for(study, tmp_path / "out")
    options.settings |= change
    with pytest.raises(Refused, match=message):
        train.run(options)
    assert not (tmp_path / "out").exists()


def test_too_few_people_are_refused(tmp_path):
    study = write_toy_study(tmp_path, subjects=2)
    with pytest.raises(Refused, match="2 people are in the training split; 3 are the least"):
        train.run(options_for(study, tmp_path / "out"))


def test_a_pair_whose_scan_was_quarantined_is_refused(tmp_path):
    study = write_toy_study(tmp_path, subjects=4)
    path = study / "2_preprocess" / COHORT / "quality.tsv"
    quality = tables.read(path, tables.QUALITY)
    quality.loc[1, "status"] = "quarantined"
    tables.write(quality, path, tables.QUALITY)
    with pytest.raises(Refused, match="scan I1 of cohort toy is in no quality"):
        TrainingPairs(study / "3_pairs" / "pairs.tsv", [path], (16, 20, 16))
