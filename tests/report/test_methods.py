"""The Methods paragraph says what the settings and the tables say, whatever they are."""

import copy

import pytest
import yaml

from brainlapse import config as study_config
from brainlapse.report.methods import methods
from brainlapse.report.model_card import model_card
from brainlapse.report.study import Study
from toy_study import COHORT


@pytest.fixture(scope="module")
def study(scored):
    return Study(scored)


@pytest.fixture
def config():
    """config.yaml as it is delivered, complete, on the toy cohort."""
    path = study_config.SCHEMA.parents[2] / "config.yaml"
    written = yaml.safe_load(path.read_text(encoding="utf-8"))
    written["cohorts"] = {COHORT: {"reader": "phantom", "root": "r"}}
    return study_config.complete(written)


def test_counts_and_settings_are_those_of_the_study(study, config):
    text = " ".join(methods(study, config))
    for said in (
        "24 T1-weighted scans of 8 people from a synthetic cohort", "6 people with 18 pairs for training",
        "2 people with 6 pairs for testing", "128 × 160 × 128 voxels of 1.4 mm", "0.4 to 8 years",
        "2,000 draws", "6 follow-ups of 2 people",
    ):  # fmt: skip
        assert said in text
    assert "validation" not in text  # nobody is in it


def test_every_row_of_the_config_is_described(study, config):
    text = " ".join(methods(study, config))
    assert all(f"{name} (" in text for name in config["models"])
    paper = "paper (diffusion; predicting epsilon; told source, interval; 300,000 steps of 1 pair"
    assert f"{paper}, learning rate 0.001" in text
    assert "brainlapse_plausible (the network of brainlapse, sampled in 1 step, 4 draws, at paces" in text
    assert "sampled in 4 steps (euler)" in text


def test_an_edit_of_the_settings_is_an_edit_of_the_text(study, config):
    other = copy.deepcopy(config)
    other["preprocess"]["brain"], other["evaluate"]["bootstrap"] = "none", 77
    before, after = (" ".join(methods(study, one)) for one in (config, other))
    assert "with ANTs" in before and "had been stripped before" in after and "(77 draws)" in after


def test_without_results_there_is_no_claim(tmp_path):
    assert methods(Study(tmp_path), {}) == []
    assert model_card(Study(tmp_path), {}, "brainlapse") == []


def test_the_card_has_the_papers_headings_and_the_studys_people(study, config):
    card = dict(model_card(study, config, "brainlapse"))
    assert list(card)[:2] == ["Model details", "Intended use"] and "Ethical considerations" in card
    assert "6 people of toy; 18 pairs" in card["Training data"]
    assert "2 people of toy; 6 pairs" in card["Evaluation data"]
