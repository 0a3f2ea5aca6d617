"""The configuration is completed from the schema, and each stage gets what it depends on."""

import copy
import dataclasses
from pathlib import Path

import pytest
import yaml

from brainlapse import config as study
from brainlapse.cli import _parser
from brainlapse.errors import Refused
from brainlapse.models import FAMILIES
from brainlapse.train.settings import TrainingSettings

PROJECT = Path(__file__).parents[1]
CONFIG = yaml.safe_load((PROJECT / "config.yaml").read_text())


@pytest.fixture
def config():
    return study.complete(copy.deepcopy(CONFIG))


def test_the_study_of_the_repository_is_complete(config):
    assert config["grid"] == {"shape": [128, 160, 128], "spacing_mm": 1.4}
    assert config["splits"]["train"] == 1125
    assert config["models"]["brainlapse"]["network"]["patch"] == 2


def test_completing_twice_changes_nothing(config):
    assert study.complete(copy.deepcopy(config)) == config


def test_what_is_set_to_null_is_left_out():
    config = study.complete({**copy.deepcopy(CONFIG), "models": {**CONFIG["models"], "paper": None}})
    assert "paper" not in config["models"]


def test_a_row_with_weights_shares_the_network_and_not_the_sampling(config):
    plausible, expected = config["models"]["brainlapse_plausible"], config["models"]["brainlapse"]
    assert plausible["network"] == expected["network"]
    assert plausible["sampling"] != expected["sampling"]
    assert study.weights_of(config, "brainlapse_plausible") == "brainlapse"
    assert "brainlapse_plausible" not in study.trained(config)


def test_sampling_is_no_part_of_training(config):
    before = study.train_settings(config, "brainlapse")
    config["models"]["brainlapse"]["sampling"]["steps"] = 99
    assert study.train_settings(config, "brainlapse") == before


def test_how_training_is_computed_is_no_part_of_training(config):
    before = study.train_settings(config, "brainlapse")
    assert study.train_options(config) == (
        "--processes 1 --pictures 4 --volumes mapped --checkpoint-minutes 10"
    )
    config["train"] |= {"compile": True, "recompute": True, "checkpoint_minutes": 2.5}
    assert study.train_options(config).endswith("--checkpoint-minutes 2.5 --compile --recompute")
    assert study.train_settings(config, "brainlapse") == before


def test_the_command_line_takes_the_options_of_training_and_has_their_defaults(config):
    required = ["train", "--settings", "{}", "--out", "o", "--model", "m", "--pairs", "p", "--quality", "q"]
    spoken = _parser().parse_args([*required, *study.train_options(config).split()])
    assert spoken == _parser().parse_args(required)


def test_canonical_settings_do_not_depend_on_the_order():
    assert study.canonical({"a": 1, "b": {"c": 2, "d": 3}}) == study.canonical(
        {"b": {"d": 3, "c": 2}, "a": 1}
    )


def test_all_mistakes_are_told_at_once():
    with pytest.raises(Refused) as refusal:
        study.complete({**copy.deepcopy(CONFIG), "sed": 1, "grid": {"spacing_mm": "wide"}})
    assert "sed: unknown key; did you mean `seed`?" in str(refusal.value)
    assert "grid.spacing_mm: must be number" in str(refusal.value)


def test_a_rows_seed_is_its_trainings_alone(config):
    reseeded = copy.deepcopy(CONFIG)
    reseeded["models"]["gan"]["seed"] = 5
    reseeded = study.complete(reseeded)
    assert study.train_settings(reseeded, "gan")["seed"] == 5
    for model in config["models"]:
        assert model == "gan" or study.train_settings(reseeded, model) == study.train_settings(config, model)
        assert study.sample_settings(reseeded, model) == study.sample_settings(config, model)
    assert study.seed_groups(reseeded) == {}


