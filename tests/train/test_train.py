"""Training as a person meets it: a folder out, and refusals."""

import json
import logging

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from toy_training import SETTINGS, options_for, pairs_of, settings_with

from brainlapse import tables, train
from brainlapse.errors import Refused
from brainlapse.train.pairs import TrainingPairs, draw, unpacked
from brainlapse.volumes import from_bytes
from toy_study import COHORT, write_toy_study


def test_a_model_comes_out_with_its_settings_and_a_log(study, tmp_path, caplog):
    options = options_for(study, tmp_path)
    with caplog.at_level(logging.INFO):
        train.run(options)
    assert load_file(tmp_path / "model.safetensors")["usual.sd"] > 0
    assert json.loads((tmp_path / "settings.json").read_text()) == options.settings
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, 13))
    assert {"loss", "losses", "steps_per_second", "learning_rate", "seconds"} <= lines[0].keys()
    assert lines[0]["losses"] == {"network": lines[0]["loss"]}
    assert any((tmp_path / "tensorboard").iterdir()) and not any((tmp_path / "resume").iterdir())
    assert "train toy: step 12/12, loss" in caplog.text and "M parameters" in caplog.text


def test_each_player_has_its_loss_in_the_log(study, tmp_path):
    train.run(options_for(study, tmp_path, settings_with("gan", steps=2)))
    *_, line = map(json.loads, (tmp_path / "log.jsonl").read_text().splitlines())
    assert line["losses"].keys() == {"discriminator", "generator"}
    assert line["loss"] == pytest.approx(sum(line["losses"].values()))


def test_a_family_that_learns_nothing_is_trained_too(study, tmp_path):
    train.run(options_for(study, tmp_path, settings_with("average", steps=1)))
    assert load_file(tmp_path / "model.safetensors")["usual.sd"] > 0


def test_how_it_is_computed_changes_no_byte(study, tmp_path):
    ways = {"one": {}, "two": {"pictures": 2, "checkpoint_minutes": 9.0, "recompute": True}}
    for name, way in ways.items():
        train.run(options_for(study, tmp_path / name, **way))
    one, two = ((tmp_path / name / "model.safetensors").read_bytes() for name in ways)
    assert one == two


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
        ({"training": {"batch": 4, "accumulate": 3}}, "models.toy.training.accumulate: 3 parts"),
        ({"training": {"betas": [0.9, 1.0]}}, "training.betas: must be two numbers"),
        ({"training": {"clip": -1}}, "training.clip: must be a number of at least 0"),
        ({"training": {"precision": "fp8"}}, "training.precision: must be one of fp32, bf16, fp16"),
        ({"predict": "epsilon", "diffuse": "residue"}, "models.toy.diffuse: must be one of"),
        ({"grid": {"shape": [16, 20, 16], "spacing_mm": 11.0}}, "each side must be a multiple of 8"),
        ({"grid": {"shape": [16, 16, 16], "spacing_mm": 11.0}}, r"volumes of \[16, 24, 16\]"),
    ],
)
def test_a_wrong_row_is_refused_before_anything_is_written(study, tmp_path, change, message):
    options = options_for(study, tmp_path / "out", SETTINGS | change)
    with pytest.raises(Refused, match=message):
        train.run(options)
    assert not (tmp_path / "out").exists()


def test_a_batch_that_processes_cannot_share_is_refused_before_they_are_started(study, tmp_path):
    options = options_for(study, tmp_path / "out", settings_with(batch=4, accumulate=2), processes=3)
    with pytest.raises(Refused, match=r"4 pairs cannot be shared equally by 3 processes.*a multiple of 6"):
        train.run(options)


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
