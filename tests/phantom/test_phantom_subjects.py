"""The invented people: balanced, irregular, and each one independent of how many there are."""

import re

import numpy as np
import pytest

from brainlapse.phantom.subjects import (
    DAYS_A_YEAR,
    LONGEST_FOLLOWUP_YEARS,
    RATES,
    SHORTEST_GAP_YEARS,
    draw_anatomy,
    draw_subject,
    stream,
)
from brainlapse.tables import DIAGNOSES

PEOPLE = [draw_subject(0, number) for number in range(300)]


def test_diagnoses_are_balanced_and_ids_are_unique_and_not_of_adni():
    assert [sum(p.diagnosis == d for p in PEOPLE) for d in DIAGNOSES] == [100, 100, 100]
    assert len({p.ptid for p in PEOPLE}) == len(PEOPLE)
    assert all(re.fullmatch(r"9[78]\d_S_(\d{4}|1\d{4})", p.ptid) for p in PEOPLE)
    assert any(len(p.ptid) == 11 for p in PEOPLE)


def test_visits_are_irregular_and_some_people_come_once():
    gaps = [b.years - a.years for p in PEOPLE for a, b in zip(p.visits, p.visits[1:], strict=False)]
    lengths = [p.visits[-1].years for p in PEOPLE]
    assert min(gaps) >= SHORTEST_GAP_YEARS
    assert max(lengths) <= LONGEST_FOLLOWUP_YEARS + 3 / DAYS_A_YEAR  # each gap is rounded up to a whole day
    assert len({round(gap, 3) for gap in gaps}) > len(gaps) / 2
    assert {len(p.visits) for p in PEOPLE} == {1, 2, 3, 4}


def test_people_of_a_group_age_at_the_groups_rate():
    for diagnosis in DIAGNOSES:
        group = [p for p in PEOPLE if p.diagnosis == diagnosis]
        rates = np.expm1([p.log_volumes(1) - p.log_volumes(0) for p in group])
        np.testing.assert_allclose(rates.mean(axis=0), RATES[diagnosis], rtol=0.06)
        assert 0.15 < np.std([p.pace for p in group]) < 0.25


def test_the_baseline_tells_something_about_the_rate_and_not_everything():
    hippocampus = np.array([(p.log_volumes(0)[1], p.log_volumes(1)[1] - p.log_volumes(0)[1]) for p in PEOPLE])
    assert 0.5 < np.corrcoef(hippocampus.T)[0, 1] < 0.95


def test_anatomies_differ_between_people_and_not_between_calls():
    one, again, other = (draw_anatomy(0, PEOPLE[n]) for n in (0, 0, 1))
    np.testing.assert_array_equal(one.displacement, again.displacement)
    assert np.abs(one.displacement - other.displacement).max() > 2


@pytest.mark.parametrize("key", [(3,), (3, 0), (3, 0, 0), (0, 3)])
def test_streams_of_different_names_differ(key):
    others = {(3,), (3, 0), (3, 0, 0), (0, 3)} - {key}
    mine = stream(0, *key).random()
    assert all(stream(0, *other).random() != mine for other in others)
    assert stream(1, *key).random() != mine
