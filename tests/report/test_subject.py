"""Each person has a page with what was foretold, and a warning where nobody like them was trained on."""

import pandas as pd
import pytest

from brainlapse import tables
from brainlapse.cli import main
from brainlapse.report.outside import Trained
from brainlapse.report.study import Study
from toy_samples import write_toy_samples
from toy_scores import score_all
from toy_study import COHORT, write_toy_study


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    results = write_toy_study(tmp_path_factory.mktemp("results"), subjects=8)
    return score_all(write_toy_samples(results))


def pages(results, title="t"):
    folder = results / "7_report" / "subjects"
    settings = f'{{"title": "{title}"}}'
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


@pytest.fixture
def trained(results):
    return Trained(Study(results))


def scan(**other) -> pd.Series:
    usual = {"age_years": 70.0, "sex": "F", "diagnosis": "CN", "field_strength_t": 3.0}
    return pd.Series(usual | other)


QUALITY = pd.Series({"brain_volume_ml": 1200.0, "template_correlation": 0.9})


def test_who_is_like_the_trained_gets_no_warning(trained):
    assert trained.warnings(scan(), QUALITY, [1, 2, 3]) == []


@pytest.mark.parametrize(("other", "said"), [
    ({"age_years": 95.0}, "Age 95"), ({"age_years": None}, "age at the scan is not known"),
    ({"sex": "O"}, "had the sex O"), ({"field_strength_t": 7.0}, "field strength 7"),
])  # fmt: skip
def test_who_is_unlike_them_is_told_so(trained, other, said):
    (warning,) = trained.warnings(scan(**other), QUALITY, [1])
    assert said in warning


def test_longer_times_and_other_brains_than_in_training_are_told(trained):
    quality = QUALITY.copy()
    quality["brain_volume_ml"] = 700.0
    asked, brain = trained.warnings(scan(), quality, [1, 5])
    assert "Asked for 5 years; the longest interval in training was 3.0" in asked
    assert "brain volume is 700 mL" in brain