def test_rows_that_differ_in_nothing_but_the_seed_are_a_group():
    gan = CONFIG["models"]["gan"]
    more = {
        "gan_1": {**gan, "seed": 1},
        "gan_again": {**gan, "seed": 0},
        "gan_longer": {**gan, "seed": 2, "l1": 1},
    }
    asked = {
        "plausible": {"weights": "gan", "sampling": {"draws": 9}},
        "plausible_1": {"weights": "gan_1", "sampling": {"draws": 9}},
    }
    config = study.complete({**copy.deepcopy(CONFIG), "models": {**CONFIG["models"], **more, **asked}})
    assert study.seed_groups(config) == {"gan": ["gan", "gan_1"], "plausible": ["plausible", "plausible_1"]}


def test_the_overlay_of_seeds_in_the_docs_makes_a_group():
    page = (PROJECT / "docs" / "evaluation.md").read_text(encoding="utf-8")
    _, _, text = page.partition("# seeds.yaml")
    overlay = yaml.safe_load("#" + text.partition("```")[0])
    config = study.complete(
        {**copy.deepcopy(CONFIG), "models": {**copy.deepcopy(CONFIG["models"]), **overlay["models"]}}
    )
    assert study.seed_groups(config) == {"gan": ["gan", "gan_1", "gan_2"]}


def test_a_study_of_external_cohorts_alone_has_nothing_to_learn_from():
    wrong = copy.deepcopy(CONFIG)
    for cohort in wrong["cohorts"].values():
        cohort["role"] = "external"
    with pytest.raises(Refused, match="cohorts: all have `role: external`"):
        study.complete(wrong)


@pytest.mark.parametrize(
    "row",
    [
        {"family": "average"},
        {"family": "flow"},
        {"family": "diffusion", "start": "usual"},
        {"family": "diffusion", "diffuse": "image", "predict": "x0"},
    ],
)
def test_a_pace_that_nothing_foretells_is_refused_before_the_training(row):
    models = {"drawn": {**row, "sampling": {"pace": "drawn"}}}
    with pytest.raises(Refused, match=r"models\.drawn\.sampling\.pace: drawn needs a pace"):
        study.complete({"cohorts": CONFIG["cohorts"], "models": models})
    models["drawn"] = {"family": "flow", "start": "paced", "sampling": {"pace": "drawn"}}
    assert study.complete({"cohorts": CONFIG["cohorts"], "models": models})


def test_an_ablation_is_left_out_with_any_of_its_rows(config):
    assert set(config["evaluate"]["ablations"]) == {"brainlapse", "paper"}
    without = study.complete({**copy.deepcopy(CONFIG), "models": {**CONFIG["models"], "no_source": None}})
    assert set(without["evaluate"]["ablations"]) == {"brainlapse"}
    assert study.complete(copy.deepcopy(without)) == without


def test_a_row_that_nobody_wrote_is_a_mistake_in_an_ablation():
    wrong = copy.deepcopy(CONFIG)
    wrong["evaluate"]["ablations"]["paper"]["no_source"] = "no_sourse"
    with pytest.raises(Refused, match=r"evaluate.ablations.paper.no_source: .*did you mean `no_source`"):
        study.complete(wrong)


@pytest.mark.parametrize("name", FAMILIES)
def test_schema_and_settings_of_a_family_agree(name):
    """The schema is what users read, the dataclasses what the family and the loop obey: none may drift."""
    cohorts = {"a": {"reader": "adni", "root": "x"}}
    row = study.complete({"cohorts": cohorts, "models": {"m": {"family": name}}})["models"]["m"]
    family = FAMILIES[name]
    training = {"steps": 1} if name == "average" else dataclasses.asdict(TrainingSettings())
    assert row.pop("training") == _plain(training)
    assert row.pop("sampling") == _plain(dataclasses.asdict(family.Sampling()))
    assert row.pop("family") == name
    assert row == _plain(dataclasses.asdict(family.Settings()))


def _plain(value):
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value
