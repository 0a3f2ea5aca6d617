"""A run that is killed, told to stop or out of luck goes on as if nothing had happened."""

import signal

import pytest
import torch
from toy_training import (
    advance,
    assert_same,
    checkpoints_of,
    fresh_run,
    in_a_process,
    no_pictures,
    options_for,
    pairs_of,
    settings_with,
)

from brainlapse.errors import Refused
from brainlapse.models import FAMILIES
from brainlapse.train.checkpoints import fingerprint_of
from brainlapse.train.journal import Journal
from brainlapse.train.loop import STOPPED
from brainlapse.train.loop import train as train_loop


@pytest.mark.parametrize(("family", "accumulate"), [("diffusion", 2), ("gan", 1)])
def test_a_run_that_is_killed_goes_on_as_if_nothing_had_happened(study, tmp_path, family, accumulate):
    options = options_for(study, tmp_path, settings_with(family, steps=100_000, accumulate=accumulate))
    process = in_a_process(options, wait_for_step=4)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL

    resumed = fresh_run(options.settings)
    checkpoints_of(options).restore_newest(resumed)
    assert resumed.step >= 4
    whole, pairs = fresh_run(options.settings), pairs_of(options)
    until = 2 * resumed.step
    advance(resumed, pairs, until)
    advance(whole, pairs, until)
    assert_same(resumed, whole)


# The average computes nothing, so there is no half precision of it.
HALVES = [("fp16", family) for family in FAMILIES if family != "average"]


@pytest.mark.parametrize(("precision", "family"), [*(("fp32", family) for family in FAMILIES), *HALVES])
def test_every_family_goes_on_exactly(study, tmp_path, precision, family):
    options = options_for(study, tmp_path, settings_with(family, batch=4, accumulate=2, precision=precision))
    whole, pairs = fresh_run(options.settings), pairs_of(options)
    advance(whole, pairs, 2)
    checkpoints_of(options).save(whole)
    resumed = fresh_run(options.settings)
    checkpoints_of(options).restore_newest(resumed)
    assert_same(resumed, whole)
    advance(whole, pairs, 4)
    advance(resumed, pairs, 4)
    assert_same(resumed, whole)


def test_sigterm_saves_and_says_that_the_run_can_go_on(study, tmp_path):
    options = options_for(study, tmp_path, settings_with(steps=100_000))
    process = in_a_process(options, wait_for_step=2)
    process.send_signal(signal.SIGTERM)
    _, error = process.communicate(timeout=60)
    assert process.returncode == STOPPED == 75, error
    saved_after = int(error.split("saved after step ")[1].split(".")[0])
    resumed = fresh_run(options.settings)
    checkpoints_of(options).restore_newest(resumed)
    assert resumed.step == saved_after
    (tmp_path / "log.jsonl").unlink()  # as Snakemake does with the outputs of a job that failed
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
    checkpoints_of(options_for(study, tmp_path, settings_with(learning_rate=2e-3))).restore_newest(other)
    assert other.step == 0
    pairs.sources[0], pairs.targets[0] = pairs.targets[0], pairs.sources[0]
    assert fingerprint_of(options.settings, pairs.digest()) != checkpoints_of(options).fingerprint


def test_a_step_that_is_not_finite_changes_nothing(study, tmp_path):
    run, pairs = fresh_run(), pairs_of(options_for(study, tmp_path))
    advance(run, pairs, 2)
    before = {name: tensor.clone() for name, tensor in run.tensors().items()}
    batch = pairs.batch([0, 1])
    batch.interval_years[:] = torch.inf
    run.advance([batch])
    assert (run.step, run.skipped, run.skipped_in_a_row) == (3, 1, 1)
    assert all(torch.equal(before[name], tensor) for name, tensor in run.tensors().items())


def test_too_many_of_them_stop_the_run_with_the_last_good_state_saved(study, tmp_path):
    options = options_for(study, tmp_path, settings_with(steps=60))
    run, pairs = fresh_run(options.settings), pairs_of(options)
    advance(run, pairs, 2)
    good = {name: tensor.clone() for name, tensor in run.tensors().items()}
    years = pairs.years.clone()
    pairs.years[:] = torch.nan
    checkpoints = checkpoints_of(options)
    with (
        Journal(tmp_path, "toy", 60, since=2) as journal,
        pytest.raises(Refused, match=r"not finite 21 times in a row up to step 23\..*run the same again"),
    ):
        train_loop(run, pairs, checkpoints, journal, no_pictures(run, pairs), checkpoint_minutes=10)
    resumed = fresh_run(options.settings)
    checkpoints.restore_newest(resumed)
    assert (resumed.step, resumed.skipped, resumed.skipped_in_a_row) == (23, 21, 0)
    assert all(torch.equal(good[name], tensor) for name, tensor in resumed.tensors().items())
    pairs.years[:] = years
    with Journal(tmp_path, "toy", 60, since=23) as journal:
        train_loop(resumed, pairs, checkpoints, journal, no_pictures(resumed, pairs), checkpoint_minutes=10)
    assert resumed.step == 60 and resumed.skipped == 21


def test_a_float16_step_that_overflows_is_skipped_and_scaled_down(study, tmp_path):
    run = fresh_run(settings_with(precision="fp16"))
    pairs = pairs_of(options_for(study, tmp_path))
    run.scaler.load_state_dict(run.scaler.state_dict() | {"scale": 2.0**40})
    scales = []
    while not scales or run.skipped_in_a_row:
        advance(run, pairs, run.step + 1)
        scales.append(run.scaler.get_scale())
    assert run.skipped > 3 and scales[0] == 2.0**39 and scales[-1] == 2.0 ** (40 - run.skipped)
