"""From a download to the report, for real: every promised file is there and holds what it promises."""

import numpy as np
import pytest

from brainlapse import tables
from brainlapse.volumes import Grid, read_volume

FLOORS = {"copy", "rescan", "zero"}
MODELS = {"brainlapse", "regression"} | FLOORS


@pytest.fixture
def results(finished):
    return finished.folder / "results"


TABLES = [
    ("1_manifest/adni", tables.SCANS), ("1_manifest/adni", tables.REJECTED),
    ("1_manifest/adni", tables.FUNNEL),
    ("2_preprocess/adni", tables.QUALITY), ("3_pairs", tables.SPLITS), ("3_pairs", tables.PAIRS),
    ("3_pairs", tables.FUNNEL),
    ("5_sample/brainlapse/adni", tables.REQUESTS), ("5_sample/brainlapse/adni", tables.SAMPLES),
    ("6_evaluate", tables.SCORES), ("6_evaluate", tables.COMPARISONS), ("6_evaluate", tables.DISTRIBUTIONS),
    ("6_evaluate", tables.SUBGROUPS), ("6_evaluate", tables.CONTRASTS),
]  # fmt: skip


@pytest.mark.parametrize(("folder", "table"), TABLES, ids=lambda value: getattr(value, "name", value))
def test_every_table_is_there_and_keeps_its_promise(results, folder, table):
    assert not tables.read(results / folder / table.name, table).empty


def test_scores_hold_every_model_and_both_floors(results):
    scores = tables.read(results / "6_evaluate/scores.tsv", tables.SCORES)
    assert set(scores["model"]) == MODELS


def test_copying_the_source_predicts_no_change_and_gains_nothing_over_itself(results):
    scores = tables.read(results / "6_evaluate/scores.tsv", tables.SCORES).query("model == 'copy'")
    assert (scores.loc[scores["metric"] == "volume_change_percent", "value"] == 0).all()
    gains = tables.read(results / "6_evaluate/comparisons.tsv", tables.COMPARISONS).query("model == 'copy'")
    assert (gains["gain"].dropna() == 0).all()


def test_samples_lie_on_the_grid_and_inside_the_sources_brain(finished, results):
    folder = results / "5_sample/brainlapse/adni"
    samples = tables.read(folder / "samples.tsv", tables.SAMPLES)
    requests = tables.read(folder / "requests.tsv", tables.REQUESTS).set_index("request")
    quality = tables.read(results / "2_preprocess/adni/quality.tsv", tables.QUALITY).set_index("scan")
    grid = Grid((16, 20, 16), 11.0)
    for sample in samples.itertuples():
        volume, affine = read_volume(folder / sample.image)
        np.testing.assert_allclose(affine, grid.affine)
        source = quality.loc[requests.loc[sample.request, "source_scan"], "image"]
        brain = read_volume(results / "2_preprocess/adni" / source)[0] > -1
        assert volume.shape == grid.shape
        assert (volume[~brain] == -1).all() and volume.max() <= 1


def test_test_subjects_are_nowhere_in_training(results):
    pairs = tables.read(results / "3_pairs/pairs.tsv", tables.PAIRS)
    requests = tables.read(results / "5_sample/brainlapse/adni/requests.tsv", tables.REQUESTS)
    assert not set(pairs.query("split == 'train'")["subject"]) & set(requests["subject"])


def test_a_damaged_scan_is_quarantined_named_and_counted_and_the_rest_goes_on(finished, results):
    quality = tables.read(results / "2_preprocess/adni/quality.tsv", tables.QUALITY).set_index("scan")
    assert quality.loc[finished.damaged, "status"] == "quarantined"
    assert isinstance(quality.loc[finished.damaged, "reason"], str)
    assert (quality.drop(finished.damaged)["status"] == "accepted").all()
    pairs = tables.read(results / "3_pairs/pairs.tsv", tables.PAIRS)
    assert finished.damaged not in set(pairs["source_scan"]) | set(pairs["target_scan"])
    assert "1 scan of adni was quarantined" in finished.output
    assert finished.damaged in finished.output


def test_the_page_is_there(results):
    page = (results / "7_report/index.html").read_text(encoding="utf-8")
    assert "<h1" in page and all(model in page for model in MODELS)


def test_limits_that_leave_nobody_are_refused_with_the_place_to_look(finished):
    """Pairs 30 years apart leave nobody."""
    settings = {
        "seed": 0,
        "external": [],
        "pairs": {"min_interval_years": 30, "max_interval_years": 40, "history": 1},
        "splits": {"train": 2, "validation": 0, "test": "rest"},
    }
    scans, quality = "results/1_manifest/adni/scans.tsv", "results/2_preprocess/adni/quality.tsv"
    refused = finished.stage("pairs", settings, "--scans", scans, "--quality", quality, "--out", "elsewhere")
    assert refused.returncode == 2
    assert "0 people of the study cohorts have two accepted scans" in refused.stderr
    assert "Traceback" not in refused.stderr
