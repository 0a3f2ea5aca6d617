"""Nobody is in two splits, in whatever spelling, and no pair leaves its person."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brainlapse.errors import Refused
from brainlapse.pairs.leakage import check_no_leakage
from brainlapse.pairs.persons import persons

PEOPLE_OF = {"adni": "adni", "copy": "adni", "mine": "mine"}
IDS = st.sampled_from(
    ["002_S_0295", "130_S_0295", "295", "sub-ADNI002S0295", "OAS39001", "sub-OAS39001", "P1"]
)
ROWS = st.tuples(st.sampled_from(["adni", "copy", "mine"]), IDS, st.sampled_from(["train", "test"]))


def table(rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["cohort", "subject", "split"]).astype(object)


@given(st.lists(ROWS, max_size=8, unique_by=lambda row: row[:2]))
def test_a_table_passes_if_and_only_if_each_person_has_one_split(rows):
    splits = table(rows)
    of = splits.assign(person=persons(splits, PEOPLE_OF)).groupby("person")["split"].nunique()
    if (of <= 1).all():
        check_no_leakage(splits, splits, PEOPLE_OF)
    else:
        with pytest.raises(Refused, match="the same person is in two splits"):
            check_no_leakage(splits, splits, PEOPLE_OF)


@pytest.mark.parametrize("other", ["sub-ADNI002S0295", "130_S_0295", "sub-0295"])
def test_both_spellings_are_named(other):
    splits = table([("adni", "002_S_0295", "train"), ("copy", other, "test")])
    with pytest.raises(Refused, match=f"two splits: 002_S_0295 of adni in train, {other} of copy in test"):
        check_no_leakage(splits, splits.iloc[:0], PEOPLE_OF)


def test_a_number_in_a_cohort_of_its_own_is_somebody_else():
    splits = table([("adni", "002_S_0295", "train"), ("mine", "295", "test")])
    check_no_leakage(splits, splits, PEOPLE_OF)


def test_a_pair_in_a_wrong_split_is_refused():
    splits = table([("mine", "1", "train")])
    with pytest.raises(Refused, match="another split than its person"):
        check_no_leakage(splits, splits.assign(split="test"), PEOPLE_OF)
