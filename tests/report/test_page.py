"""The page is one safe file that holds every model, names what is missing and never flatters."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from brainlapse import report, tables
from brainlapse.cli import main
from toy_samples import MODELS, write_toy_samples
from toy_scores import score_all
from toy_study import COHORT, write_toy_study

NASTY = '<script>alert("x")</script> & Söhne'
CONFIG = {"cohorts": {COHORT: {"reader": "phantom"}, "adni": None}, "note": "</pre><b>bold</b>"}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A toy study through evaluate, with a funnel, rejected rows, logs and quality pictures."""
    results = write_toy_study(tmp_path_factory.mktemp("results"), subjects=16)
    score_all(write_toy_samples(results))
    manifest = results / "1_manifest" / COHORT
    funnel = pd.DataFrame({"cohort": COHORT, "step": ["files", "T1"], "rows": [90, 48], "subjects": [20, 16]})
    tables.write(funnel, manifest / "funnel.tsv", tables.FUNNEL)
    steps = ["scans of the manifest", "accepted by preprocessing", "pairs"]
    of_pairs = pd.DataFrame({"cohort": COHORT, "step": steps, "rows": [48, 48, 48], "subjects": 16})
    tables.write(of_pairs, results / "3_pairs" / "funnel.tsv", tables.FUNNEL)
    rejected = pd.DataFrame({"cohort": COHORT, "step": "T1", "reason": ["<i>no T1</i>"] * 42})
    tables.write(rejected.reindex(columns=tables.REJECTED.names), manifest / "rejected.tsv", tables.REJECTED)
    for model in ("brainlapse", "paper"):
        (results / "4_train" / model).mkdir(parents=True)
        lines = [json.dumps({"step": n, "loss": 1 / n, "rate": 1.0}) for n in range(1, 50)]
        (results / "4_train" / model / "log.jsonl").write_text("\n".join(lines))
    picture = results / f"2_preprocess/{COHORT}/sub-000_S_0001/ses-I0/anat/sub-000_S_0001_ses-I0_qc.png"
    picture.parent.mkdir(parents=True)
    Image.fromarray(np.zeros((30, 40), np.uint8)).save(picture)
    return results


@pytest.fixture(scope="module")
def html(results):
    return _page(results)


def _page(results, title=NASTY, primary="brainlapse"):
    out = results / "7_report" / "index.html"
    settings = json.dumps({"title": title, "primary": primary, "config": CONFIG})
    assert main(["report", "--results", str(results), "--settings", settings, "--out", str(out)]) == 0
    return out.read_text(encoding="utf-8")


class _Resources(HTMLParser):
    """Collects what a browser would load, and checks that every element is closed."""

    VOID = frozenset({"meta", "img", "link", "br", "hr", "input"})

    def __init__(self, html):
        super().__init__()
        self.loaded, self.pictures, self.open, self.scripts = [], [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        self.loaded += [named[key] for key in ("src", "srcset", "data") if key in named]
        self.loaded += [named["href"]] if tag == "link" else []
        self.pictures += [named] if tag == "img" else []
        self.open += [] if tag in self.VOID else [tag]
        self.scripts += [""] if tag == "script" else []
        assert tag not in ("iframe", "object", "embed")
        assert not any(key.startswith("on") for key in named)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data


def test_the_page_loads_nothing_and_runs_the_viewer_alone(html):
    resources = _Resources(html)
    assert resources.open == []
    assert resources.loaded and all(source.startswith("data:image/") for source in resources.loaded)
    viewer = Path(report.__file__).with_name("viewer.js").read_text(encoding="utf-8")
    assert [script.strip() for script in resources.scripts] == [viewer.strip()]
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|fetch\(|XMLHttp", viewer)
    assert not re.search(r"https?://|url\(|@import", html)
    assert len(html) < 5e6


def test_every_picture_says_in_words_what_it_shows(html):
    pictures = [picture for picture in _Resources(html).pictures if "hidden" not in picture]
    assert len(pictures) >= 8
    assert all(len(picture["alt"]) > 15 for picture in pictures)


def test_every_model_and_both_floors_have_their_row(html):
    for model in MODELS:
        assert len(re.findall(rf'<th scope="row">{model}</th>', html)) >= 3
    assert "real against real" in html


def test_text_from_outside_is_escaped(html):
    assert html.count("<script") == 1 and "<i>no T1" not in html and "<b>bold" not in html
    assert "&lt;script&gt;" in html and "&lt;i&gt;no T1&lt;/i&gt;" in html and "Söhne" in html


def test_the_numbers_are_those_of_the_comparisons(html, results):
    rows = tables.read(results / "6_evaluate" / "comparisons.tsv", tables.COMPARISONS)
    row = rows[(rows["model"] == "brainlapse") & (rows["metric"] == "ssim_brain")].iloc[0]
    interval = rf"\[{row['value_low']:.3f}, {row['value_high']:.3f}\]"
    assert re.search(rf"{row['value']:.3f}( ★)?<small>{interval}</small>", html)
    assert f"+{row['gain']:.4f}" in html
    assert "it is better than copying the source" in html


def test_the_flow_from_the_download_to_the_splits_is_drawn_and_told(html):
    alt = next(p["alt"] for p in _Resources(html).pictures if p["alt"].startswith("Flow of the cohort"))
    assert "files: 90 rows of 20 people; T1: 48 scans of 16 people; pairs: 48 pairs of 16 people" in alt
    assert "train: 12 people, 36 pairs; validation: 0 people, 0 pairs; test: 4 people, 12 pairs" in alt
    assert "&lt;i&gt;no T1&lt;/i&gt;: 42" in html
    assert "scans of the manifest" not in html


def test_a_worse_model_is_called_worse(results, tmp_path):
    copied = shutil.copytree(results, tmp_path / "results")
    assert "it is worse than copying the source" in _page(copied, primary="paper")


def test_the_caveats_always_stand(html):
    for words in ("is synthetic", "SSIM 0.2774", "untrained", "template regions", "4 people", "for 49 steps"):
        assert words in html


def test_the_same_study_gives_the_same_bytes(html, results):
    assert _page(results) == html


@pytest.mark.parametrize(
    "gone",
    [
        {"6_evaluate": "No scores"},
        {"5_sample": "No samples to show"},
        {"5_sample/regression": "brainlapse"},
        {
            "4_train": "No training curves",
            "3_pairs": "No splits",
            "1_manifest/toy/funnel.tsv": "No funnel",
            "1_manifest/toy/rejected.tsv": "1_manifest/*/rejected.tsv: nothing there",
            "6_evaluate/distributions.tsv": "No distances",
            "2_preprocess/toy/sub-000_S_0001/ses-I0": "No quality pictures",
        },
    ],
)
def test_what_is_missing_is_said(results, tmp_path, gone):
    part = shutil.copytree(results, tmp_path / "results")
    for path in gone:
        shutil.rmtree(part / path) if (part / path).is_dir() else (part / path).unlink()
    html = _page(part)
    assert all(said in html for said in gone.values())


def test_an_empty_folder_gives_a_page_that_says_so(tmp_path):
    html = _page(tmp_path)
    assert "No scores" in html and "fit for clinical use" in html


def test_no_folder_is_refused(tmp_path, capsys):
    settings = '{"title": "t", "primary": "m", "config": {}}'
    out = str(tmp_path / "index.html")
    assert main(["report", "--results", str(tmp_path / "no"), "--settings", settings, "--out", out]) == 2
    assert "is not a folder" in capsys.readouterr().err
