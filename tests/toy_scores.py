"""The stage evaluate, run on the toy study as its rules would run it."""

import json
from pathlib import Path

from brainlapse.cli import main
from toy_samples import MODELS
from toy_study import COHORT

COMPARED = {
    "seed": 0, "bootstrap": 200, "models": ["brainlapse", "regression", "paper"], "external": [],
    "references": ["copy", "average", "regression", "brainlapse"], "ablations": {}, "seeds": {},
}  # fmt: skip

SETTINGS = {"seed": 0, "change_threshold": 0.05, "inception_weights": None, "label_maps": None}


def score(results: Path, model: str, threads: int = 1, out: Path | None = None) -> int:
    """Score one model of a toy study; return the exit status."""
    return main([
        "evaluate", "--model", model, "--cohort", COHORT,
        "--quality", str(results / "2_preprocess" / COHORT / "quality.tsv"),
        "--samples", str(results / "5_sample" / model / COHORT),
        "--threads", str(threads), "--settings", json.dumps(SETTINGS),
        "--out", str(out or results / "6_evaluate" / model / COHORT),
    ])  # fmt: skip


def compare(results: Path, models: tuple[str, ...] = MODELS, out: Path | None = None) -> int:
    """Put the scores of models of a toy study together; return the exit status."""
    folders = [str(results / "6_evaluate" / model / COHORT) for model in models]
    return main([
        "evaluate", "--scores", *folders,
        "--requests", str(results / "5_sample" / "copy" / COHORT / "requests.tsv"),
        "--scans", str(results / "1_manifest" / COHORT / "scans.tsv"),
        "--settings", json.dumps(COMPARED), "--out", str(out or results / "6_evaluate"),
    ])  # fmt: skip


def score_all(results: Path) -> Path:
    """Score and compare every model of a toy study; return `results`."""
    assert all(score(results, model) == 0 for model in MODELS)
    assert compare(results) == 0
    return results
