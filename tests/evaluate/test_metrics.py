"""Each metric orders what a scientist would order, and copying is the zero of change."""

import numpy as np
import pytest
import torch
from monai.metrics import MultiScaleSSIMMetric, SSIMMetric
from scipy import ndimage
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from brainlapse.evaluate import METRICS
from brainlapse.evaluate.case import Case, Pair
from brainlapse.evaluate.similarity import WEIGHTS

SHAPE = (28, 32, 28)
PERFECT = {
    "ssim_brain": 1, "ssim_volume": 1, "ssim_volume_masked": 1, "ms_ssim_volume_masked": 1,
    "psnr_brain": np.nan, "mae_brain": 0, "mae_changed": 0,
    "change_correlation": 1, "change_error": 0, "change_dice": 1, "change_sign_agreement": 1,
}  # fmt: skip
COPIED = {"change_correlation": 0, "change_error": 1, "change_dice": 0, "change_sign_agreement": 0}
LOW_IS_GOOD = {"mae_brain", "mae_changed", "change_error"}
SIMILARITY = ("ssim_brain", "ssim_volume", "ssim_volume_masked", "ms_ssim_volume_masked")


@pytest.fixture(scope="module")
def pair():
    """A brain of smooth tissue in a dark box, and a follow-up in which one part went dark, another bright."""
    rng = np.random.default_rng(0)
    radius = np.linalg.norm(np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE))), axis=0)
    brain = np.swapaxes(radius, 0, 1) < 0.6
    tissue = 0.5 + 0.25 * ndimage.gaussian_filter(rng.normal(size=SHAPE), 1.2) / 0.11
    source = np.where(brain, np.clip(tissue, 0.05, 1), 0).astype(np.float32)
    truth = source.copy()
    truth[10:14, 12:18, 10:14] *= 0.4
    truth[16:19, 13:18, 12:16] *= 1.6
    return Pair(source, truth, brain)


def scores(pair, sample):
    case = Case(pair, np.asarray(sample, dtype=np.float32))
    return {name: metric.score(case) for name, metric in METRICS.items()}


def noisy(pair, sd):
    return pair.truth + np.random.default_rng(1).normal(0, sd, SHAPE) * pair.brain


def blurred(pair, sigma):
    return np.where(pair.brain, ndimage.gaussian_filter(pair.truth, sigma), 0)


def part_of_the_change(pair, share):
    return pair.source + share * (pair.truth - pair.source)


def worse(name, better, spoilt):
    return spoilt > better if name in LOW_IS_GOOD else spoilt < better


@pytest.mark.parametrize("name", METRICS)
def test_the_truth_itself_is_perfect(pair, name):
    metric = METRICS[name]
    assert metric.REGION in ("brain", "volume", "changed")
    assert metric.score(Case(pair, pair.truth)) == pytest.approx(PERFECT[name], nan_ok=True, abs=1e-6)


@pytest.mark.parametrize("name", COPIED)
def test_copying_the_source_foretells_no_change(pair, name):
    assert scores(pair, pair.source)[name] == COPIED[name]


def test_where_nothing_changed_the_change_metrics_are_undefined(pair):
    still = scores(Pair(pair.source, pair.source, pair.brain), pair.truth)
    assert all(np.isnan(still[name]) for name in (*COPIED, "mae_changed"))


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("spoilt", [blurred, noisy])
def test_more_blur_and_more_noise_cost_more(pair, name, spoilt):
    doses = (0.5, 0.8, 1.2) if spoilt is blurred else (0.02, 0.05, 0.1)
    found = [scores(pair, spoilt(pair, dose))[name] for dose in doses]
    if name == "change_sign_agreement":  # of what is well above the noise it keeps the sign
        assert found[-1] <= found[0]
    else:
        assert worse(name, found[0], found[1]) and worse(name, found[1], found[2])


@pytest.mark.parametrize("name", sorted({*METRICS} - {"change_correlation", "change_sign_agreement"}))
def test_the_more_of_a_known_change_is_foretold_the_better(pair, name):
    found = [scores(pair, part_of_the_change(pair, share))[name] for share in (0.1, 0.5, 0.9)]
    assert not worse(name, found[0], found[1]) and not worse(name, found[1], found[2])
    assert found[0] != found[2]


def test_half_the_change_is_half_missed_and_in_the_right_direction(pair):
    half = scores(pair, part_of_the_change(pair, 0.5))
    assert half["change_error"] == pytest.approx(0.5, abs=1e-5)
    assert half["change_correlation"] == pytest.approx(1)
    assert half["change_sign_agreement"] == 1


def test_the_opposite_change_is_worse_than_none(pair):
    opposite = scores(pair, part_of_the_change(pair, -1))
    assert opposite["change_correlation"] == pytest.approx(-1)
    assert opposite["change_error"] == pytest.approx(2, abs=1e-5)
    assert opposite["change_dice"] == 0 and opposite["change_sign_agreement"] == 0


@pytest.mark.parametrize("name", [*SIMILARITY, "mae_brain", "psnr_brain", "change_error"])
def test_another_persons_brain_is_worse_than_a_copy_of_ones_own(pair, name):
    stranger = np.where(pair.brain, np.roll(np.flip(pair.truth, 0), 2, axis=1), 0)
    assert worse(name, scores(pair, pair.source)[name], scores(pair, stranger)[name])


