"""What every reader of COHORTS promises, whatever study it reads."""

from pathlib import Path

import pytest
import yaml

from brainlapse import config as study
from brainlapse.errors import Refused
from brainlapse.manifest import COHORTS, DEFAULTS

PROJECT = Path(__file__).parents[2]


def test_the_schema_offers_the_readers_that_there_are():
    schema = yaml.safe_load(study.SCHEMA.read_text(encoding="utf-8"))
    reader = schema["properties"]["cohorts"]["additionalProperties"]["properties"]["reader"]
    assert set(reader["enum"]) == set(COHORTS)


def test_what_a_command_may_leave_out_is_what_the_config_would_say():
    cohorts, models = {"c": {"reader": "adni", "root": "r"}}, {"m": {"family": "regression"}}
    config = study.complete({"cohorts": cohorts, "models": models})
    said = study.manifest_settings(config, "c")
    assert {key: said[key] for key in DEFAULTS} == DEFAULTS


@pytest.mark.parametrize("reader", COHORTS)
def test_a_folder_that_holds_nothing_of_the_study_is_refused_in_words(run, tmp_path, reader):
    root = tmp_path / "empty"
    root.mkdir()
    (root / "notes.txt").write_text("nothing of use\n")
    with pytest.raises(Refused, match=str(root)):
        run(root, reader=reader)


@pytest.mark.parametrize("reader", COHORTS)
def test_the_docs_say_what_to_download(reader):
    said = (PROJECT / "docs" / "data.md").read_text(encoding="utf-8")
    assert reader == "phantom" or f"`reader: {reader}`" in said
