"""A person is one person in every cohort, phase and spelling; different people stay different."""

import pytest

from brainlapse import config as study
from brainlapse.pairs.persons import person_of

RID_295 = [
    "002_S_0295", "sub-ADNI002S0295", "sub-adni002s0295", "002S0295", "130_S_0295", "RID 295", "RID_0295",
    "sub-RID295", "ADNI0295", "SUB-ADNI130S00295",
]  # fmt: skip


@pytest.mark.parametrize("spelling", RID_295)
@pytest.mark.parametrize("namespace", ["adni", "mine"])
def test_an_adni_person_is_their_rid(spelling, namespace):
    assert person_of(spelling, namespace) == "adni:295"


@pytest.mark.parametrize("number", ["295", "0295", "sub-0295", "295.0"])
def test_a_bare_number_is_a_rid_only_in_adni(number):
    assert person_of(number, "adni") == "adni:295"
    assert person_of(number, "aibl") == "aibl:295"


def test_oasis3_is_known_everywhere():
    assert person_of("OAS39001", "oasis3") == person_of("sub-OAS39001", "mine") == "oasis3:OAS39001"


@pytest.mark.parametrize("spelling", ["sub-P07a", "P07A", "p-07_a", " sub-p07A "])
def test_case_and_punctuation_do_not_count(spelling):
    assert person_of(spelling, "mine") == "mine:P07A"


DIFFERENT = [("002_S_0295", "002_S_10295"), ("P7", "P70"), ("OAS39001", "OAS39002"), ("Ä1", "Ö1"), ("-", "+")]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different_people_stay_different(one, other):
    assert person_of(one, "mine") != person_of(other, "mine")


def test_whose_ids_a_cohort_has_follows_from_its_reader_unless_the_config_says_it():
    readers = {"a": "adni", "b": "phantom", "c": "aibl", "d": "oasis3", "e": "bids"}
    cohorts = {name: {"reader": reader, "root": "x"} for name, reader in readers.items()}
    cohorts["copy"] = {"reader": "bids", "root": "x", "people": "adni"}
    config = study.complete({"cohorts": cohorts, "models": {"m": {"family": "regression"}}})
    expected = {"a": "adni", "b": "adni", "c": "aibl", "d": "oasis3", "e": "e", "copy": "adni"}
    assert study.pairs_settings(config)["people"] == expected
