"""The spread over seeds is that of the rows of comparisons.tsv."""

import numpy as np
import pandas as pd
import pytest

from brainlapse import tables
from brainlapse.evaluate.stability import stability


def compared(values, metric="ssim_brain"):
    rows = [{"model": model, "value": value} for model, value in values.items()]
    return pd.DataFrame(rows).assign(cohort="c", split="test", region="brain", metric=metric)


def test_mean_spread_and_range_are_those_of_the_seeds():
    values = {"gan": 0.8, "gan_1": 0.9, "gan_2": 0.4, "vae": 0.1}
    found = stability(compared(values), {"gan": ["gan", "gan_1", "gan_2"]})
    tables.check(found, tables.STABILITY, "stability.tsv")
    (row,) = found.to_dict("records")
    assert (row["model"], row["seeds"]) == ("gan", 3)
    assert row["mean"] == pytest.approx(0.7) and row["sd"] == pytest.approx(np.std([0.8, 0.9, 0.4], ddof=1))
    assert (row["lowest"], row["highest"]) == (0.4, 0.9)


def test_a_seed_without_a_value_is_seen_in_the_count_and_one_alone_has_no_spread():
    (row,) = stability(compared({"gan": 0.8, "gan_1": np.nan}), {"gan": ["gan", "gan_1"]}).to_dict("records")
    assert row["seeds"] == 1 and np.isnan(row["sd"])


def test_no_group_no_row():
    assert stability(compared({"gan": 0.8}), {}).empty
