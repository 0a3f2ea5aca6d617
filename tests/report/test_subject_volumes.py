"""What a person's page says of volumes: the usual error is that of others, and grows with the years."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from brainlapse.report.subject_volumes import UsualError, predicted_volumes, usual_errors, volume_table
from brainlapse.tables import SCORES

RATE_ERROR = "volume_rate_error_percent_per_year"


def scores(rows: list[dict]) -> pd.DataFrame:
    usual = {"model": "m", "cohort": "c", "split": "test", "region": "ventricles"}
    return pd.DataFrame([usual | row for row in rows]).reindex(columns=SCORES.names)


def people_with(noise: float, rate: float, people: int = 400) -> pd.DataFrame:
    """Everybody's predictions are off by scan noise and by a rate, both drawn from normal distributions."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(people):
        off = rng.normal(0, rate)
        for years in rng.uniform(0.5, 6, 4):
            error = abs(rng.normal(0, noise) + off * years) / years
            rows.append({"subject": f"{number}", "request": f"{number}_{years}", "interval_years": years,
                         "metric": RATE_ERROR, "value": error})  # fmt: skip
    return scores(rows)


def test_scan_noise_and_the_error_of_the_rate_are_told_apart():
    errors, people = usual_errors(people_with(2.0, 0.8), "nobody")
    assert people == 400
    assert errors["ventricles"].scan_noise == pytest.approx(2.0, rel=0.15)
    assert errors["ventricles"].per_year == pytest.approx(0.8, rel=0.15)


def test_the_error_never_shrinks_with_the_years():
    error = UsualError(1.5, 0.4)
    told = [error.after(years) for years in (0, 1, 2, 5)]
    assert told[0] == 1.5 and told == sorted(told)


def test_a_persons_own_future_is_not_looked_at():
    known = people_with(1.0, 0.5, people=6)
    wild = known.copy()
    wild.loc[wild["subject"] == "3", "value"] *= 1000
    assert usual_errors(wild, "3") == usual_errors(known, "3")
    assert usual_errors(wild, "2") != usual_errors(known, "2")


def test_an_error_of_a_handful_of_people_is_not_told():
    known = people_with(1.0, 0.5, people=3)
    assert usual_errors(known, "0") == ({}, 2)
    assert usual_errors(known.assign(value=np.nan), "0") == ({}, 0)


def drawn(count: float | None = None, spread: float | None = None) -> pd.DataFrame:
    asked = {"subject": "s", "request": "s_2y", "interval_years": 2.0}
    rows = [asked | {"metric": "volume_change_percent", "value": 8.0}]
    if count is not None:
        rows.append(asked | {"region": "brain", "metric": "draws", "value": count})
        rows.append(asked | {"metric": "volume_change_spread_percent", "value": spread})
    return scores(rows)


def test_draws_make_an_interval_and_a_single_draw_makes_none():
    several = predicted_volumes(drawn(4.0, 1.5), pd.Series(["s_2y"])).iloc[0]
    assert several["half_width"] == pytest.approx(stats.t.ppf(0.975, 3) * 1.5 * np.sqrt(1.25))
    single = predicted_volumes(drawn(), pd.Series(["s_2y"])).iloc[0]
    assert single["value"] == 8.0 and np.isnan(single["half_width"])


def test_what_was_not_asked_is_not_shown():
    assert predicted_volumes(drawn(), pd.Series(["another"])).empty
    assert volume_table(predicted_volumes(drawn(), pd.Series(["another"])), {}, 0, "m") is None


def test_the_table_tells_both_errors_apart():
    predicted = predicted_volumes(drawn(4.0, 1.5), pd.Series(["s_2y"]))
    table = volume_table(predicted, {"ventricles": UsualError(3.0, 2.0)}, 6, "m")
    ((value, small),) = table.rows[0].cells
    assert (table.rows[0].name, value, small) == ("2 years", "+8.0", "± 5.0; draws ± 5.3")
    assert "over 6 others" in table.caption and "draws" in table.caption
    table = volume_table(predicted_volumes(drawn(), pd.Series(["s_2y"])), {}, 2, "m")
    assert table.rows[0].cells == [("+8.0", "")] and "here 2" in table.caption
