"""A set is at no distance from itself, and the quick form gives torch-fidelity's number."""

import numpy as np
import pandas as pd
import pytest
import torch

from brainlapse.evaluate.distances import distributions, frechet, frechet_low_rank, kernel
from brainlapse.evaluate.features import DIMENSIONS, NAME, RandomFeatures
from brainlapse.evaluate.fidelity import torch_fidelity

WHO = {"model": "m", "cohort": "c"}


def features(n, shift=0.0, seed=0):
    return np.random.default_rng(seed).normal(shift, 1, (n, DIMENSIONS)) / np.arange(1, DIMENSIONS + 1)


@pytest.mark.parametrize("n", [5, 40, 200])
def test_a_set_has_no_distance_from_itself(n):
    one = features(n)
    assert frechet(one, one) == pytest.approx(0, abs=1e-6)
    assert frechet_low_rank(one, one) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("n", "m"), [(6, 6), (12, 40), (150, 200)])
def test_the_low_rank_form_is_the_same_number(n, m):
    one, other = features(n), features(m, shift=0.3, seed=1)
    assert frechet_low_rank(one, other) == pytest.approx(frechet(one, other), rel=1e-5)


def test_further_sets_are_further():
    one = features(60)
    for distance in (frechet, kernel):
        assert distance(one, features(60, 0.2, 1)) < distance(one, features(60, 1.0, 1))


def test_the_whole_way_through_torch_fidelity_gives_the_same_number():
    rng = np.random.default_rng(0)
    sets = [rng.uniform(0, high, (8, 12, 12, 12)).astype(np.float32) for high in (1, 0.8)]
    ours = frechet(*(np.stack([RandomFeatures()(volume) for volume in one]) for one in sets))
    theirs = torch_fidelity.calculate_metrics(
        input1=_Volumes(sets[0]), input2=_Volumes(sets[1]), feature_extractor=NAME, fid=True, cuda=False,
        cache=False, verbose=False, batch_size=3, save_cpu_ram=True,
    )  # fmt: skip
    assert ours == pytest.approx(theirs["frechet_inception_distance"], rel=1e-3)


def test_the_table_has_floor_interval_and_sizes():
    rows = [
        {"split": "test", "subject": f"s{n % 8}", "sample": sample, "truth": truth}
        for n, (sample, truth) in enumerate(zip(features(24, 0.5), features(24, seed=1), strict=True))
    ]
    table = distributions(pd.DataFrame(rows), WHO, seed=0)
    assert list(table["metric"]) == [f"frechet_{NAME}", f"kid_{NAME}"]
    assert (table["value_low"] < table["value"]).all() and (table["value"] < table["value_high"]).all()
    assert (table["n"] == 24).all() and (table["n_floor"] == 12).all() and (table["d"] == DIMENSIONS).all()
    pd.testing.assert_frame_equal(table, distributions(pd.DataFrame(rows), WHO, seed=0))


def test_too_few_people_leave_the_floor_undefined():
    rows = [{"split": "test", "subject": "s", "sample": features(1)[0], "truth": features(1, 1)[0]}]
    table = distributions(pd.DataFrame(rows), WHO, seed=0)
    assert table[["value", "value_low", "floor"]].isna().all(axis=None)


class _Volumes(torch.utils.data.Dataset):
    def __init__(self, volumes):
        self.volumes = volumes

    def __len__(self):
        return len(self.volumes)

    def __getitem__(self, index):
        return torch.from_numpy(self.volumes[index])[None]
