"""The pairs of a split as batches: the right voxels from any store, scans before the source, the digest."""

import numpy as np
import pytest
import torch

from brainlapse import tables
from brainlapse.errors import Refused
from brainlapse.train.pairs import TrainingPairs, unpacked
from brainlapse.volumes import from_bytes
from toy_study import COHORT, GRID, write_toy_study

CPU = torch.device("cpu")


@pytest.fixture
def study(tmp_path):
    """Six people of three visits, four of them to train on; the first has a pair with two earlier scans."""
    results = write_toy_study(tmp_path, subjects=6)
    pairs = tables.read(results / "3_pairs" / "pairs.tsv", tables.PAIRS)
    row = pairs.index[(pairs["source_scan"] == "I1") & (pairs["target_scan"] == "I2")][0]
    pairs.loc[row, ["history", "history_years"]] = ["I0,I10", "1.25,2.5"]
    tables.write(pairs, results / "3_pairs" / "pairs.tsv", tables.PAIRS)
    return results


def store_of(study):
    return study / "2_preprocess" / COHORT / "volumes.npy"


def quality_of(study):
    return study / "2_preprocess" / COHORT / "quality.tsv"


def pairs_of(study, **asked):
    return TrainingPairs(study / "3_pairs" / "pairs.tsv", [quality_of(study)], GRID.shape, **asked)


def edited(study, change):
    """The pairs of the study after `change` of its volumes, (N, X, Y, Z)."""
    volumes = np.load(store_of(study))
    volumes = change(volumes)
    np.save(store_of(study), volumes)
    return study


def as_halves(study):
    return edited(study, lambda volumes: from_bytes(volumes).astype(np.float16))


def index_of(pairs, source, target):
    found = (pairs.table["source_scan"] == source) & (pairs.table["target_scan"] == target)
    return int(np.flatnonzero(found)[0])


def packed_row(study, scan):
    quality = tables.read(quality_of(study), tables.QUALITY)
    return int(quality.set_index("scan")["packed_row"][scan])


@pytest.mark.parametrize("where", ["mapped", "device"])
@pytest.mark.parametrize("kind", [np.uint8, np.float16])
def test_a_batch_holds_what_the_store_holds(study, where, kind):
    study = as_halves(study) if kind is np.float16 else study
    volumes = np.load(store_of(study))
    pairs = pairs_of(study, where=where, history=True)
    wanted = [index_of(pairs, "I11", "I12"), index_of(pairs, "I1", "I2"), index_of(pairs, "I0", "I1")]
    packed = pairs.batch(wanted)
    assert packed.source.dtype == {np.uint8: torch.uint8, np.float16: torch.float16}[kind]
    batch = unpacked(packed, CPU)
    plain = from_bytes if kind is np.uint8 else (lambda halves: halves.astype(np.float32))

    def volume(scan):
        return plain(volumes[packed_row(study, scan)])

    for place, (source, target) in enumerate([("I11", "I12"), ("I1", "I2"), ("I0", "I1")]):
        np.testing.assert_array_equal(batch.source[place, 0].numpy(), volume(source))
        np.testing.assert_array_equal(batch.target[place, 0].numpy(), volume(target))
    # One earlier scan, two, and none.
    np.testing.assert_array_equal(batch.history[0, 0].numpy(), volume("I10"))
    np.testing.assert_array_equal(batch.history[1].numpy(), np.stack([volume("I0"), volume("I10")]))
    assert batch.history.shape == (3, 2, *GRID.shape)
    assert (batch.history[0, 1] == -1).all() and (batch.history[2] == -1).all()
    nan = torch.nan
    expected = torch.tensor([[400 / 365.25, nan], [1.25, 2.5], [nan, nan]])
    torch.testing.assert_close(batch.history_years, expected, rtol=0, atol=1e-3, equal_nan=True)


def test_a_model_that_is_not_told_the_history_reads_none(study):
    batch = unpacked(pairs_of(study).batch([0, 1]), CPU)
    assert batch.history is None and batch.history_years is None


def test_an_earlier_scan_that_was_not_accepted_is_left_out(study):
    quality = tables.read(quality_of(study), tables.QUALITY)
    quality.loc[quality["scan"] == "I10", ["status", "reason"]] = ["quarantined", "blurred"]
    tables.write(quality, quality_of(study), tables.QUALITY)
    table = tables.read(study / "3_pairs" / "pairs.tsv", tables.PAIRS)
    table = table[(table["source_scan"] != "I10") & (table["target_scan"] != "I10")]
    tables.write(table, study / "3_pairs" / "pairs.tsv", tables.PAIRS)
    pairs = pairs_of(study, history=True)
    batch = pairs.batch([index_of(pairs, "I1", "I2"), index_of(pairs, "I11", "I12")])
    assert batch.history_years.tolist()[0] == [1.25] and batch.history_years.isnan()[1].all()


