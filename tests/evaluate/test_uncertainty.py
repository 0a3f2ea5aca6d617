"""A forecaster that is right about its uncertainty is told from one too sure and one too unsure of itself."""

import tracemalloc

import numpy as np
import pytest

from brainlapse.evaluate.case import Case, Pair
from brainlapse.evaluate.metrics import METRICS
from brainlapse.evaluate.uncertainty import BINS, PERCENTS, Draws, crps, uncertainty_scores, volume_scores

SHAPE = (24, 24, 24)
BRAIN = np.zeros(SHAPE, bool)
BRAIN[2:-2, 2:-2, 2:-2] = True
SIGMA = 0.03


def request(draws=6, width=1.0):
    """A request whose truth and draws scatter about one mean, the draws `width` times as far.

    Its scores, and the case of its last draw.
    """
    rng = np.random.default_rng(0)
    mean = np.where(BRAIN, rng.uniform(0.3, 0.7, SHAPE), 0)

    def one(sigma):
        return np.where(BRAIN, mean + rng.normal(0, sigma, SHAPE), 0)

    truth, together, changes = one(SIGMA), Draws(BRAIN), []
    for _ in range(draws):
        sample = one(width * SIGMA)
        together.add(sample)
        changes.append(volume_changes(sample, truth))
    pair = Pair(mean, truth, BRAIN, change_threshold=0.005)
    return named(uncertainty_scores(together, changes, pair)), Case(pair, sample)


def named(scores):
    return {(region, metric): value for region, metric, value in scores}


def volume_changes(sample, truth):
    return [
        ("ventricles", "volume_change_percent", float(sample[BRAIN].mean())),
        ("ventricles", "true_volume_change_percent", float(truth[BRAIN].mean())),
    ]


@pytest.mark.parametrize("draws", [2, 3, 10])
def test_a_right_forecaster_is_covered_as_often_as_it_says_however_few_its_draws(draws):
    scores, _ = request(draws)
    expected = scores["brain", "coverage_expected"]
    assert expected == (draws - 1) / (draws + 1)
    assert scores["brain", "coverage_voxels"] == pytest.approx(expected, abs=0.02)
    for percent in PERCENTS:
        assert scores["brain", f"coverage_{percent}"] == pytest.approx(percent / 100, abs=0.02)


@pytest.mark.parametrize(("width", "covers"), [(0.4, np.less), (2.5, np.greater)])
def test_too_sure_and_too_unsure_are_told_apart(width, covers):
    scores, _ = request(width=width)
    assert covers(scores["brain", "coverage_voxels"], scores["brain", "coverage_expected"])
    for percent in PERCENTS:
        assert covers(scores["brain", f"coverage_{percent}"], percent / 100)


def test_spread_and_error_are_those_of_all_the_draws_at_once():
    rng = np.random.default_rng(0)
    draws, truth, together = rng.random((7, *SHAPE)), rng.random(SHAPE), Draws(BRAIN)
    for draw in draws:
        together.add(draw)
    pair = Pair(np.zeros(SHAPE), truth, BRAIN)
    scores = named(uncertainty_scores(together, [[]] * 7, pair))
    inside, true = draws[:, BRAIN], truth[BRAIN]
    variance, error = inside.var(axis=0, ddof=1).mean(), inside.mean(axis=0) - true
    assert scores["brain", "draw_spread"] == pytest.approx(np.sqrt(variance))
    assert scores["brain", "mean_error_rms"] == pytest.approx(np.sqrt(np.mean(error**2)))
    held = (inside.min(axis=0) <= true) & (true <= inside.max(axis=0))
    assert scores["brain", "coverage_voxels"] == pytest.approx(held.mean())


def test_the_mean_of_noisy_draws_scores_better_than_they_do():
    scores, last = request(draws=10)
    alone = {name: metric.score(last) for name, metric in METRICS.items()}
    assert scores["brain", "ssim_brain_of_mean"] > alone["ssim_brain"]
    assert scores["changed", "mae_changed_of_mean"] < alone["mae_changed"]


