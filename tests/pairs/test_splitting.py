"""Splits add up, keep the mix of diagnoses, and depend on the seed and the people only."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brainlapse.errors import Refused
from brainlapse.pairs.leakage import check_no_leakage, person_of
from brainlapse.pairs.splitting import split_counts, split_subjects

COUNTS = {"train": 1125, "validation": 14, "test": "rest"}


def people(number: int) -> pd.DataFrame:
    diagnoses = (["CN"] * 3 + ["MCI"] * 2 + ["AD"]) * number
    return pd.DataFrame(
        {
            "cohort": "adni",
            "subject": [f"{i:03d}_S_{i:04d}" for i in range(number)],
            "diagnosis": diagnoses[:number],
            "external": False,
        }
    )


def test_the_paper_has_its_1125_training_subjects():
    splits = split_subjects(people(1239), COUNTS, seed=0)
    assert splits["split"].value_counts().to_dict() == {"train": 1125, "validation": 14, "test": 100}


@given(st.integers(3, 400))
def test_a_smaller_study_is_split_in_proportion(total):
    counts = split_counts(total, COUNTS)
    assert sum(counts.values()) == total
    assert counts["train"] >= 1 and counts["test"] >= 1 and counts["validation"] >= 0


@given(st.integers(30, 300), st.integers(0, 5))
def test_every_split_has_the_mix_of_diagnoses(total, seed):
    amounts = {"train": 0.7, "validation": 0.1, "test": "rest"}
    study = people(total)
    splits = split_subjects(study, amounts, seed).merge(study)
    for _, members in splits.groupby("split"):
        share = (members["diagnosis"] == "CN").mean()
        assert abs(share - (study["diagnosis"] == "CN").mean()) <= 2 / len(members)


def test_row_order_does_not_matter_but_the_seed_does():
    study = people(60)
    amounts = {"train": 40, "validation": 5, "test": "rest"}
    first = split_subjects(study, amounts, seed=0)
    pd.testing.assert_frame_equal(
        first, split_subjects(study.sample(frac=1, random_state=1), amounts, seed=0)
    )
    assert not first.equals(split_subjects(study, amounts, seed=1))


def test_an_external_cohort_is_all_test():
    study = pd.concat([people(20), people(5).assign(cohort="oasis3", external=True)])
    splits = split_subjects(study, {"train": 15, "validation": 2, "test": "rest"}, seed=0)
    assert set(splits[splits["cohort"] == "oasis3"]["split"]) == {"test"}


def test_two_rests_are_refused():
    with pytest.raises(Refused, match="exactly one"):
        split_counts(10, {"train": "rest", "validation": "rest", "test": 2})


@pytest.mark.parametrize("other", ["sub-ADNI002S0295", "002_S_0295", "002S0295", "sub-002S0295"])
def test_one_person_in_two_splits_is_refused_in_any_spelling(other):
    splits = pd.DataFrame(
        {"cohort": ["adni", "bids"], "subject": ["002_S_0295", other], "split": ["train", "test"]}
    )
    with pytest.raises(Refused, match=r"two splits.*002_S_0295 of adni in train"):
        check_no_leakage(splits, splits.iloc[:0])


def test_a_pair_in_a_wrong_split_is_refused():
    splits = pd.DataFrame({"cohort": ["a"], "subject": ["1"], "split": ["train"]})
    with pytest.raises(Refused, match="another split than its person"):
        check_no_leakage(splits, splits.assign(split="test"))


def test_different_people_stay_different():
    assert person_of("002_S_0295") != person_of("002_S_10295")
