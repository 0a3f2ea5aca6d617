"""Differences are paired and tested once each; interactions are seen where they are and nowhere else."""

import numpy as np
import pandas as pd
import pytest
from people_scored import scores_of
from scipy import stats

from brainlapse import tables
from brainlapse.evaluate.contrasts import contrasts, holm, pairs_of, wilcoxon

ABLATION = {"a": {"full": "full", "no_source": "no_s", "no_interval": "no_i", "neither": "none"}}


def contrasted(scores, models, references=("copy",), ablations=None):
    return contrasts(scores, list(models), list(references), ablations or {}, 300, 0)


def test_every_pair_stands_there_once():
    pairs = pairs_of(["a", "b", "regression", "main"], ["copy", "regression", "main"])
    assert len({frozenset(pair) for pair in pairs}) == len(pairs) == 3 * 2 + 2 + 1
    assert ("main", "regression") in pairs and ("regression", "main") not in pairs


def test_the_difference_is_paired_and_a_person_counts_once():
    models = {"ours": 0.1, "other": 0.06}
    for requests in (1, 5):
        found = contrasted(scores_of(models, requests=requests), models, ["copy", "other"])
        found = found.set_index(["model", "other"])
        row = found.loc[("ours", "other")]
        bounds = ["difference", "difference_low", "difference_high"]
        assert row[bounds].tolist() == pytest.approx([0.04] * 3)
        assert (row["subjects"], row["tests"]) == (20, 3)
        assert row["p"] < 1e-4 and row["p_holm"] == pytest.approx(3 * row["p"])


def test_the_table_keeps_its_promise(tmp_path):
    models = {"full": 0.4, "no_s": 0.1, "no_i": 0.2, "none": 0.0}
    found = contrasted(scores_of(models, noise=0.01), models, ["copy", "full"], ABLATION)
    tables.write(found, tmp_path / "contrasts.tsv", tables.CONTRASTS)
    read = tables.read(tmp_path / "contrasts.tsv", tables.CONTRASTS)
    assert set(read["contrast"]) == {"pair", "interaction"} and set(read["metric"]) == {"ssim_brain"}


def test_requests_that_only_one_model_answered_count_for_neither():
    scores = scores_of({"ours": lambda subject: 10.0 if subject == 0 else 0.1})
    scores.loc[(scores["model"] == "copy") & (scores["subject"] == "s00"), "value"] = np.nan
    row = contrasted(scores, ["ours"]).iloc[0]
    assert row["subjects"] == 19 and row["difference_high"] == pytest.approx(0.1)


@pytest.mark.parametrize("synergy", [0.0, 0.05])
def test_an_interaction_is_found_where_there_is_one(synergy):
    models = {"none": 0.0, "no_s": 0.1, "no_i": 0.2, "full": 0.3 + synergy}
    found = contrasted(scores_of(models, noise=0.02), models, ["copy"], ABLATION)
    pairs = found[(found["contrast"] == "pair") & (found["other"] == "full")].set_index("model")["difference"]
    losses = {"none": -0.3 - synergy, "no_s": -0.2 - synergy, "no_i": -0.1 - synergy}
    assert pairs.to_dict() == pytest.approx(losses, abs=0.02)
    row = found[found["contrast"] == "interaction"].iloc[0]
    assert (row["model"], row["other"]) == ("full", "none")
    assert row["difference_low"] <= synergy <= row["difference_high"]
    assert (row["difference_low"] > 0) == (synergy > 0) == (row["p_holm"] < 0.05)


def test_an_ablation_without_one_of_its_rows_is_left_out():
    models = {"full": 0.3, "no_s": 0.1, "no_i": 0.2}
    assert set(contrasted(scores_of(models), models, ["copy"], ABLATION)["contrast"]) == {"pair"}


def test_models_that_are_alike_are_not_told_apart():
    """Under no difference p is uniform: one in twenty falls below 0.05, and Holm lets fewer through."""
    false, all_false = [], []
    for seed in range(30):
        models = dict.fromkeys("abcdef", 0.0)
        found = contrasted(scores_of(models, noise=0.05, requests=1, seed=seed), models)
        false += (found["p"] < 0.05).tolist()
        all_false.append((found["p_holm"] < 0.05).any())
    assert np.mean(false) < 0.12 and np.mean(all_false) < 0.17


def test_identical_answers_have_no_difference_and_no_evidence():
    row = contrasted(scores_of({"twin": 0.0}), ["twin"]).iloc[0]
    assert (row["difference"], row["p"], row["p_holm"]) == (0, 1, 1)


def test_rounding_makes_no_rank():
    """0.1 + 0.2 is not 0.3 to a computer; a difference of 1e-17 is none."""
    models = {"none": 0.0, "no_s": 0.1, "no_i": 0.2, "full": 0.1 + 0.2}
    found = contrasted(scores_of(models), models, ["copy"], ABLATION)
    assert found.loc[found["contrast"] == "interaction", "p"].item() == 1


def test_one_person_has_a_difference_and_no_interval():
    row = contrasted(scores_of({"ours": 0.1}, subjects=1), ["ours"]).iloc[0]
    assert row["difference"] == pytest.approx(0.1) and row["p"] == 1
    assert np.isnan(row["difference_low"])


def test_nothing_to_contrast_is_an_empty_table():
    assert contrasted(scores_of({}), []).empty
    assert list(contrasted(scores_of({}), []).columns) == tables.CONTRASTS.names


def test_holm_is_its_definition():
    p = np.array([0.01, 0.04, 0.03, 0.005])
    assert holm(p) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.9, 0.8])).tolist() == [1, 1]


def test_the_test_is_scipys():
    differences = np.random.default_rng(0).normal(0.3, 1, 25)
    assert wilcoxon(differences) == stats.wilcoxon(differences).pvalue


def test_every_cohort_split_and_metric_has_its_own_multiplicity():
    parts = [scores_of({"a": 0.1, "b": 0.1}, cohort=cohort) for cohort in "cd"]
    found = contrasted(pd.concat([*parts, scores_of({"a": 0.1}, cohort="e")]), ["a", "b"])
    assert found.groupby("cohort")["tests"].first().to_dict() == {"c": 2, "d": 2, "e": 1}
