"""Each person has a page with what was foretold, and a warning where nobody like them was trained on."""

import base64
import io
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from brainlapse import tables
from brainlapse.cli import main
from brainlapse.report.outside import MEASURED, Trained, with_intensities
from brainlapse.report.pictures import change_between, slice_of
from brainlapse.report.pixels import change_levels
from brainlapse.report.study import Study
from brainlapse.report.subject_pictures import CHANGE_LIMIT, Slices
from toy_study import COHORT


@pytest.fixture
def results(scored):
    return scored


def pages(results, title="t", **more):
    folder = results / "7_report" / "subjects"
    settings = json.dumps({"title": title, **more})
    assert main([
        "report", "--subjects", "--results", str(results), "--settings", settings, "--out", str(folder),
    ]) == 0  # fmt: skip
    return folder


def test_everybody_who_was_tested_has_a_page_and_stands_in_the_list(results):
    folder = pages(results)
    splits = tables.read(results / "3_pairs" / "splits.tsv", tables.SPLITS)
    tested = set(splits.loc[splits["split"] == "test", "subject"])
    assert {path.stem for path in (folder / COHORT).glob("*.html")} == tested
    listed = (folder / "index.html").read_text(encoding="utf-8")
    assert all(f'href="{COHORT}/{subject}.html"' in listed for subject in tested)


def test_the_page_tells_what_was_foretold(results):
    folder = pages(results, "a & b")
    html = next((folder / COHORT).glob("*.html")).read_text(encoding="utf-8")
    scores = tables.read(results / "6_evaluate" / "scores.tsv", tables.SCORES)
    subject = next((folder / COHORT).glob("*.html")).stem
    wanted = {"model": "brainlapse", "subject": subject, "region": "ventricles"}
    wanted["metric"] = "volume_change_percent"
    told = scores[
        (scores[list(wanted)] == pd.Series(wanted)).all(axis=1) & scores["request"].str.endswith("_5y")
    ]
    assert f"{told['value'].iloc[0]:+.1f}" in html
    assert "5 years" in html and "1 year<" in html and "a &amp; b" in html
    assert "may not leave" in html and "<script" not in html and "http" not in html


def test_a_person_who_is_gone_leaves_no_page(results):
    folder = pages(results)
    (folder / COHORT / "old.html").write_text("old")
    assert not (pages(results) / COHORT / "old.html").exists()


def test_without_samples_the_list_says_so(tmp_path):
    (tmp_path / "results").mkdir()
    html = (pages(tmp_path / "results") / "index.html").read_text(encoding="utf-8")
    assert "Nobody’s follow-up was predicted" in html


def test_no_more_pages_than_asked_are_written(results):
    folder = pages(results, subject_pages=1)
    assert len(list((folder / COHORT).glob("*.html"))) == 1
    assert "The first 1 of 2 people" in (folder / "index.html").read_text(encoding="utf-8")
    folder = pages(results, subject_pages=0)
    assert not list(folder.glob("*/*.html"))
    assert "asks for none" in (folder / "index.html").read_text(encoding="utf-8")


def test_without_the_primary_model_the_best_one_that_was_trained_is_shown(results):
    folder = pages(results, primary="nobody")
    assert "what brainlapse predicts" in next((folder / COHORT).glob("*.html")).read_text(encoding="utf-8")


@pytest.mark.parametrize("plane", [0, 1])
def test_a_slice_of_change_is_the_same_as_that_of_the_whole_volume(plane):
    rng = np.random.default_rng(0)
    brain = np.zeros((20, 24, 18), bool)
    brain[2:17, 1:20, 3:16] = True
    source, volume = (np.where(brain, rng.uniform(-0.9, 0.9, brain.shape), -1) for _ in range(2))
    slices = Slices(source, brain)
    shown = slices.column("after 1 year", volume)["planes"][plane]
    whole = change_between(volume, source, brain)
    wanted = change_levels(slice_of(whole, shown["plane"], slices.centre, slices.box)[::-1], CHANGE_LIMIT)
    picture = Image.open(io.BytesIO(base64.b64decode(shown["change"].partition(",")[2])))
    assert (np.asarray(picture) == wanted).all()


def test_brightness_and_contrast_are_those_of_the_brain(results):
    study = Study(results)
    measured = with_intensities(study, study.quality)
    volumes = np.load(results / "2_preprocess" / COHORT / "volumes.npy")
    for _, row in measured.iterrows():
        packed = volumes[int(row["packed_row"])]
        low, median, high = np.percentile(packed[packed > 0] / 255, [25, 50, 75])
        assert row["brightness"] == pytest.approx(median, abs=1 / 255)
        assert row["contrast"] == pytest.approx(high - low, abs=2 / 255)


def test_without_a_packed_store_nothing_is_said_of_the_brightness(results):
    study = Study(results)
    elsewhere = study.quality.assign(cohort="other")
    assert with_intensities(study, elsewhere)[["brightness", "contrast"]].isna().all(axis=None)


@pytest.fixture
def trained(results):
    return Trained(Study(results))


def scan(**other) -> pd.Series:
    usual = {"age_years": 70.0, "sex": "F", "diagnosis": "CN", "field_strength_t": 3.0}
    return pd.Series(usual | other)


QUALITY = pd.Series(
    dict.fromkeys(MEASURED, np.nan) | {"brain_volume_ml": 1200.0, "template_correlation": 0.9}
)


def test_who_is_like_the_trained_gets_no_warning(trained):
    assert trained.warnings(scan(), QUALITY, [2, 3]) == []


@pytest.mark.parametrize(("other", "said"), [
    ({"age_years": 95.0}, "Age 95"), ({"age_years": None}, "age at the scan is not known"),
    ({"sex": "O"}, "had the sex O"), ({"field_strength_t": 7.0}, "field strength 7"),
])  # fmt: skip
def test_who_is_unlike_them_is_told_so(trained, other, said):
    (warning,) = trained.warnings(scan(**other), QUALITY, [2])
    assert said in warning


@pytest.mark.parametrize(("years", "said"), [
    ([2, 5], "Asked for 5 years; intervals in training were from 1.1 to 3.0 years."),
    ([0.1, 2, 10], "Asked for 0.1 and 10 years; intervals in training were from 1.1 to 3.0 years."),
])  # fmt: skip
def test_times_that_nobody_in_training_was_followed_for_are_told(trained, years, said):
    assert said in trained.warnings(scan(), QUALITY, years)


@pytest.mark.parametrize(("column", "value", "warned"), [
    ("brain_volume_ml", 700.0, True), ("brain_volume_ml", 1900.0, True), ("brightness", 0.1, True),
    ("contrast", 0.9, True), ("template_correlation", 0.5, True), ("template_correlation", 0.99, False),
    ("cut_cm2", 50.0, False),  # was not measured in training
])  # fmt: skip
def test_a_scan_unlike_those_of_training_is_told_so(trained, column, value, warned):
    measured = QUALITY.copy()
    measured[column] = value
    found = trained.warnings(scan(), measured, [2])
    assert len(found) == warned and all("1 % of the training scans" in one for one in found)


def test_nothing_is_compared_where_nothing_was_trained(tmp_path):
    (found,) = Trained(Study(tmp_path)).warnings(scan(), QUALITY, [1])
    assert "not known" in found
