"""Comparisons are paired, count people once, and leave sweep and judged requests apart."""

import numpy as np
import pandas as pd
import pytest

from brainlapse.evaluate.calibration import slope_and_pearson
from brainlapse.evaluate.comparing import comparisons
from brainlapse.evaluate.sweep import sweep_scores


def row(model, subject, request, value, metric="ssim_brain", region="brain", years=1.0):
    return {
        "model": model, "cohort": "c", "split": "test", "subject": subject, "request": request,
        "interval_years": years, "region": region, "metric": metric, "value": value,
    }  # fmt: skip


def scores(repeats=1, subjects=12):
    """`ours` is 0.1 better than `copy` on every request, whatever the request's difficulty."""
    rng = np.random.default_rng(0)
    rows = []
    for subject in range(subjects):
        base = rng.uniform(0.5, 0.9)
        for repeat in range(repeats):
            for model, more in (("copy", 0.0), ("ours", 0.1)):
                named = (model, f"s{subject}", f"s{subject}_{repeat}")
                rows.append(row(*named, base + more))
                rows.append(row(*named, 20.0, "true_volume_ml", "ventricles"))
    return pd.DataFrame(rows)


def found(table, model, metric):
    rows = table[(table["model"] == model) & (table["metric"] == metric)]
    assert len(rows) == 1
    return rows.iloc[0]


def test_the_gain_is_paired():
    ours = found(comparisons(scores(), 200, 0), "ours", "ssim_brain")
    assert ours[["gain", "gain_low", "gain_high"]].tolist() == pytest.approx([0.1, 0.1, 0.1])
    assert ours["value_high"] - ours["value_low"] > 0.05
    assert (ours["subjects"], ours["requests"]) == (12, 12)


def test_repeating_the_requests_of_a_subject_does_not_narrow_the_interval():
    columns = ["value", "value_low", "value_high"]
    once, often = (found(comparisons(scores(n), 200, 0), "ours", "ssim_brain") for n in (1, 9))
    assert often[columns].tolist() == pytest.approx(once[columns].tolist())
    assert often["requests"] == 9 * once["requests"]


def test_an_undefined_score_is_left_out_and_seen_in_the_count():
    table = scores()
    table.loc[(table["model"] == "ours") & (table["subject"] == "s0"), "value"] = np.nan
    assert found(comparisons(table, 200, 0), "ours", "ssim_brain")["subjects"] == 11


def test_without_copy_there_is_a_value_and_no_gain():
    table = scores()
    ours = found(comparisons(table[table["model"] != "copy"], 200, 0), "ours", "ssim_brain")
    assert np.isfinite(ours["value"]) and np.isnan(ours["gain"])


@pytest.mark.parametrize(
    ("answers", "rate", "monotone"),
    [
        ((2, 4, 6, 10), 2.0, 1.0),
        ((-1, -2, -3, -5), -1.0, 1.0),
        ((2, 1, 6, 10), None, 0.0),
        ((0,) * 4, 0.0, 0.0),
    ],
)
def test_the_sweep_says_rate_and_steadiness(answers, rate, monotone):
    rows = [
        row("m", "s", f"r{years}", float(change), "volume_change_percent", "ventricles", float(years))
        for years, change in zip((1, 2, 3, 5), answers, strict=True)
    ]
    swept = sweep_scores(pd.DataFrame(rows)).set_index("metric")["value"]
    assert swept["sweep_monotone"] == monotone
    assert rate is None or swept["sweep_rate_percent_per_year"] == pytest.approx(rate)


def test_slope_and_correlation_are_those_of_numpy():
    rng = np.random.default_rng(0)
    true = rng.normal(5, 2, 20)
    predicted = 0.5 * true + rng.normal(size=20)
    slope, r = slope_and_pearson(predicted, true, np.ones((1, 20)))[:, 0]
    assert slope == pytest.approx(np.polyfit(true, predicted, 1)[0])
    assert r == pytest.approx(np.corrcoef(true, predicted)[0, 1])


def test_a_model_that_says_the_same_of_everyone_has_no_correlation():
    slope, r = slope_and_pearson(np.full(9, 3.0), np.arange(9.0), np.ones((1, 9)))[:, 0]
    assert slope == 0 and np.isnan(r)


def changes(people, of="volume_rate_percent_per_year", model="ours"):
    """Scores of judged requests: what each person was foretold, and what came true."""
    rows = []
    for number, (predicted, true) in enumerate(people):
        named = (model, f"s{number}", f"r{number}")
        rows += [row(*named, predicted, of, "ventricles"), row(*named, true, f"true_{of}", "ventricles")]
        rows.append(row(*named, 20.0, "true_volume_ml", "ventricles"))
    return pd.DataFrame(rows)


def test_a_model_that_foretells_half_of_each_rate_and_one_more_is_told_so():
    true = np.array([1.0, 2.0, 4.0, 7.0])
    table = comparisons(changes(zip(1 + true / 2, true, strict=True)), 200, 0)
    assert found(table, "ours", "volume_rate_slope")["value"] == pytest.approx(0.5)
    assert found(table, "ours", "volume_rate_pearson")["value"] == pytest.approx(1)
    bias = found(table, "ours", "volume_rate_bias_percent_per_year")
    assert bias["value"] == pytest.approx((1 - true / 2).mean())
    assert bias["value_low"] < bias["value"] < bias["value_high"]


def test_the_retest_error_is_the_size_of_the_changes_that_a_rescan_shows():
    seen = [3.0, -1.0, 1.0, -3.0]
    table = comparisons(changes(zip(seen, seen, strict=True), "volume_change_percent", "rescan"), 200, 0)
    retest = found(table, "rescan", "volume_retest_percent")
    assert retest["value"] == pytest.approx(np.sqrt(5))
    assert 1 <= retest["value_low"] < retest["value"] < retest["value_high"] <= 3
    others = comparisons(changes(zip(seen, seen, strict=True), "volume_change_percent"), 200, 0)
    assert "volume_retest_percent" not in set(others["metric"])


def test_asked_for_no_time_a_model_is_measured_against_a_rescan():
    told = {"rescan": 0.02, "ours": 0.01, "copy": 0.0}
    rows = [row(m, "s", "c_I1_0y", far, "distance_from_source", years=0.0) for m, far in told.items()]
    rows += [row("ours", "s", "c_I1_2y", 0.5, "distance_from_source", years=2.0)]
    table = sweep_scores(pd.DataFrame(rows)).set_index(["model", "metric"])["value"]
    assert table["ours", "sweep_identity"] == pytest.approx(0.5)
    assert table["copy", "sweep_identity"] == 0 and table["rescan", "sweep_identity"] == 1
    alone = pd.DataFrame(rows).query("model == 'ours'")
    assert sweep_scores(alone).empty  # without the rescan nobody knows the noise


@pytest.mark.parametrize("years", [(0.3, 1.7, 4.0), (0.0, 1.0, 2.0, 3.0, 5.0)])
def test_a_sweep_over_any_intervals_is_monotone_if_its_answers_are(years):
    answers = {"rising": 2.0 * np.array(years), "turning": np.array(years) * (3.2 - np.array(years))}
    rows = [
        row(model, "s", f"c_I1_{asked:g}y", value, "volume_change_percent", "ventricles", asked)
        for model, values in answers.items()
        for asked, value in zip(years, values, strict=True)
    ]
    table = sweep_scores(pd.DataFrame(rows)).set_index(["model", "metric"])["value"]
    assert table["rising", "sweep_rate_percent_per_year"] == pytest.approx(2)
    assert (table["rising", "sweep_monotone"], table["turning", "sweep_monotone"]) == (1, 0)
