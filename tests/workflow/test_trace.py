"""Every file of a finished study can be traced to its settings, its code and the download."""

import base64
import copy
import json
import os
import shutil
import subprocess
import sys

import pytest
import yaml
from study import TINY

from brainlapse import config as study_config
from brainlapse import fingerprint
from brainlapse.errors import Refused
from brainlapse.provenance import run_behind, state_of
from brainlapse.trace import differences, traced

# What no command writes as its result: of Snakemake, and a cache of what networks saw in scans.
NO_RESULT = (
    "logs/", "benchmarks/", "2_preprocess/adni/people/", "3_pairs/chosen_by/", "6_evaluate/features/"
)  # fmt: skip


@pytest.fixture
def study(finished, monkeypatch):
    """The finished study as it is, its folder the working folder."""
    finished.configure(TINY)
    monkeypatch.chdir(finished.folder)
    return finished


@pytest.fixture
def own(own_study, monkeypatch):
    """The folder of a copy of the finished study, which a test may change: the working folder."""
    monkeypatch.chdir(own_study.folder)
    return own_study.folder


def results_of(folder):
    """Every file that a stage wrote."""
    results = folder / "results"
    for path in sorted(p for p in results.rglob("*") if p.is_file() and not p.name.startswith(".")):
        inner = str(path.relative_to(results))
        told = inner.startswith(NO_RESULT) or inner == "config.resolved.yaml"
        if not told and not inner.endswith(".provenance.json"):
            yield path


def test_every_file_of_the_results_has_a_run_behind_it(study):
    files = list(results_of(study.folder))
    assert len(files) > 100
    assert [path for path in files if run_behind(path) is None] == []


def test_every_file_is_as_its_run_left_it(study):
    for path in results_of(study.folder):
        run = run_behind(path)
        then = run["outputs"][os.path.relpath(path, run["record"].parent)]
        assert state_of(path, then) == then


def test_a_run_tells_the_settings_and_the_code_with_which_snakemake_started_it(study):
    """Snakemake's own memory of each output is the witness."""
    witnesses = list((study.folder / ".snakemake/metadata").iterdir())
    rules = set()
    for file in witnesses:
        output = base64.b64decode(file.name).decode()
        if output.startswith(tuple(f"results/{part}" for part in NO_RESULT)):
            continue
        told, run = json.loads(file.read_text()), run_behind(output)
        params = {parameter.strip("'\"") for parameter in told["params"]}
        assert run["rule"] == told["rule"]
        assert run["code"]["fingerprint"] in params
        assert study_config.canonical(run["settings"]) in params
        assert run["host"]["started_by"].startswith("snakemake 9")
        inputs = {os.path.relpath(path) for path in told["input"]}
        own = {os.path.relpath(run["record"].parent / path) for path in run["inputs"]}
        assert {path for path in inputs if path.endswith((".tsv", ".safetensors", ".npy"))} <= own
        rules.add(run["rule"])
    assert rules == {
        "manifest", "preprocess", "gather", "show", "pairs", "train", "sample", "score", "compare", "report",
        "subjects",
    }  # fmt: skip


