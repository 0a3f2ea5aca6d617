"""A set is at no distance from itself, what differs more is further, and the floor is of as many scans."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from brainlapse.evaluate.distances import (
    DISTANCES,
    Sets,
    distributions,
    frechet,
    frechet_low_rank,
    kernel,
    precision,
    recall,
)
from brainlapse.evaluate.features import DIMENSIONS, NAME, RandomFeatures
from brainlapse.evaluate.fidelity import torch_fidelity

WHO = {"model": "m", "cohort": "c"}


def features(n, shift=0.0, seed=0):
    return np.random.default_rng(seed).normal(shift, 1, (n, DIMENSIONS)) / np.arange(1, DIMENSIONS + 1)


def sets(n=24, people=8, others=0, rows=1):
    """Samples and truths of `people`, `rows` features a volume, and scans of others."""
    drawn = [features(n * rows, 0.5), features(n * rows, seed=1), features(others * rows, seed=2)]
    samples, truths, others = (list(one.reshape(-1, rows, DIMENSIONS)) for one in drawn)
    return Sets([f"s{number % people}" for number in range(n)], samples, truths, others)


def table(found, seed=0):
    return distributions({("test", NAME): found}, WHO, seed).set_index("metric")


@pytest.mark.parametrize("n", [5, 40, 200])
def test_a_set_has_no_distance_from_itself(n):
    one = features(n)
    assert frechet(one, one) == pytest.approx(0, abs=1e-6)
    assert frechet_low_rank(one, one) == pytest.approx(0, abs=1e-9)
    assert precision(one, one) == recall(one, one) == 1


@pytest.mark.parametrize(("n", "m"), [(6, 6), (12, 40), (150, 200)])
def test_the_low_rank_form_is_the_same_number(n, m):
    one, other = features(n), features(m, shift=0.3, seed=1)
    assert frechet_low_rank(one, other) == pytest.approx(frechet(one, other), rel=1e-5)


def test_further_sets_are_further():
    one = features(60)
    for distance in (frechet, kernel):
        assert distance(one, features(60, 0.2, 1)) < distance(one, features(60, 1.0, 1))


def test_two_sets_of_one_distribution_have_no_kernel_distance_on_average_but_a_frechet_distance():
    """The bias that makes a Fréchet distance of few volumes worthless without its floor."""
    pairs = [(features(30, seed=seed), features(30, seed=100 + seed)) for seed in range(20)]
    kernels = np.array([kernel(*pair) for pair in pairs])
    assert abs(kernels.mean()) < 3 * kernels.std() / np.sqrt(len(kernels))
    frechets = np.array([frechet_low_rank(*pair) for pair in pairs])
    assert frechets.min() > 0.1


def test_a_set_of_one_kind_is_precise_and_recalls_little():
    truths = features(60)
    collapsed = truths[0] + 0.01 * features(60, seed=1)
    assert precision(collapsed, truths) > 0.9 and recall(collapsed, truths) < 0.1


def brains(n, seed):
    rng = np.random.default_rng(seed)
    radius = np.linalg.norm(np.stack(np.meshgrid(*[np.linspace(-1, 1, 20)] * 3)), axis=0)
    return [
        np.where(
            radius < rng.uniform(0.6, 0.9), ndimage.gaussian_filter(rng.uniform(size=radius.shape), 1), 0
        )
        for _ in range(n)
    ]


@pytest.mark.parametrize("distance", [frechet_low_rank, kernel])
def test_blur_noise_and_contrast_take_brains_away_from_real_ones(distance):
    space, real, others = RandomFeatures(), brains(24, 0), brains(24, 1)
    rng = np.random.default_rng(2)
    spoil = {
        "blur": lambda volume, dose: ndimage.gaussian_filter(volume, dose),
        "noise": lambda volume, dose: volume + rng.normal(0, 0.1 * dose, volume.shape) * (volume > 0),
        "contrast": lambda volume, dose: volume * (1 - 0.3 * dose),
    }

    def seen(volumes):
        return np.concatenate([space(volume) for volume in volumes])

    for name, spoilt in spoil.items():
        found = [distance(seen([spoilt(v, dose) for v in others]), seen(real)) for dose in (0, 0.8, 1.6)]
        assert found[0] < found[1] < found[2], name


def test_the_whole_way_through_torch_fidelity_gives_the_same_numbers():
    rng = np.random.default_rng(0)
    sets = [rng.uniform(0, high, (8, 12, 12, 12)).astype(np.float32) for high in (1, 0.8)]
    ours = [np.concatenate([RandomFeatures()(volume) for volume in one]) for one in sets]
    theirs = torch_fidelity.calculate_metrics(
        input1=_Volumes(sets[0]), input2=_Volumes(sets[1]), feature_extractor=NAME, fid=True, prc=True,
        cuda=False, cache=False, verbose=False, batch_size=3, save_cpu_ram=True,
    )  # fmt: skip
    assert frechet(*ours) == pytest.approx(theirs["frechet_inception_distance"], rel=1e-3)
    assert (precision(*ours), recall(*ours)) == (theirs["precision"], theirs["recall"])


@pytest.mark.parametrize(("others", "n_floor", "floor_of"), [
    (24, 24, "scans of other people"), (10, 12, "two halves of the people"),
])  # fmt: skip
def test_the_table_has_floor_interval_and_sizes(others, n_floor, floor_of):
    found = table(sets(others=others))
    assert list(found.index) == [f"{name}_{NAME}" for name in DISTANCES]
    assert (found["n"] == 24).all() and (found["d"] == DIMENSIONS).all()
    assert (found["n_floor"] == n_floor).all() and (found["floor_of"] == floor_of).all()
    for metric in (f"frechet_{NAME}", f"kid_{NAME}"):
        row = found.loc[metric]
        assert row["value_low"] < row["value"] < row["value_high"]
        assert row["floor"] < row["value"]  # the samples are shifted, the others are not
    assert found.loc[f"recall_{NAME}", ["value_low", "value_high"]].isna().all()
    assert found.equals(table(sets(others=others)))


def test_fewer_people_make_a_wider_interval():
    wide, narrow = (table(sets(n=n, people=n)).loc[f"kid_{NAME}"] for n in (8, 64))
    assert wide["value_high"] - wide["value_low"] > narrow["value_high"] - narrow["value_low"]


def test_several_rows_a_volume_are_drawn_together():
    found = table(sets(rows=3))
    assert (found["n"] == 24).all() and found.loc[f"kid_{NAME}", "value_low"] < found.loc[
        f"kid_{NAME}", "value"
    ]


def test_too_few_people_leave_the_floor_undefined():
    found = table(sets(n=1, people=1))
    assert found[["value", "value_low", "floor"]].isna().all(axis=None)


class _Volumes(torch.utils.data.Dataset):
    def __init__(self, volumes):
        self.volumes = volumes

    def __len__(self):
        return len(self.volumes)

    def __getitem__(self, index):
        return torch.from_numpy(self.volumes[index])[None]
