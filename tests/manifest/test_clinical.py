"""The clinical visit nearest to a scan: by person and day, in a window, in whatever order the rows are."""

import logging
import time
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brainlapse.manifest.clinical import nearest


def visits_of(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["subject", "when", "diagnosis"])


def diagnosis_at(when, visits: pd.DataFrame, window_days: int = 100, subject: str = "a"):
    scans = pd.DataFrame({"subject": [subject], "when": [when]})
    found = nearest(scans, visits, window_days)["diagnosis"].iloc[0]
    return None if pd.isna(found) else found


VISITS = visits_of(("a", 0, "CN"), ("a", 100, "MCI"), ("a", 400, "AD"), ("b", 390, "CN"))


@pytest.mark.parametrize(
    ("when", "expected"),
    [(-101, None), (-100, "CN"), (49, "CN"), (50, "CN"), (51, "MCI"), (200, "MCI"), (201, None), (391, "AD")],
)
def test_the_nearest_visit_in_the_window_counts_and_of_a_tie_the_earlier(when, expected):
    assert diagnosis_at(when, VISITS) == expected


def test_a_visit_without_the_fact_is_passed_over_for_that_fact_only():
    visits = pd.DataFrame(
        {"subject": ["a", "a"], "when": [0, 10], "diagnosis": ["CN", None], "score": [np.nan, 27.0]}
    )
    found = nearest(pd.DataFrame({"subject": ["a"], "when": [11]}), visits, 50)
    assert found.loc[0, "diagnosis"] == "CN"
    assert found.loc[0, "score"] == 27.0


def test_a_day_with_two_values_has_none_and_is_told(caplog):
    day = date(2011, 5, 6).toordinal()
    visits = visits_of(
        ("a", day, "MCI"), ("a", day, "AD"), ("a", day + 9, "CN"), ("b", 7, "CN"), ("b", 7, "CN")
    )
    with caplog.at_level(logging.WARNING):
        assert diagnosis_at(day, visits) == "CN"
        assert diagnosis_at(7, visits, subject="b") == "CN"
    assert "1 days, first of a, 2011-05-06" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        assert diagnosis_at(8, visits_of(("a", 8, "MCI"), ("a", 8, "AD"))) is None
    assert "first of a, day 8" in caplog.text


def test_a_scan_without_day_or_person_has_no_facts_and_the_index_is_the_scans():
    scans = pd.DataFrame({"subject": ["a", None, "a", "c"], "when": [np.nan, 0, 0, 0]}, index=[9, 9, 4, 2])
    found = nearest(scans, VISITS, 10)
    assert list(found.index) == [9, 9, 4, 2]
    assert list(found["diagnosis"].notna()) == [False, False, True, False]


@pytest.mark.parametrize("scans", [[], ["a"]])
def test_no_visits_and_no_scans_are_no_mistake(scans):
    found = nearest(pd.DataFrame({"subject": scans, "when": [0.0] * len(scans)}), visits_of(), 10)
    assert list(found.columns) == ["diagnosis"] and len(found) == len(scans)
    assert found["diagnosis"].isna().all()


PEOPLE = st.sampled_from("ab")
DAYS = st.integers(-20, 20)


@given(
    scans=st.lists(st.tuples(PEOPLE, DAYS), min_size=1, max_size=6),
    visits=st.lists(st.tuples(PEOPLE, DAYS, st.sampled_from(["CN", "MCI", None])), max_size=8),
    window=st.integers(0, 15),
    seed=st.integers(0, 9),
)
def test_it_is_what_looking_at_every_visit_finds_in_any_order(scans, visits, window, seed):
    expected = [by_hand(subject, when, visits, window) for subject, when in scans]
    frame = pd.DataFrame(scans, columns=["subject", "when"]).sample(frac=1, random_state=seed)
    found = nearest(frame, visits_of(*visits).sample(frac=1, random_state=seed), window)["diagnosis"]
    assert [None if pd.isna(value) else value for value in found.sort_index()] == expected


def by_hand(subject: str, when: int, visits: list, window: int) -> str | None:
    told: dict[int, set] = {}
    for person, day, diagnosis in visits:
        if person == subject and diagnosis is not None:
            told.setdefault(day, set()).add(diagnosis)
    days = [day for day, values in told.items() if len(values) == 1 and abs(day - when) <= window]
    return min(told[min(days, key=lambda day: (abs(day - when), day))]) if days else None


def test_a_hundred_thousand_scans_take_no_time():
    draw = np.random.default_rng(0)
    people = np.array([f"{number:05d}" for number in range(20_000)])
    scans = pd.DataFrame({"subject": draw.choice(people, 100_000), "when": draw.integers(0, 4000, 100_000)})
    visits = pd.DataFrame(
        {
            "subject": draw.choice(people, 50_000),
            "when": draw.integers(0, 4000, 50_000),
            "diagnosis": draw.choice(["CN", "MCI", "AD"], 50_000),
        }
    )
    began = time.process_time()
    nearest(scans, visits, 183)
    assert time.process_time() - began < 1
