"""Counts add up, a small study is split in proportion, and a user's table comes before the config."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brainlapse.errors import Refused
from brainlapse.pairs.amounts import SPLITS, places_left, split_counts

PAPER = {"train": 1125, "validation": 14, "test": "rest"}


@given(st.integers(3, 400))
def test_a_smaller_study_is_split_in_proportion(total):
    counts = split_counts(total, PAPER)
    assert sum(counts.values()) == total
    assert counts["train"] >= 1 and counts["test"] >= 1 and counts["validation"] >= 0


@given(st.integers(20, 3000))
def test_fractions_are_rounded_and_the_rest_is_left(total):
    counts = split_counts(total, {"train": 0.8, "validation": 0.05, "test": "rest"})
    assert counts["train"] == round(0.8 * total) and sum(counts.values()) == total


@pytest.mark.parametrize(
    "amounts",
    [{"train": "rest", "validation": "rest", "test": 2}, {"train": 3, "validation": 3, "test": 2}],
)
def test_no_rest_or_two_are_refused(amounts):
    with pytest.raises(Refused, match="exactly one"):
        split_counts(10, amounts)


@given(st.lists(st.sampled_from(SPLITS), max_size=40), st.sampled_from([PAPER, {**PAPER, "train": 10}]))
def test_what_a_table_leaves_is_for_those_it_does_not_name(named, amounts):
    left = places_left(split_counts(40, amounts), Counter(named), amounts)
    assert sum(left.values()) == 40 - len(named) and min(left.values()) >= 0


def test_a_table_that_gives_more_than_was_asked_counts(caplog):
    counts = {"train": 10, "validation": 2, "test": 8}
    left = places_left(counts, Counter(train=13), {"train": 10, "validation": 2, "test": "rest"})
    assert left == {"train": 0, "validation": 2, "test": 5}
    assert "'train': 13" in caplog.text