KINDS = {
    "1_manifest/adni/scans.tsv": "manifest adni",
    "2_preprocess/adni/sub-*/ses-*/anat/*_mask.nii.gz": "preprocess",
    "2_preprocess/adni/volumes.npy": "gather adni",
    "2_preprocess/adni/bids/participants.tsv": "show",
    "3_pairs/pairs.tsv": "pairs",
    "4_train/regression/model.safetensors": "train regression",
    "5_sample/regression/adni/sub-*/*.nii.gz": "sample regression on adni",
    "6_evaluate/regression/adni/scores.tsv": "score regression on adni",
    "6_evaluate/comparisons.tsv": "compare",
    "7_report/subjects/adni/*.html": "subjects",
    "7_report/index.html": "report",
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_traced_to_the_download_and_all_is_as_today(study, kind):
    path = next((study.folder / "results").glob(kind))
    text = traced(path)
    assert f"made by     {KINDS[kind].split(' ')[0]}" in text
    assert "differs today" not in text and "CHANGED" not in text
    assert "against results/config.resolved.yaml: the same" in text
    chain = text.partition("how it came about")[2]
    assert "phantom" in chain and "manifest" in chain


def test_the_resolved_configuration_is_whole_and_makes_the_same_study(study):
    resolved = yaml.safe_load((study.folder / "results/config.resolved.yaml").read_text())
    assert (
        resolved
        == study_config.complete(copy.deepcopy(TINY))
        == study_config.complete(copy.deepcopy(resolved))
    )
    answer = study.snakemake("--dry-run", "--configfile", "results/config.resolved.yaml")
    assert "Nothing to be done" in answer.stdout + answer.stderr


def test_an_edited_key_is_named_and_what_it_does_not_touch_is_the_same(study, tmp_path):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("models: {regression: {training: {steps: 3}}}\n")
    configs = [study.folder / "config.yaml", overlay]
    weights = study.folder / "results/4_train/regression/model.safetensors"
    assert "training.steps: 2 → 3" in traced(weights, configs)
    other = study.folder / "results/4_train/brainlapse/model.safetensors"
    assert "differs today" not in traced(other, configs)
    sample = study.folder / "results/5_sample/regression/adni/samples.tsv"
    before, _, chain = traced(sample, configs).partition("how it came about")
    assert "training.steps" not in before and "training.steps: 2 → 3" in chain


def test_a_row_that_is_gone_from_the_configuration_is_said_to_be(study, tmp_path):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("models: {regression: null}\n")
    weights = study.folder / "results/4_train/regression/model.safetensors"
    assert "models.regression is not in the configuration" in traced(
        weights, [study.folder / "config.yaml", overlay]
    )


def test_edited_code_is_named_by_its_file(study, tmp_path, monkeypatch):
    package = tmp_path / "brainlapse"
    shutil.copytree(fingerprint.PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    with open(package / "pairs" / "pairing.py", "a") as code:
        code.write("\nEXTRA = 1\n")
    monkeypatch.setattr(fingerprint, "PACKAGE", package)
    for of in (fingerprint.code_of, fingerprint.code_by_file):
        of.cache_clear()
    pairs, weights = (
        run_behind(f"results/{path}")
        for path in ("3_pairs/pairs.tsv", "4_train/brainlapse/model.safetensors")
    )
    try:
        assert differences(pairs, None) == ["the code was edited: pairs/pairing.py"]
        assert differences(weights, None) == []
    finally:
        for of in (fingerprint.code_of, fingerprint.code_by_file):
            of.cache_clear()


def test_a_changed_input_and_a_changed_file_are_found(own):
    table = own / "results/3_pairs/pairs.tsv"
    table.write_text(table.read_text().replace("\ttest\t", "\ttrain\t"))
    assert "CHANGED since it was made" in traced(table)
    assert "results/3_pairs/pairs.tsv has changed since" in traced(
        own / "results/4_train/brainlapse/log.jsonl"
    )


def test_a_file_that_no_run_wrote_is_refused(own):
    (own / "results/3_pairs/mine.tsv").write_text("a\n")
    with pytest.raises(Refused, match=r"mine\.tsv: no record tells of it"):
        traced(own / "results/3_pairs/mine.tsv")
    with pytest.raises(Refused, match="is not there"):
        traced(own / "results/3_pairs/nothing.tsv")


def test_results_that_were_moved_are_traced_as_before(own, tmp_path):
    before = {path.relative_to(own / "results"): run_behind(path)["id"] for path in results_of(own)}
    shutil.move(own / "results", tmp_path / "big disk" / "study")
    moved = tmp_path / "big disk" / "study"
    assert {path: run_behind(moved / path)["id"] for path in before} == before
    assert (
        "differs today" not in traced(moved / "4_train/brainlapse/model.safetensors").partition("how it")[0]
    )


def test_what_an_older_run_left_is_told_as_its_own(finished, own):
    """Settings change and the outputs that stay behind must not be told as made with the new ones."""
    out = own / "results/3_pairs"
    before = run_behind(out / "pairs.tsv")
    (out / "old.tsv").write_text("a\n")
    record = out / "pairs.provenance.json"
    runs = json.loads(record.read_text())
    runs[0]["outputs"]["old.tsv"] = state_of(out / "old.tsv")
    record.write_text(json.dumps(runs))
    settings = {**before["settings"], "seed": 7}
    again = copy.copy(finished)
    again.folder = own
    tables = [
        "--scans",
        "results/1_manifest/adni/scans.tsv",
        "--quality",
        "results/2_preprocess/adni/quality.tsv",
    ]
    answer = again.stage("pairs", settings, *tables, "--out", "results/3_pairs")
    assert answer.returncode == 0, answer.stderr
    now, old = run_behind(out / "pairs.tsv"), run_behind(out / "old.tsv")
    assert (now["settings"]["seed"], old["settings"]["seed"]) == (7, 0)
    assert now["host"]["started_by"] == "hand" and now["id"] != before["id"] == old["id"]
    weights = run_behind(own / "results/4_train/brainlapse/model.safetensors")
    assert any("pairs.tsv" in line for line in differences(weights, None))


def test_the_command_prints_the_trace_and_refuses_by_its_status(study):
    def asked(file):
        command = [sys.executable, "-m", "brainlapse", "trace", file]
        return subprocess.run(
            command, env={**os.environ, "PYTHONPATH": "src"}, text=True, capture_output=True
        )

    assert "made by     pairs" in asked("results/3_pairs/pairs.tsv").stdout
    refused = asked("config.yaml")
    assert refused.returncode == 2 and "no record tells of it" in refused.stderr
