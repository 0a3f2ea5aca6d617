"""Each metric orders what a scientist would order, and copying is the zero of change."""

import numpy as np
import pytest
import torch
from monai.metrics import SSIMMetric
from scipy import ndimage

from brainlapse.evaluate import METRICS
from brainlapse.evaluate.case import Case

SHAPE = (20, 24, 20)
PERFECT = {
    "ssim_brain": 1, "ssim_volume": 1, "psnr_brain": np.nan, "mae_brain": 0, "mae_changed": 0,
    "change_correlation": 1, "change_error": 0,
}  # fmt: skip


@pytest.fixture(scope="module")
def case():
    """A brain of smooth tissue in a dark box, and a follow-up in which one part went dark."""
    rng = np.random.default_rng(0)
    radius = np.linalg.norm(np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE))), axis=0)
    brain = np.swapaxes(radius, 0, 1) < 0.75
    tissue = 0.5 + 0.25 * ndimage.gaussian_filter(rng.normal(size=SHAPE), 1.2) / 0.11
    source = np.where(brain, np.clip(tissue, 0.05, 1), 0)
    truth = source.copy()
    truth[8:12, 10:14, 8:12] *= 0.4
    return Case(source, truth, truth, brain)


def scores(case, sample):
    seen = Case(case.source, case.truth, sample, case.brain)
    return {name: metric.score(seen) for name, metric in METRICS.items()}


def blurred(volume, brain):
    return np.where(brain, ndimage.gaussian_filter(volume, 0.8), 0)


@pytest.mark.parametrize("name", METRICS)
def test_the_truth_itself_is_perfect(case, name):
    metric = METRICS[name]
    assert metric.REGION in ("brain", "volume", "changed")
    assert metric.score(case) == pytest.approx(PERFECT[name], nan_ok=True, abs=1e-12)


def test_copying_the_source_foretells_no_change(case):
    copied = scores(case, case.source)
    assert copied["change_correlation"] == 0
    assert copied["change_error"] == 1
    assert copied["mae_changed"] > copied["mae_brain"]


def test_where_nothing_changed_the_change_metrics_are_undefined(case):
    still = Case(case.source, case.source, case.truth, case.brain)
    for name in ("change_correlation", "change_error", "mae_changed"):
        assert np.isnan(METRICS[name].score(still))


def test_half_the_change_is_half_missed(case):
    half = scores(case, (case.source + case.truth) / 2)
    assert half["change_error"] == pytest.approx(0.5)
    assert half["change_correlation"] == pytest.approx(1)


@pytest.mark.parametrize("worse", ["blur", "noise"])
def test_blur_and_noise_cost_similarity(case, worse):
    noise = np.random.default_rng(1).normal(0, 0.05, SHAPE) * case.brain
    sample = blurred(case.truth, case.brain) if worse == "blur" else case.truth + noise
    spoilt = scores(case, sample)
    assert spoilt["ssim_brain"] < 0.99
    assert spoilt["ssim_volume"] < 0.999
    assert spoilt["mae_brain"] > 0.005
    assert spoilt["change_error"] > 0.02


def test_an_empty_volume_is_rewarded_for_its_background_only(case):
    roomy = [np.pad(array, 12) for array in (case.source, case.truth, case.truth, case.brain)]
    empty = scores(Case(*roomy), np.zeros_like(roomy[0]))
    assert empty["ssim_brain"] < 0.05
    assert empty["ssim_volume"] > 0.5


def test_noise_outside_the_head_costs_only_the_volume(case):
    haze = np.where(case.brain, 0, np.random.default_rng(2).uniform(0, 0.05, SHAPE))
    hazy = scores(case, case.truth + haze)
    assert hazy["ssim_volume"] < hazy["ssim_brain"]
    assert hazy["mae_brain"] == 0


def test_ssim_agrees_with_monai():
    rng = np.random.default_rng(3)
    truth, sample = rng.uniform(size=(2, *SHAPE))
    sample = 0.6 * truth + 0.4 * sample
    ours = METRICS["ssim_volume"].score(Case(truth, truth, sample, truth > 0))
    metric = SSIMMetric(spatial_dims=3, data_range=1.0, win_size=11, kernel_sigma=1.5)
    theirs = metric(*(torch.from_numpy(a)[None, None] for a in (sample, truth)))
    assert ours == pytest.approx(theirs.item(), abs=1e-4)