def test_empty_and_constant_volumes_are_rewarded_for_their_background_only(pair):
    roomy = Pair(*(np.pad(array, 16) for array in (pair.source, pair.truth, pair.brain)))
    copied = scores(roomy, roomy.source)
    for brightness in (0, 0.5):
        found = scores(roomy, np.where(roomy.brain, brightness, 0))
        assert found["ssim_brain"] < 0.6 < 0.8 < found["ssim_volume"] < copied["ssim_volume"]
        assert found["change_correlation"] < 0.2 and found["change_error"] > 1
        assert all(np.isfinite(value) for value in found.values())


def test_noise_outside_the_head_costs_only_the_unmasked_volume(pair):
    haze = np.where(pair.brain, 0, np.random.default_rng(2).uniform(0, 0.05, SHAPE))
    hazy, clear = scores(pair, pair.truth + haze), scores(pair, pair.truth)
    assert hazy["ssim_volume"] < 0.8
    for name in ("ssim_volume_masked", "ms_ssim_volume_masked", "psnr_brain", "mae_brain", "mae_changed"):
        assert hazy[name] == pytest.approx(clear[name], nan_ok=True), name


def random_volumes(seed):
    """A truth and a sample that resembles it, of a box without background."""
    truth, other = np.random.default_rng(seed).uniform(size=(2, *SHAPE)).astype(np.float32)
    return truth, (0.6 * truth + 0.4 * other).astype(np.float32)


@pytest.mark.parametrize("seed", range(3))
def test_ssim_and_psnr_agree_with_scikit_image_and_monai(seed):
    truth, sample = random_volumes(seed)
    everywhere = np.ones(SHAPE, dtype=bool)
    found = scores(Pair(truth, truth, everywhere), sample)
    value, of_voxels = structural_similarity(
        truth.astype(float), sample.astype(float), data_range=1.0, gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False, full=True,
    )  # fmt: skip
    batch = [torch.from_numpy(one)[None, None] for one in (sample, truth)]
    metric = SSIMMetric(spatial_dims=3, data_range=1.0, win_size=11, kernel_sigma=1.5)
    for name in ("ssim_volume", "ssim_volume_masked"):
        assert found[name] == pytest.approx(value, abs=1e-5)
        assert found[name] == pytest.approx(metric(*batch).item(), abs=1e-4)
    assert found["ssim_brain"] == pytest.approx(of_voxels.mean(), abs=1e-5)
    assert found["psnr_brain"] == pytest.approx(
        peak_signal_noise_ratio(truth, sample, data_range=1), abs=1e-4
    )


def test_ms_ssim_agrees_with_monai_over_the_scales_that_fit():
    truth, sample = random_volumes(3)
    scales = 2  # 28 and 14 voxels hold a window of 11, 7 do not
    weights = [weight / sum(WEIGHTS[:scales]) for weight in WEIGHTS[:scales]]
    metric = MultiScaleSSIMMetric(
        spatial_dims=3, data_range=1.0, kernel_size=11, kernel_sigma=1.5, weights=weights
    )
    theirs = metric(*(torch.from_numpy(one)[None, None] for one in (sample, truth))).item()
    found = scores(Pair(truth, truth, np.ones(SHAPE, dtype=bool)), sample)
    assert found["ms_ssim_volume_masked"] == pytest.approx(theirs, abs=1e-4)


@pytest.mark.parametrize("name", SIMILARITY)
def test_a_wider_box_of_nothing_is_counted_as_scikit_image_counts_it(pair, name):
    """Only the box around the brain is computed: what is left out must be exactly 1 and rightly counted."""
    widths = ((9, 14), (0, 33), (21, 2))
    wide = Pair(*(np.pad(array, widths) for array in (pair.source, pair.truth, pair.brain)))
    sample = np.pad(noisy(pair, 0.05), widths).astype(np.float32)
    assert np.prod([part.stop - part.start for part in wide.box]) < wide.truth.size
    value, of_voxels = structural_similarity(
        wide.truth.astype(float), sample.astype(float), data_range=1.0, gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False, full=True,
    )  # fmt: skip
    expected = {"ssim_brain": of_voxels[wide.brain].mean(), "ssim_volume": value, "ssim_volume_masked": value}
    if name in expected:
        assert scores(wide, sample)[name] == pytest.approx(expected[name], abs=1e-5)
    else:
        everywhere = Pair(wide.source, wide.truth, wide.brain)
        everywhere.box = tuple(slice(0, size) for size in wide.truth.shape)
        assert scores(wide, sample)[name] == pytest.approx(scores(everywhere, sample)[name], abs=1e-6)


def test_on_a_grid_smaller_than_a_window_means_over_the_volume_are_undefined():
    tiny = np.full((8, 8, 8), 0.5, np.float32)
    found = scores(Pair(tiny, 0.5 * tiny, tiny > 0), tiny)
    assert np.isnan(found["ssim_volume"]) and np.isnan(found["ms_ssim_volume_masked"])
    assert np.isfinite(found["ssim_brain"])
