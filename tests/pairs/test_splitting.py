"""Splits are exact, have the study's mix, depend on people and seed only, and hold while a study grows."""

import random
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from people import AMOUNTS, people, present, split

from brainlapse.pairs.splitting import Place

PAPER = {"train": 1125, "validation": 14, "test": "rest"}
COUNTS = {"train": 12, "validation": 3, "test": "rest"}
ROSTERS = st.sets(st.integers(1, 400), min_size=3, max_size=60)
MANY = settings(max_examples=60, deadline=None)


def counted(places: dict[str, Place]) -> Counter:
    return Counter(present(places).values())


def test_the_paper_has_its_1125_training_people():
    assert counted(split(people(range(1239)), PAPER)) == {"train": 1125, "validation": 14, "test": 100}


@MANY
@given(ROSTERS, st.integers(0, 9))
def test_the_order_of_the_rows_does_not_matter(numbers, seed):
    study = people(sorted(numbers))
    assert split(study, AMOUNTS, seed) == split(study.sample(frac=1, random_state=seed), AMOUNTS, seed)


def test_the_seed_does():
    study = people(range(60))
    assert present(split(study, AMOUNTS, 0)) != present(split(study, AMOUNTS, 1))


@MANY
@given(st.integers(30, 500), st.integers(0, 99))
def test_every_split_has_the_mix_of_diagnosis_sex_and_age(total, seed):
    study = people(range(total)).fillna({"diagnosis": "unknown"})
    study["decade"] = study["age_years"] // 10
    study["split"] = study.index.map(present(split(study, AMOUNTS, seed)))
    share = study["split"].value_counts() / total
    for strata in (["diagnosis"], ["diagnosis", "sex"], ["diagnosis", "sex", "decade"]):
        for _, stratum in study.groupby(strata):
            for one in share.index:
                assert abs((stratum["split"] == one).sum() - share[one] * len(stratum)) < 1.5


@MANY
@given(ROSTERS, ROSTERS, st.sampled_from([AMOUNTS, COUNTS, PAPER]))
def test_added_people_move_nobody(before, added, amounts):
    first = split(people(before), amounts)
    grown = split(people(before | added), amounts, remembered=first)
    assert present(first).items() <= present(grown).items()
    assert set(present(grown)) == set(people(before | added).index)


def runs(rosters) -> list[dict[str, Place]]:
    """The places after each run of a study whose people come and go."""
    places = [{}]
    for roster in rosters:
        places.append(split(people(roster), COUNTS, remembered=places[-1]))
    return places[1:]


@MANY
@given(st.lists(st.sets(st.integers(1, 40), min_size=18), min_size=2, max_size=5))
def test_counts_stay_exact_while_people_leave_and_come_back(rosters):
    rosters = [set().union(*rosters), *rosters]
    for roster, places in zip(rosters, runs(rosters), strict=True):
        assert counted(places) == {"train": 12, "validation": 3, "test": len(roster) - 15}


@MANY
@given(st.lists(st.sets(st.integers(1, 60), min_size=18, max_size=50), min_size=2, max_size=5))
def test_nobody_moves_to_a_later_split_but_back_to_their_own(rosters):
    order = ["train", "validation", "test"]
    places = runs(rosters)
    for before, after in pairwise(places):
        for person, place in before.items():
            down = order.index(after[person].split) > order.index(place.split)
            assert not down or after[person].split == place.was


@MANY
@given(st.sets(st.integers(1, 60), min_size=20, max_size=50), st.data())
def test_who_comes_back_finds_the_study_as_it_was(numbers, data):
    gone = data.draw(st.sets(st.sampled_from(sorted(numbers)), max_size=len(numbers) - 18))
    first = split(people(numbers), COUNTS)
    without = split(people(numbers - gone), COUNTS, remembered=first)
    assert split(people(numbers), COUNTS, remembered=without) == first


def test_a_newcomer_fills_the_place_of_one_who_left():
    first = split(people(range(20)), COUNTS)
    trained = next(int(person[5:]) for person, where in present(first).items() if where == "train")
    now = present(split(people({*range(20), 99} - {trained}), COUNTS, remembered=first))
    assert now["adni:99"] == "train"
    assert {person: where for person, where in present(first).items() if person in now}.items() <= now.items()


def test_without_a_newcomer_one_of_the_test_people_moves_up():
    first = split(people(range(20)), COUNTS)
    trained = next(int(person[5:]) for person, where in present(first).items() if where == "train")
    now = split(people(set(range(20)) - {trained}), COUNTS, remembered=first)
    moved = {p: place for p, place in now.items() if place.here and place.split != first[p].split}
    assert list(moved.values()) == [Place("train", was="test")]
    later = split(people(set(range(21)) - {trained}), COUNTS, remembered=now)
    assert present(now).items() <= present(later).items()


def test_counts_that_cannot_be_kept_without_moving_people_are_told(caplog):
    first = split(people(range(20)), {"train": "rest", "validation": 3, "test": 5})
    tested = next(int(person[5:]) for person, where in present(first).items() if where == "test")
    now = split(people(set(range(20)) - {tested}), {"train": "rest", "validation": 3, "test": 5}, 0, first)
    assert counted(now)["test"] == 4
    assert "those who were there keep their split" in caplog.text


@pytest.mark.parametrize("seed", range(3))
def test_nothing_but_people_and_seed_decides_without_a_memory(seed):
    """Not even what the table holds beside them."""
    study = people(range(50))
    more = study.assign(note=[random.random() for _ in range(50)])
    assert split(study, AMOUNTS, seed) == split(more, AMOUNTS, seed)
