"""TemplateFlow is asked for what serves; no network and a broken cache are said in a sentence."""

import sys

import nibabel as nib
import numpy as np
import pytest

from brainlapse.errors import Refused
from brainlapse.template import templateflow


def save(path, data) -> None:
    nib.save(nib.Nifti1Image(data.astype(np.float32), np.eye(4)), path)


def test_an_absent_templateflow_is_named_with_the_remedies(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "templateflow.client", None)
    with pytest.raises(Refused, match=r"pip install templateflow.*folder of your own.*template: embedded"):
        templateflow.fetch("OASIS30ANTs", tmp_path / "out")


STORED = {
    "OASIS30ANTs": (
        *("res-01_T1w", "res-01_desc-brain_T1w", "res-01_label-brain_probseg", "res-01_label-WM_probseg"),
        *("res-01_desc-brain_mask", "res-01_desc-BrainCerebellumExtraction_mask"),
    ),
    "MNI152NLin6Asym": ("res-02_T1w", "res-01_T1w", "res-02_desc-brain_mask", "res-01_desc-brain_mask"),
    "SUIT": ("T1w",),
    "RESILIENT": ("PET",),
}  # names as TemplateFlow has them


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A TemplateFlow cache with some of its templates, files that are not fetched empty; and no network."""
    monkeypatch.setenv("TEMPLATEFLOW_HOME", str(tmp_path / "cache"))
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name, files in STORED.items():
        (tmp_path / "cache" / f"tpl-{name}").mkdir(parents=True)
        for file in files:
            stored(tmp_path / "cache", name, file).touch()
    return tmp_path / "cache"


def stored(cache, name: str, file: str):
    return cache / f"tpl-{name}" / f"tpl-{name}_{file}.nii.gz"


def test_without_network_the_message_says_so_and_nothing_is_left(cache, tmp_path):
    with pytest.raises(Refused, match=r"OASIS30ANTs could not be fetched.*network.*template: embedded"):
        templateflow.fetch("OASIS30ANTs", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("OASIS31", "has no template 'OASIS31'. It has .*OASIS30ANTs"),
        ("RESILIENT", "RESILIENT has no T1w image"),
        ("SUIT", "SUIT has no brain mask"),
    ],
)
def test_a_name_that_cannot_serve_is_refused(cache, tmp_path, name, message):
    with pytest.raises(Refused, match=message):
        templateflow.fetch(name, tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("OASIS30ANTs", ("res-01_T1w", "res-01_label-brain_probseg")),
        ("MNI152NLin6Asym", ("res-01_T1w", "res-01_desc-brain_mask")),
    ],
)
def test_what_templateflow_has_already_needs_no_network(cache, tmp_path, name, wanted):
    for number, file in enumerate(wanted):
        save(stored(cache, name, file), np.full((9, 9, 9), number))
    templateflow.fetch(name, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"tpl-{name}_{file}.nii.gz" for file in wanted
    ]


def test_a_broken_download_in_templateflows_cache_is_refused(cache, tmp_path):
    for file in STORED["OASIS30ANTs"]:
        save(stored(cache, "OASIS30ANTs", file), np.ones((9, 9, 9)))
    path = stored(cache, "OASIS30ANTs", "res-01_T1w")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(Refused, match=f"{path.name} cannot be read"):
        templateflow.fetch("OASIS30ANTs", tmp_path / "out")