def test_a_study_without_earlier_scans_has_no_history(study):
    table = tables.read(study / "3_pairs" / "pairs.tsv", tables.PAIRS)
    table[["history", "history_years"]] = None
    tables.write(table, study / "3_pairs" / "pairs.tsv", tables.PAIRS)
    assert pairs_of(study, history=True).batch([0]).history is None


def test_another_split_may_be_of_few_people_or_nobody(study):
    assert pairs_of(study, split="test").subjects == 1
    assert len(pairs_of(study, split="validation", where="device")) == 0


def test_the_digest_knows_every_voxel_that_is_seen(study):
    rng, before = np.random.default_rng(0), pairs_of(study).digest()
    assert pairs_of(study).digest() == before
    for scan in ("I0", "I12", "I22"):  # the first of one person, the last of others
        place = (packed_row(study, scan), *(rng.integers(side) for side in GRID.shape))

        def other(volumes, place=place):
            volumes[place] ^= 1
            return volumes

        assert pairs_of(edited(study, other)).digest() != before
        assert pairs_of(edited(study, other)).digest() == before


def test_the_digest_does_not_mind_what_is_not_seen(study):
    before = pairs_of(study).digest()
    unused = packed_row(study, "I30")  # of a person in the test split

    def others_voxel(volumes):
        volumes[unused, 3, 3, 3] ^= 1
        return volumes

    assert pairs_of(edited(study, others_voxel)).digest() == before
    edited(study, lambda volumes: volumes[::-1])
    quality = tables.read(quality_of(study), tables.QUALITY)
    quality["packed_row"] = len(quality) - 1 - quality["packed_row"]
    tables.write(quality, quality_of(study), tables.QUALITY)
    assert pairs_of(study).digest() == before


@pytest.mark.parametrize(
    ("column", "value"), [("interval_years", 9.0), ("diagnosis", "AD"), ("target_scan", "I2"), ("sex", "M")]
)
def test_the_digest_knows_the_table(study, column, value):
    before = pairs_of(study).digest()
    table = tables.read(study / "3_pairs" / "pairs.tsv", tables.PAIRS)
    first = table.index[(table["source_scan"] == "I0") & (table["target_scan"] == "I1")]
    assert (table.loc[first, column] != value).all()
    table.loc[first, column] = value
    tables.write(table, study / "3_pairs" / "pairs.tsv", tables.PAIRS)
    assert pairs_of(study).digest() != before


def test_the_digest_knows_the_history_of_those_who_are_told_it(study):
    before, before_told = pairs_of(study).digest(), pairs_of(study, history=True).digest()
    table = tables.read(study / "3_pairs" / "pairs.tsv", tables.PAIRS)
    table.loc[table["history_years"] == "1.25,2.5", "history_years"] = "1.25,3.5"
    tables.write(table, study / "3_pairs" / "pairs.tsv", tables.PAIRS)
    assert pairs_of(study).digest() == before
    assert pairs_of(study, history=True).digest() != before_told


def test_the_digest_is_the_same_wherever_the_volumes_are(study):
    assert pairs_of(study).digest() == pairs_of(study, where="device").digest()


def test_cohorts_that_are_packed_differently_are_refused(study, tmp_path):
    other = write_toy_study(tmp_path / "other", subjects=3)
    as_halves(other)
    both = [quality_of(study), quality_of(other)]
    with pytest.raises(Refused, match=r"packed differently\. Run preprocess again"):
        TrainingPairs(study / "3_pairs" / "pairs.tsv", both, GRID.shape)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda volumes: volumes.astype(np.float32), "holds float32 volumes"),
        (lambda volumes: volumes[:, 1:], r"volumes of \[15, 20, 16\] voxels; grid.shape is \[16, 20, 16\]"),
        (lambda volumes: volumes[:5], "names a packed_row beyond the 5 of volumes.npy"),
    ],
)
def test_a_store_that_does_not_fit_is_refused(study, change, message):
    with pytest.raises(Refused, match=message):
        pairs_of(edited(study, change))


def test_a_place_that_is_none_is_refused(study):
    with pytest.raises(Refused, match=r"train\.volumes: must be one of mapped, device"):
        pairs_of(study, where="disk")


def test_a_broken_or_absent_store_is_refused(study):
    store_of(study).write_bytes(store_of(study).read_bytes()[:1000])
    with pytest.raises(Refused, match="cannot be read"):
        pairs_of(study)
    store_of(study).unlink()
    with pytest.raises(Refused, match="is not there"):
        pairs_of(study)
