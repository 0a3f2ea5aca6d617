"""What a user gets wrong is told in a sentence that names the key, and Snakemake exits with an error."""

import copy

import pytest
from study import TINY, Study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return Study(tmp_path_factory.mktemp("mistakes"), TINY)


def changed(path: str, value) -> dict:
    config = copy.deepcopy(TINY)
    *parents, last = path.split(".")
    inner = config
    for key in parents:
        inner = inner[key]
    inner[last] = value
    return config


MISTAKES = [
    ("grdi", {}, "grdi: unknown key; did you mean `grid`?"),
    ("models.brainlapse.predcit", "x0", "models.brainlapse.predcit: unknown key; did you mean `predict`?"),
    (
        "models.brainlapse.training.learning_rate",
        "1e-4",
        "models.brainlapse.training.learning_rate: must be number",
    ),
    ("models.brainlapse.training.steps", "many", "must be integer, not the text 'many'"),
    ("models.brainlapse.family", "difusion", "family: 'difusion' is not one of average, diffusion"),
    ("models.other", {"weights": "brainlaps"}, "did you mean `brainlapse`?"),
    ("models.copy", {"family": "regression"}, "this name is taken"),
    ("cohorts.adni.reader", "adnii", "'adnii' is not one of adni"),
    ("preprocess.brain", "ant", "'ant' is not one of ants"),
]


def refusal_of(study) -> str:
    """What a dry run prints before it gives up, without a stack trace."""
    answer = study.snakemake("--dry-run")
    said = answer.stdout + answer.stderr
    assert answer.returncode != 0
    assert "Traceback (most recent call last)" not in said
    return said


@pytest.mark.parametrize(("path", "value", "message"), MISTAKES)
def test_a_wrong_key_or_value_is_named(study, path, value, message):
    study.configure(changed(path, value))
    said = refusal_of(study)
    assert "config.yaml: the configuration has mistakes" in said
    assert message in said


def test_a_study_without_data_says_where_they_should_lie(study):
    study.configure(TINY)
    said = refusal_of(study)
    assert "cohorts.adni.root: there are no data in data/adni" in said
    assert "make demo" in said
