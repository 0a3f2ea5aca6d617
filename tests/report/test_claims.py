"""A model is called the best only where its contrasts allow it, and a contrast is read from its own side."""

import numpy as np
import pandas as pd
import pytest

from brainlapse import tables
from brainlapse.report.claims import best, interactions, pairs
from brainlapse.report.study import Study

WHERE = {"cohort": "c", "split": "test", "region": "changed", "metric": "mae_changed"}


def study_of(tmp_path, contrasts: list[dict]) -> Study:
    """`ours` errs least, then `near`, then `far`; with the given contrasts."""
    means = {"ours": 0.1, "near": 0.11, "far": 0.3}
    counted = WHERE | {"subjects": 9, "requests": 9}
    tested = WHERE | {"contrast": "pair", "subjects": 9, "p": 0.01, "p_holm": 0.02, "tests": 2}
    for table, rows in (
        (tables.COMPARISONS, [counted | {"model": model, "value": value} for model, value in means.items()]),
        (tables.CONTRASTS, [tested | one for one in contrasts]),
    ):
        frame = pd.DataFrame(rows).reindex(columns=table.names)
        tables.write(frame, tmp_path / "6_evaluate" / table.name, table)
    return Study(tmp_path)


def contrast(model, other, value, half):
    bounds = {"difference": value, "difference_low": value - half, "difference_high": value + half}
    return {"model": model, "other": other, **bounds}


MODELS = ["ours", "near", "far"]
KEY = ("changed", "mae_changed")


def test_the_best_is_named_where_every_interval_excludes_zero(tmp_path):
    sure = [contrast("ours", "near", -0.01, 0.005), contrast("far", "ours", 0.2, 0.05)]
    assert best(study_of(tmp_path, sure), "c", MODELS) == {KEY: "ours"}


@pytest.mark.parametrize("half", [0.01, 0.02])
def test_it_is_not_named_where_one_holds_zero(tmp_path, half):
    unsure = [contrast("ours", "near", -0.01, half), contrast("far", "ours", 0.2, 0.05)]
    assert best(study_of(tmp_path, unsure), "c", MODELS) == {}


def test_nor_without_a_contrast(tmp_path):
    others = [contrast("near", "far", -0.2, 0.01)]
    assert best(study_of(tmp_path, others), "c", MODELS) == {}


def test_a_contrast_that_stands_the_other_way_round_is_turned(tmp_path):
    study = study_of(tmp_path, [contrast("far", "ours", 0.2, 0.05), contrast("ours", "near", -0.01, 0.005)])
    table = pairs(study, "c", "ours")
    cells = {row.name: row.cells[1] for row in table.rows}
    assert cells["minus near"] == ("−0.0100", "[−0.0150, −0.0050] p 0.02")
    assert cells["minus far"] == ("−0.2000", "[−0.2500, −0.1500] p 0.02")


def test_an_interaction_has_its_own_table(tmp_path):
    one = contrast("ours", "far", 0.05, 0.01) | {"contrast": "interaction", "p": np.nan, "p_holm": np.nan}
    study = study_of(tmp_path, [one])
    assert pairs(study, "c", "ours") is None
    assert [row.name for row in interactions(study, "c").rows] == ["ours"]
