"""Sampling as a person meets it: tables and volumes out, whatever the batch, and refusals."""

import json
from argparse import Namespace

import nibabel as nib
import numpy as np
import pytest
import torch

from brainlapse import sample, tables
from brainlapse.errors import Refused
from brainlapse.models.stored import Recipe, save_settings, save_weights
from brainlapse.sample.requests import requests_of, source_seed
from brainlapse.volumes import brain_of, read_volume, write_volume
from toy_study import COHORT, GRID, write_toy_study

SWEEP = [1, 2.5]
TRAINED = {
    "seed": 0, "grid": {"shape": list(GRID.shape), "spacing_mm": GRID.spacing_mm}, "family": "diffusion",
    "network": {"patch": 2, "channels": [8, 16], "attention_levels": [1]}, "training": {},
}  # fmt: skip


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The toy study with an untrained but not idle model in 4_train."""
    results = write_toy_study(tmp_path_factory.mktemp("study"), subjects=8)
    write_model(results / "4_train" / "toy_model")
    return results


def write_model(folder, **row):
    torch.manual_seed(0)
    model = Recipe.read(TRAINED | row).build()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    model.usual.sd.fill_(0.1)
    save_settings(TRAINED | row, folder)
    save_weights(model, folder)


def options_for(study, out, model="toy_model", batch=1, **sampling):
    return Namespace(
        model=model,
        weights=None if model in ("copy", "zero") else study / "4_train" / "toy_model",
        cohort=COHORT,
        pairs=study / "3_pairs" / "pairs.tsv",
        quality=study / "2_preprocess" / COHORT / "quality.tsv",
        threads=1,
        batch=batch,
        shard=None,
        gather=None,
        settings={"seed": 0, "intervals_years": SWEEP, "sampling": sampling},
        out=out,
    )


def sampled(options):
    """Run the stage; return its two tables and every sample by (request, draw)."""
    sample.run(options)
    requests = tables.read(options.out / "requests.tsv", tables.REQUESTS)
    samples = tables.read(options.out / "samples.tsv", tables.SAMPLES)
    volumes = {(row.request, row.draw): read_volume(options.out / row.image) for row in samples.itertuples()}
    return requests, samples, volumes


def source_of(study, scan):
    quality = tables.read(study / "2_preprocess" / COHORT / "quality.tsv", tables.QUALITY)
    image = quality.set_index("scan")["image"][scan]
    return read_volume(study / "2_preprocess" / COHORT / image)


def test_every_test_pair_and_every_interval_of_the_sweep_is_answered(study, tmp_path):
    requests, samples, volumes = sampled(options_for(study, tmp_path))
    pairs = tables.read(study / "3_pairs" / "pairs.tsv", tables.PAIRS)
    tested = pairs[pairs["split"] == "test"]
    sweep = requests[requests["target_scan"].isna()]
    assert set(tested["pair"]) < set(requests["request"]) and len(requests) == len(tested) + len(sweep)
    # The first scan of subject 3 is I30, of subject 7 I70.
    assert set(sweep["request"]) == {f"toy_{scan}_{years:g}y" for scan in ("I30", "I70") for years in SWEEP}
    assert samples["image"][0] == ("sub-003_S_0001/toy_I30_I31_draw-0_T1w.nii.gz")
    for row in requests.itertuples():
        volume, affine = volumes[row.request, 0]
        source, source_affine = source_of(study, row.source_scan)
        np.testing.assert_array_equal(affine, source_affine)
        assert (volume[source == -1] == -1).all() and volume.min() >= -1 and volume.max() <= 1
        assert not np.array_equal(volume, source)


def test_a_sample_depends_on_its_request_and_not_on_its_batch(study, tmp_path):
    several = {"steps": 3, "draws": 2, "sampler": "ddpm"}
    _, _, alone = sampled(options_for(study, tmp_path / "1", batch=1, **several))
    _, _, together = sampled(options_for(study, tmp_path / "5", batch=5, **several))
    assert alone.keys() == together.keys() and len(alone) == 2 * 10
    for key, (volume, _) in alone.items():
        # The noise is the same; convolutions may sum in another order for another batch size.
        np.testing.assert_allclose(together[key][0], volume, rtol=0, atol=1e-4)
    request = "toy_I30_I31"
    assert np.abs(alone[request, 0][0] - alone[request, 1][0]).max() > 0.01


def test_shards_put_together_are_what_one_job_makes(study, tmp_path):
    whole = options_for(study, tmp_path / "whole", draws=2)
    sample.run(whole)
    parts = options_for(study, tmp_path / "parts", draws=2)
    made = 0
    for parts.shard in ("1/3", "2/3", "3/3"):
        sample.run(parts)
        assert not (parts.out / "samples.tsv").exists()
        now = len(list(parts.out.rglob("*.nii.gz")))
        assert 0 < now - made < 20 * 2 / 3
        made = now
    parts.shard, parts.gather = None, 3
    sample.run(parts)
    for path in whole.out.rglob("*"):
        assert path.is_dir() or path.read_bytes() == (parts.out / path.relative_to(whole.out)).read_bytes()
    parts.settings["intervals_years"] = [7]
    with pytest.raises(Refused, match=r"answer other requests.*Run every shard again"):
        sample.run(parts)


@pytest.mark.parametrize("shard", ["0/2", "3/2", "2", "1/0", "a/b"])
def test_what_is_no_shard_is_refused(study, tmp_path, shard):
    options = options_for(study, tmp_path)
    options.shard = shard
    with pytest.raises(Refused, match="such as 2/8, not"):
        sample.run(options)


def test_a_model_that_is_told_the_history_heeds_the_accepted_scans_before_the_source(tmp_path):
    study = write_toy_study(tmp_path / "study", subjects=4)
    write_model(study / "4_train" / "toy_model", conditions=["source", "interval", "history"])
    _, _, before = sampled(options_for(study, tmp_path / "before", batch=4))
    earliest, _ = source_of(study, "I30")
    quality = study / "2_preprocess" / COHORT / "quality.tsv"
    rows = tables.read(quality, tables.QUALITY)
    image = quality.parent / rows.set_index("scan")["image"]["I30"]
    write_volume(image, np.where(earliest > -1, earliest * 0.5, -1).astype(np.float32), GRID.affine)
    _, _, brighter = sampled(options_for(study, tmp_path / "brighter", batch=4))
    assert not np.array_equal(before["toy_I31_I32", 0][0], brighter["toy_I31_I32", 0][0])

    rows.loc[rows["scan"] == "I30", "status"] = "quarantined"
    tables.write(rows, quality, tables.QUALITY)
    pairs = tables.read(study / "3_pairs" / "pairs.tsv", tables.PAIRS)
    tables.write(pairs[pairs["source_scan"] == "I31"], study / "3_pairs" / "pairs.tsv", tables.PAIRS)
    _, _, without = sampled(options_for(study, tmp_path / "without", batch=4))
    assert not np.array_equal(without["toy_I31_I32", 0][0], before["toy_I31_I32", 0][0])


def test_the_same_call_gives_the_same_bytes(study, tmp_path):
    for name in ("one", "two"):
        sample.run(options_for(study, tmp_path / name))
    ones = sorted(path for path in (tmp_path / "one").rglob("*") if path.is_file())
    for one in ones:
        assert one.read_bytes() == (tmp_path / "two" / one.relative_to(tmp_path / "one")).read_bytes()


def test_copy_points_to_the_source_and_writes_no_volume(study, tmp_path):
    requests, _, volumes = sampled(options_for(study, study / "5_sample" / "copy" / COHORT, model="copy"))
    for row in requests.itertuples():
        np.testing.assert_array_equal(volumes[row.request, 0][0], source_of(study, row.source_scan)[0])
    assert not list((study / "5_sample").rglob("*.nii.gz"))


def test_zero_is_one_empty_volume(study, tmp_path):
    _, samples, volumes = sampled(options_for(study, tmp_path, model="zero"))
    assert samples["image"].nunique() == 1
    assert all((volume == -1).all() and volume.shape == GRID.shape for volume, _ in volumes.values())


def test_people_of_two_scans_have_no_history_and_are_asked_for_all_the_same(study, tmp_path):
    """A table in which a column is missing throughout is read back as one of numbers."""
    pairs = tables.read(study / "3_pairs" / "pairs.tsv", tables.PAIRS)
    later = pairs[pairs["history"].isna() & (pairs["split"] == "test")].drop_duplicates("subject")
    tables.write(later, tmp_path / "pairs.tsv", tables.PAIRS)
    alone = tables.read(tmp_path / "pairs.tsv", tables.PAIRS)
    requests = requests_of(alone, COHORT, [1.5], seed=0)
    assert len(requests) == 2 * len(later) > 0


def test_a_seed_belongs_to_the_name_of_a_source(study):
    pairs = tables.read(study / "3_pairs" / "pairs.tsv", tables.PAIRS)
    requests = requests_of(pairs, COHORT, SWEEP, seed=0).set_index("request")
    fewer = requests_of(pairs.iloc[::-1], COHORT, [2.5], seed=0).set_index("request")
    assert (requests["seed"][fewer.index] == fewer["seed"]).all()
    assert requests["seed"].nunique() == requests["source_scan"].nunique() > 1
    assert (requests.groupby("source_scan")["seed"].nunique() == 1).all()
    assert requests["seed"]["toy_I30_I31"] == source_seed(0, COHORT, "I30")
    others = {source_seed(1, COHORT, "I30"), source_seed(0, "other", "I30"), source_seed(0, COHORT, "I31")}
    assert len(others | {source_seed(0, COHORT, "I30")}) == 4


def test_a_draw_is_one_future_asked_for_after_more_and_more_years(study, tmp_path):
    """Of the average motion at a drawn pace: the change grows with the years, draw by draw."""
    row = {"seed": 0, "grid": TRAINED["grid"], "family": "average", "start": "paced"}
    model = Recipe.read(row).build()
    model.usual.mean[:, 3:].fill_(0.01)  # of brightness
    model.usual.pace.spread.fill_(0.5)
    save_settings(row, tmp_path / "paced")
    save_weights(model, tmp_path / "paced")
    asked = options_for(study, tmp_path / "out", draws=2, pace="drawn")
    asked.weights = tmp_path / "paced"
    _, _, volumes = sampled(asked)
    source, _ = source_of(study, "I30")
    sooner, later = (
        [volumes[f"toy_I30_{years:g}y", draw][0] - source for draw in range(2)] for years in SWEEP
    )
    inside = (source > -0.9) & (source < 0.9)
    for early, late in zip(sooner, later, strict=True):
        np.testing.assert_allclose(SWEEP[1] / SWEEP[0] * early[inside], late[inside], rtol=0, atol=1e-5)
    assert np.abs(sooner[0] - sooner[1])[inside].min() > 1e-4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cohort": "nobody"}, "cohort nobody has no test subject"),
        ({"weights": None}, "--weights: toy_model is no floor"),
        ({"weights": "nowhere"}, "settings.json is not there. Train the model first"),
        ({"sampling": {"sampler": "euler"}}, "models.toy_model.sampling.sampler: must be one of ddim, ddpm"),
        ({"sampling": {"steps": 2000}}, "sampling.steps: 2000 is more than the 1000 timesteps"),
    ],
)
def test_what_cannot_be_is_refused(study, tmp_path, change, message):
    options = options_for(study, tmp_path, **change.pop("sampling", {}))
    for name, value in change.items():
        setattr(options, name, tmp_path / value if value == "nowhere" else value)
    with pytest.raises(Refused, match=message):
        sample.run(options)


STORED_AS, SCAN_SHAPE = "PSR", (30, 27, 24)


def write_sidecars(study):
    """What preprocessing says of every scan: a turned head, stored as PSR; return affine and grid → scan."""
    affine = np.array([[0, 0, 8.0, -92], [-8.0, 0, 0, 105], [0, 8.0, 0, -98], [0, 0, 0, 1]])
    grid_to_scan = np.eye(4)
    grid_to_scan[:2, :2] = [[0.98, -0.17], [0.17, 0.98]]
    told = {"ScanShape": SCAN_SHAPE, "ScanAffine": affine.tolist()}
    told |= {"GridToScanMillimetresRAS": grid_to_scan.tolist()}
    for image in (study / "2_preprocess" / COHORT).rglob("*_T1w.nii.gz"):
        image.with_name(image.name.removesuffix(".nii.gz") + ".json").write_text(json.dumps(told))
    return affine, grid_to_scan


def test_with_native_each_sample_is_written_in_its_source_scans_own_voxels_too(study, tmp_path):
    affine, grid_to_scan = write_sidecars(study)
    assert "".join(nib.aff2axcodes(affine)) == STORED_AS
    options = options_for(study, tmp_path)
    options.settings["native"] = True
    _, samples, volumes = sampled(options)
    for row in samples.itertuples():
        path = tmp_path / row.image.replace("_T1w", "_space-native_T1w")
        native, found = read_volume(path)
        assert native.shape == SCAN_SHAPE
        np.testing.assert_allclose(found, affine, atol=1e-5)
        volume, grid_affine = volumes[row.request, row.draw]
        centres = [
            matrix @ np.append(np.argwhere(brain_of(array)).mean(axis=0), 1)
            for matrix, array in ((affine, native), (grid_to_scan @ grid_affine, volume))
        ]
        np.testing.assert_allclose(*centres, atol=1.5)
        assert brain_of(native).sum() * 8.0**3 == pytest.approx(
            brain_of(volume).sum() * GRID.spacing_mm**3, rel=0.05
        )
    assert len(list(tmp_path.rglob("*_space-native_*"))) == len(samples)


@pytest.mark.parametrize("model", ["toy_model", "copy", "zero"])
def test_without_native_and_for_the_floors_no_such_file_is_written(study, tmp_path, model):
    write_sidecars(study)
    options = options_for(study, tmp_path, model=model)
    options.settings["native"] = model != "toy_model"
    sample.run(options)
    assert not list(tmp_path.rglob("*native*"))


def test_native_of_a_scan_preprocessed_before_it_was_told_how_it_lies_is_refused(study, tmp_path):
    write_sidecars(study)
    for sidecar in (study / "2_preprocess" / COHORT).rglob("*_T1w.json"):
        sidecar.write_text('{"ScanShape": [30, 27, 24]}')
    options = options_for(study, tmp_path)
    options.settings["native"] = True
    with pytest.raises(
        Refused, match=r"_T1w\.json does not say .* which sample.native needs .*Run the stage"
    ):
        sample.run(options)
