"""Pairs run forward in time, within the limits, with the history before the source."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brainlapse.pairs.pairing import pair_up


def scans(days: list[int], tesla: float | list[float | None] = 3.0) -> pd.DataFrame:
    ids = [f"I{i}" for i in range(len(days))]
    about = {"age_years": [60.0 + day / 365.25 for day in days], "sex": "F", "diagnosis": None}
    about |= {"field_strength_t": tesla}
    return pd.DataFrame({"cohort": "a", "subject": "s", "scan": ids, "days": days} | about)


def ends(pairs: pd.DataFrame) -> set[tuple[str, str]]:
    return set(zip(pairs["source_scan"], pairs["target_scan"], strict=True))


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=7, unique=True), st.integers(0, 3))
def test_pairs_are_those_and_only_those_within_the_limits(days, history):
    pairs = pair_up(scans(days), 0.4, 8, history)
    day = dict(zip(scans(days)["scan"], days, strict=True))
    gaps = pairs["target_scan"].map(day) - pairs["source_scan"].map(day)
    assert ((gaps / 365.25) == pairs["interval_years"]).all()
    expected = sum(0.4 <= (b - a) / 365.25 <= 8 for a in days for b in days)
    assert len(pairs) == expected
    for pair in pairs.itertuples():
        earlier = pair.history.split(",") if isinstance(pair.history, str) else []
        past = [day[scan] for scan in earlier]
        assert len(past) <= history
        assert past == sorted(past, reverse=True) and all(d < day[pair.source_scan] for d in past)
        told = pair.history_years.split(",") if past else []
        assert [float(years) for years in told] == pytest.approx(
            [(day[pair.source_scan] - d) / 365.25 for d in past], abs=1e-4
        )


def test_an_interval_is_calendar_days_over_365_25():
    pairs = pair_up(scans([0, 731]), 0.4, 8, 3)
    assert pairs["interval_years"].item() == 731 / 365.25


def test_nobody_is_paired_with_somebody_else():
    two = pd.concat([scans([0, 400]), scans([0, 400]).assign(subject="t", scan=["J0", "J1"])])
    pairs = pair_up(two, 0.4, 8, 3)
    assert ends(pairs) == {("I0", "I1"), ("J0", "J1")}


def test_what_is_known_of_the_person_is_what_was_known_at_the_source():
    visits = scans([0, 400, 900]).assign(diagnosis=["CN", "MCI", None])
    pairs = pair_up(visits, 0.4, 8, history=0).set_index(["source_scan", "target_scan"])
    assert pairs.loc[("I0", "I2"), "diagnosis"] == "CN" and pairs.loc[("I1", "I2"), "diagnosis"] == "MCI"
    assert pairs.loc[("I1", "I2"), "age_years"] == 60 + 400 / 365.25


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=7))
def test_time_passes_in_every_pair(days):
    pairs = pair_up(scans(days), 0, 9, 3)
    assert (pairs["interval_years"] > 0).all()
    assert len(pairs) == sum(a < b for a in days for b in days)


TESLA = st.sampled_from([None, 1.494, 1.5, 2.89, 3.0])


@given(st.lists(TESLA, min_size=1, max_size=6), st.integers(0, 3))
def test_scans_of_different_field_strength_make_no_pair_and_no_history(tesla, history):
    visits = scans([400 * n for n in range(len(tesla))], tesla)
    field = {f"I{n}": value and round(value, 0 if value > 2 else 1) for n, value in enumerate(tesla)}
    pairs = pair_up(visits, 0.4, 8, history)
    for pair in pairs.itertuples():
        past = pair.history.split(",") if isinstance(pair.history, str) else []
        for other in (pair.target_scan, *past):
            assert None in (field[pair.source_scan], field[other]) or field[pair.source_scan] == field[other]
    assert len(pairs) == sum(
        None in (field[a], field[b]) or field[a] == field[b] for a in field for b in field if a < b
    )
    assert len(pair_up(visits, 0.4, 8, history, "any")) == len(tesla) * (len(tesla) - 1) // 2


def test_history_skips_another_field_strength():
    pairs = pair_up(scans([0, 400, 800, 1200], [3.0, 1.5, 2.89, 3.0]), 0.4, 8, 3)
    assert pairs.set_index("source_scan").loc["I2", "history"] == "I0"
