"""The spread of the draws over the error of their mean is 1 for a forecaster that is right about itself."""

import numpy as np
import pandas as pd
import pytest

from brainlapse.evaluate.dispersion import spread_error_ratios


def scores(width, draws=4, subjects=300, seed=0):
    """A volume's change a request; the truth scatters by 2 about 5, its draws `width` times as far."""
    rng, rows = np.random.default_rng(seed), []
    for subject in range(subjects):
        named = {
            "model": "m",
            "cohort": "c",
            "split": "test",
            "subject": f"s{subject}",
            "request": "r",
        }
        true, drawn = 5 + rng.normal(0, 2), 5 + rng.normal(0, 2 * width, draws)
        for region, metric, value in (
            ("brain", "draws", draws),
            ("ventricles", "volume_change_percent", drawn.mean()),
            ("ventricles", "true_volume_change_percent", true),
            ("ventricles", "volume_change_spread_percent", drawn.std(ddof=1)),
            ("brain", "draw_spread", drawn.std(ddof=1) / 100),
            ("brain", "mean_error_rms", abs(drawn.mean() - true) / 100),
        ):
            rows.append(named | {"region": region, "metric": metric, "value": value})
    return pd.DataFrame(rows)


@pytest.mark.parametrize(("draws", "width"), [(2, 1), (4, 1), (20, 1), (4, 0.5), (4, 2)])
def test_the_ratio_is_that_of_the_widths(draws, width):
    rows = spread_error_ratios(scores(width, draws), 300, 0)
    assert [(row["region"], row["metric"]) for row in rows] == [
        ("brain", "spread_error_ratio"), ("ventricles", "volume_change_spread_error_ratio"),
    ]  # fmt: skip
    # The mean of k draws adds its own error: E[(m − y)²] = σ² (1 + width²/k).
    expected = width * np.sqrt((1 + 1 / draws) / (1 + width**2 / draws))
    for row in rows:
        assert row["value"] == pytest.approx(expected, rel=0.12)
        assert row["value_low"] < row["value"] < row["value_high"]
        assert (row["subjects"], row["requests"]) == (300, 300)


def test_models_with_one_draw_have_no_row():
    one = scores(1)
    one = one[one["metric"].isin(["volume_change_percent", "true_volume_change_percent"])]
    assert spread_error_ratios(one, 100, 0) == []
    assert spread_error_ratios(one.iloc[:0], 100, 0) == []


def test_an_undefined_request_is_left_out():
    table = scores(1, subjects=3)
    table.loc[table["subject"] == "s0", "value"] = np.nan
    assert {row["subjects"] for row in spread_error_ratios(table, 100, 0)} == {2}


def test_a_mean_without_error_has_no_ratio():
    table = scores(1, subjects=3)
    table.loc[table["metric"] == "mean_error_rms", "value"] = 0.0
    ratio = spread_error_ratios(table, 100, 0)[0]
    assert np.isnan([ratio["value"], ratio["value_low"], ratio["value_high"]]).all()