def test_the_bins_of_the_reliability_diagram_hold_every_voxel_once_and_what_was_foretold():
    """Half the brain is ten times as uncertain, and the model knows it."""
    rng = np.random.default_rng(0)
    sigma = np.where(np.arange(SHAPE[0])[:, None, None] < 12, 0.006, 0.06) * BRAIN
    together = Draws(BRAIN)
    for _ in range(40):
        together.add(0.5 + rng.normal(size=SHAPE) * sigma)
    truth = 0.5 + rng.normal(size=SHAPE) * sigma
    pair = Pair(np.full(SHAPE, 0.5), truth, BRAIN)
    scores = named(uncertainty_scores(together, [[]] * 40, pair))
    bins = {region for region, metric in scores if metric == "bin_voxels"}
    assert sum(scores[name, "bin_voxels"] for name in bins) == BRAIN.sum()
    many = [name for name in bins if scores[name, "bin_voxels"] > 1000]
    assert any(name.startswith("spread 0.005–") for name in many) and len(many) >= 2
    for name in many:
        low, _, high = name.removeprefix("spread ").partition("–")
        assert float(low) <= scores[name, "bin_spread"] <= float(high)
        assert scores[name, "bin_error"] == pytest.approx(scores[name, "bin_spread"], rel=0.1)
    assert set(BINS) >= {float(name.split()[1].split("–")[0].rstrip("+")) for name in bins}


def test_volumes_of_many_requests_are_covered_as_often_as_they_say():
    rng, found = np.random.default_rng(0), []
    for _ in range(2000):
        true, *drawn = rng.normal(3, 1, 5)
        rows = [
            [("hippocampi", "volume_change_percent", one), ("hippocampi", "true_volume_change_percent", true)]
            for one in drawn
        ]
        found.append({m: v for _, m, v in volume_scores(rows)})
    means = {name: np.mean([one[name] for one in found]) for name in found[0]}
    assert means["volume_change_covered"] == pytest.approx(3 / 5, abs=0.03)
    assert means["volume_change_rank"] == pytest.approx(0.5, abs=0.03)
    for percent in PERCENTS:
        assert means[f"volume_change_covered_{percent}"] == pytest.approx(percent / 100, abs=0.03)
    # The normal distribution's own: σ (1/√π) in expectation, whatever the number of draws.
    assert means["volume_change_crps_percent"] == pytest.approx(1 / np.sqrt(np.pi), rel=0.06)


def test_the_ranked_probability_score_is_best_for_the_right_width_and_an_error_for_one_draw():
    rng = np.random.default_rng(1)
    expected = {
        width: np.mean([crps(width * rng.normal(size=8), rng.normal()) for _ in range(3000)])
        for width in (0.2, 1.0, 3.0)
    }
    assert expected[1.0] < min(expected[0.2], expected[3.0])
    assert crps(np.array([2.5]), 4.0) == 1.5


def test_memory_does_not_grow_with_the_draws():
    peaks = []
    for count in (3, 60):
        rng, together = np.random.default_rng(0), Draws(BRAIN)
        tracemalloc.start()
        for _ in range(count):
            together.add(rng.random(SHAPE))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


def test_one_draw_says_nothing_of_uncertainty():
    scores, _ = request(draws=1)
    assert set(scores) == {("ventricles", "volume_change_crps_percent")}


def test_without_a_truth_only_the_spread_is_known():
    together, rng = Draws(BRAIN), np.random.default_rng(0)
    changes = [[("ventricles", "volume_change_percent", change)] for change in (1.0, 3.0)]
    for _ in changes:
        together.add(rng.random(SHAPE))
    found = named(uncertainty_scores(together, changes, None))
    assert set(found) == {
        ("ventricles", "volume_change_spread_percent"), ("brain", "draws"), ("brain", "draw_spread"),
    }  # fmt: skip
    assert found["ventricles", "volume_change_spread_percent"] == pytest.approx(np.sqrt(2))


def test_a_draw_of_no_numbers_leaves_nothing_defined_and_nothing_false():
    together, changes = Draws(BRAIN), []
    truth = np.where(BRAIN, 0.5, 0.0)
    for sample in (truth, np.full(SHAPE, np.nan)):
        together.add(sample)
        changes.append(volume_changes(sample, truth))
    scores = named(uncertainty_scores(together, changes, Pair(truth, truth, BRAIN)))
    known = {key for key, value in scores.items() if not np.isnan(value)}
    assert known == {("brain", "draws"), ("brain", "coverage_expected")}


def test_draws_that_are_all_the_same_have_no_spread():
    together, truth = Draws(BRAIN), np.where(BRAIN, 0.5, 0.0)
    for _ in range(3):
        together.add(truth + 0.1)
    scores = named(uncertainty_scores(together, [[]] * 3, Pair(truth, truth, BRAIN)))
    assert scores["brain", "draw_spread"] == 0
    assert scores["brain", "coverage_voxels"] == 0 == scores["brain", "coverage_95"]
    assert scores["spread 0–0.0025", "bin_error"] == pytest.approx(0.1)
