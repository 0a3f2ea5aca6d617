"""Label maps of the user's own are counted in millilitres, whatever their grid, and may be missing."""

import numpy as np
import pytest

from brainlapse import tables
from brainlapse.errors import Refused
from brainlapse.evaluate.labels import LABELS, LabelMaps
from brainlapse.volumes import write_volume
from toy_samples import write_toy_samples
from toy_scores import SETTINGS, score
from toy_study import COHORT, write_toy_study

SHAPE, VOXEL_MM = (10, 10, 10), 2.0


def write_map(path, ventricles: int):
    """A map with so many voxels of the ventricles, 100 of the hippocampi, 200 of white matter."""
    labels = np.zeros(np.prod(SHAPE), np.int16)
    labels[:ventricles] = np.resize([4, 43], ventricles)
    labels[500:600], labels[700:900] = np.resize([17, 53], 100), 41
    write_volume(path, labels.reshape(SHAPE), np.diag([VOXEL_MM, VOXEL_MM, VOXEL_MM, 1.0]))


def test_voxels_become_millilitres(tmp_path):
    write_map(tmp_path / "c" / "I1.nii.gz", 250)
    found = LabelMaps(str(tmp_path), "m", "c").of_scan("I1")
    assert set(found) == set(LABELS)
    assert found["labels_ventricles"] == pytest.approx(2.0)
    assert found["labels_hippocampi"] == pytest.approx(0.8)
    assert found["labels_white"] == pytest.approx(1.6)
    assert found["labels_brain"] == pytest.approx(2.4)  # fluid is no brain


def test_a_missing_map_is_no_number_and_a_missing_folder_is_refused(tmp_path):
    assert all(np.isnan(v) for v in LabelMaps(str(tmp_path), "m", "c").of_sample("x.nii.gz", "I1").values())
    with pytest.raises(Refused, match=r"label_maps: there is no folder"):
        LabelMaps(str(tmp_path / "gone"), "m", "c")


def test_they_are_scored_beside_the_templates_regions(tmp_path, monkeypatch):
    results = write_toy_samples(write_toy_study(tmp_path, subjects=4), ("brainlapse", "copy"))
    requests = tables.read(results / "5_sample/copy" / COHORT / "requests.tsv", tables.REQUESTS)
    maps = tmp_path / "maps"
    for scan in set(requests["source_scan"]) | set(requests["target_scan"].dropna()):
        write_map(maps / COHORT / f"{scan}.nii.gz", 200 if scan in set(requests["source_scan"]) else 250)
    first = requests[requests["target_scan"].notna()].iloc[0]
    samples = tables.read(results / "5_sample/brainlapse" / COHORT / "samples.tsv", tables.SAMPLES)
    image = samples.set_index("request").at[first["request"], "image"]
    write_map(maps / "brainlapse" / COHORT / image, 240)
    monkeypatch.setitem(SETTINGS, "label_maps", str(maps))
    for model in ("brainlapse", "copy"):
        assert score(results, model) == 0
    found = {
        model: tables.read(results / "6_evaluate" / model / COHORT / "scores.tsv", tables.SCORES).set_index(
            ["request", "region", "metric"]
        )["value"]
        for model in ("brainlapse", "copy")
    }
    where = (first["request"], "labels_ventricles", "volume_change_percent")
    assert found["brainlapse"][where] == pytest.approx(20)
    assert found["copy"][where] == 0
    undefined = found["brainlapse"].xs(("labels_ventricles", "volume_ml"), level=("region", "metric")).isna()
    assert undefined.sum() == len(requests) - 1  # of the other samples there is no map
