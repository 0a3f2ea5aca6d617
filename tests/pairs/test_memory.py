"""What is remembered comes back, one memory leaves the others alone, and a broken one is told."""

import pytest

from brainlapse.errors import Refused
from brainlapse.pairs.memory import asked, recall, remember
from brainlapse.pairs.splitting import Place

AMOUNTS = {"train": 1125, "validation": 0.1, "test": "rest", "file": "mine.csv"}
PLACES = {"adni:1": Place("train", was="test"), "mine:P7": Place("test", here=False)}


def test_what_is_remembered_comes_back(tmp_path):
    assert recall(tmp_path, "a") == {}
    remember(tmp_path, "a", PLACES)
    assert recall(tmp_path, "a") == PLACES


def test_other_seeds_and_amounts_are_left_alone(tmp_path):
    remember(tmp_path, "a", PLACES)
    remember(tmp_path, "b", {"adni:1": Place("validation")})
    remember(tmp_path, "b", {"adni:2": Place("test")})
    assert recall(tmp_path, "a") == PLACES
    assert recall(tmp_path, "b") == {"adni:2": Place("test")}


def test_a_memory_belongs_to_seed_and_amounts():
    assert asked(3, AMOUNTS) == "seed 3, train 1125, validation 0.1, test rest"


def test_a_memory_that_breaks_its_promise_says_what_it_is_for(tmp_path):
    remember(tmp_path, "a", PLACES)
    file = tmp_path / "splits_memory.tsv"
    file.write_text(file.read_text().replace("train", "trian"))
    with pytest.raises(Refused, match=r"line 2, column split: must be one of.*remove it to deal"):
        recall(tmp_path, "a")
