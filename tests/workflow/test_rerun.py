"""Only what is stale reruns: a table of edits and the rules that `snakemake -n` would run after each."""

import copy

import pytest
from study import TINY

from brainlapse.provenance import ENDING, run_behind

AFTER_REPORT = {"report"}
PAGES = AFTER_REPORT | {"subjects"}
AFTER_SCORES = {"score", "compare"} | PAGES
AFTER_SAMPLES = {"sample"} | AFTER_SCORES
AFTER_TRAINING = {"train"} | AFTER_SAMPLES
AFTER_PAIRS = {"pairs"} | AFTER_TRAINING
AFTER_PREPROCESS = {"preprocess", "gather", "show"} | AFTER_PAIRS


@pytest.fixture
def study(finished):
    return finished


@pytest.fixture
def config():
    return copy.deepcopy(TINY)


def test_a_finished_study_has_nothing_to_do(study):
    study.configure(TINY)
    assert study.would_run() == set()


EDITS = {
    "a training hyper-parameter": (("models", "brainlapse", "training", "steps"), 3, AFTER_TRAINING),
    "how a model is sampled": (("models", "brainlapse", "sampling", "steps"), 2, AFTER_SAMPLES),
    "an interval limit": (("pairs", "max_interval_years"), 3, AFTER_PAIRS),
    "a split amount": (("splits", "train"), 3, AFTER_PAIRS),
    "the grid": (("grid", "spacing_mm"), 11.5, AFTER_PREPROCESS),
    "a metric setting": (("evaluate", "change_threshold"), 0.1, AFTER_SCORES),
    "the bootstrap": (("evaluate", "bootstrap"), 30, {"compare"} | PAGES),
    "what is compared with what": (("evaluate", "references"), ["copy"], {"compare"} | PAGES),
    "a report title": (("report", "title"), "other", PAGES),
    "how training is computed, which changes no model": (("train",), {"recompute": True}, AFTER_REPORT),
    "the batch of sampling, which changes no sample": (("sample",), {"batch": 2}, AFTER_REPORT),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_of_a_value_reruns_what_depends_on_it(study, config, edit):
    path, value, expected = EDITS[edit]
    inner = config
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    study.configure(config)
    assert study.would_run() == expected


def is_result(path):
    """A record tells of dates as well, and is no result."""
    return not path.name.endswith(ENDING)


def test_volumes_shared_out_among_jobs_are_the_same(own_study, config):
    study = own_study
    folder = study.folder / "results/5_sample/regression/adni"
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and is_result(path)}
    study.configure({**config, "sample": {"shards": 2}})
    assert study.would_run() == AFTER_SAMPLES | {"sample_shard"}
    answer = study.snakemake(
        "results/5_sample/regression/adni/samples.tsv", "results/5_sample/copy/adni/samples.tsv"
    )
    assert answer.returncode == 0, answer.stderr
    for shard in ("samples-1-of-2.tsv", "samples-2-of-2.tsv"):
        assert (folder / shard).exists() and not (folder.parent.parent / "copy/adni" / shard).exists()
    assert len(before) > 2 and all(path.read_bytes() == as_bytes for path, as_bytes in before.items())
    volumes = {path: run_behind(path) for path in before if path.suffix == ".gz"}
    assert {run["about"]["shard"] for run in volumes.values()} == {"1/2", "2/2"}
    assert all(run["rule"] == "sample_shard" for run in volumes.values())


def test_the_seed_reruns_whatever_draws_by_it(study, config):
    study.configure({"seed": 1, **config})
    assert study.would_run() == AFTER_PAIRS


@pytest.mark.parametrize(
    "edit", [{"training": TINY["models"]["regression"]["training"] | {"steps": 3}}, {"seed": 1}]
)
def test_only_the_edited_model_is_trained_again(study, config, edit):
    config["models"]["regression"] |= edit
    study.configure(config)
    listed = study.snakemake("--dry-run").stdout
    assert "4_train/regression" in listed
    assert "train: brainlapse" not in listed


def test_swapped_values_are_seen(study, config):
    """Snakemake compares parameters as a set of values: a swap must not hide in it."""
    pairs = config["pairs"]
    pairs["min_interval_years"], pairs["max_interval_years"] = 0.5, 8
    study.configure(config)
    assert study.would_run() == AFTER_PAIRS
    config["models"]["brainlapse"], config["models"]["regression"] = (
        {**config["models"]["brainlapse"], "family": "regression", "sampling": {}},
        {**config["models"]["regression"], "family": "diffusion"},
    )
    study.configure(config)
    assert study.would_run() >= AFTER_TRAINING


def test_reordered_keys_and_comments_rerun_nothing(study, config):
    reordered = {key: config[key] for key in reversed(config)}
    reordered["models"] = {name: dict(reversed(row.items())) for name, row in config["models"].items()}
    study.configure(reordered, head="# a comment\n")
    assert study.would_run() == set()


def test_an_undone_edit_reruns_nothing(study, config):
    study.configure({**config, "report": {"title": "other"}})
    assert study.would_run() == PAGES
    study.configure(config)
    assert study.would_run() == set()


CODE_EDITS = [
    ("src/brainlapse/pairs/pairing.py", "DAYS_PER_YEAR = 365.25", "DAYS_PER_YEAR = 365.0", AFTER_PAIRS),
    ("src/brainlapse/pairs/pairing.py", '"""All earlier', '"""Any earlier', set()),
    ("src/brainlapse/pairs/pairing.py", "DAYS_PER_YEAR = 365.25", "DAYS_PER_YEAR = 365.25  # why", set()),
    ("src/brainlapse/cli.py", "stages, in order", "the stages, in order", set()),
]


@pytest.mark.parametrize(("file", "old", "new", "expected"), CODE_EDITS)
def test_code_counts_but_not_its_comments_and_docstrings(study, file, old, new, expected):
    study.configure(TINY)
    path = study.folder / file
    before = path.read_text()
    assert old in before
    path.write_text(before.replace(old, new))
    try:
        assert study.would_run() == expected
    finally:
        path.write_text(before)
    assert study.would_run() == set()


LOST = {
    "1_manifest/adni/scans.tsv": "manifest",
    "2_preprocess/adni/sub-*/quality.tsv": "preprocess",
    "2_preprocess/adni/quality.tsv": "gather",
    "3_pairs/pairs.tsv": "pairs",
    "4_train/regression/model.safetensors": "train",
    "5_sample/copy/adni/samples.tsv": "sample",
    "6_evaluate/copy/adni/scores.tsv": "score",
    "6_evaluate/comparisons.tsv": "compare",
}


@pytest.mark.parametrize("lost", LOST)
def test_what_a_failed_job_took_away_is_made_again(study, tmp_path, lost):
    """Snakemake removes the outputs of a job that fails; the old report must not hide that."""
    study.configure(TINY)
    path = next((study.folder / "results").glob(lost))
    path.rename(tmp_path / "kept")
    try:
        assert LOST[lost] in study.would_run()
    finally:
        (tmp_path / "kept").rename(path)


def test_what_an_overlay_names_of_a_row_is_not_put_into_rows_that_share_its_yaml(finished, tmp_path):
    """The rows of TINY have one `training`, an anchor in the file: Snakemake's own merging edits both."""
    finished.configure(TINY)
    assert "&id" in (finished.folder / "config.yaml").read_text()
    (tmp_path / "overlay.yaml").write_text("models: {regression: {training: {steps: 3}}}\n")
    listed = finished.snakemake("--dry-run", "--configfile", str(tmp_path / "overlay.yaml")).stdout
    assert "train: regression" in listed and "train: brainlapse" not in listed
