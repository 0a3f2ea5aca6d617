"""Which follow-ups are shown follows from the scores by the stated rule, and the worst is among them."""

import pandas as pd
import pytest

from brainlapse import tables
from brainlapse.report.examples import choose
from brainlapse.report.study import Study

GAINS = {"a": 0.01, "b": 0.05, "c": 0.03, "d": -0.02, "e": 0.04}
DIAGNOSIS = {"a": "CN", "b": "CN", "c": "CN", "d": "AD", "e": "AD"}


@pytest.fixture
def study(tmp_path):
    """Scores in which each request of `ours` gains what GAINS says."""
    scores, requests, scans = [], [], []
    for n, (request, gain) in enumerate(GAINS.items()):
        named = {
            "cohort": "c",
            "split": "test",
            "subject": f"s{n}",
            "request": request,
            "interval_years": 1.0,
        }
        for model, value in (("copy", 0.8), ("ours", 0.8 + gain)):
            scores.append(named | {"model": model, "region": "brain", "metric": "ssim_brain", "value": value})
        scores.append(named | {"model": "copy", "region": "brain", "metric": "true_volume_ml", "value": 1.0})
        requests.append(
            named
            | {"source_scan": f"I{n}", "target_scan": "J", "history": None, "history_years": None, "seed": n}
        )
        scans.append({"cohort": "c", "subject": f"s{n}", "visit": "v", "scan": f"I{n}", "days": 0,
                      "age_years": 70.0, "diagnosis": DIAGNOSIS[request], "image": "i"})  # fmt: skip
    for rows, path, table in (
        (scores, "6_evaluate/scores.tsv", tables.SCORES),
        (requests, "5_sample/ours/c/requests.tsv", tables.REQUESTS),
        (scans, "1_manifest/c/scans.tsv", tables.SCANS),
    ):
        tables.write(pd.DataFrame(rows).reindex(columns=table.names), tmp_path / path, table)
    return Study(tmp_path)


def test_the_median_the_best_and_the_worst(study):
    chosen = [(row["request"], why) for row, why, _ in choose(study, "c", "ours")]
    assert chosen == [
        ("c", "median gain of 5 follow-ups"),
        ("b", "highest gain of 5 follow-ups"),
        ("d", "lowest gain of 5 follow-ups"),
    ]


def test_none_is_shown_twice(study):
    study.scores = study.scores[study.scores["request"] == "a"]
    assert [row["request"] for row, _, _ in choose(study, "c", "ours")] == ["a"]


def test_the_gain_is_that_over_copying(study):
    assert [gain for _, _, gain in choose(study, "c", "ours")] == pytest.approx([0.03, 0.05, -0.02])
