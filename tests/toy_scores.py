"""The stage evaluate, run on the toy study as its rules would run it."""

import json
from pathlib import Path

from brainlapse.cli import main
from toy_samples import MODELS
from toy_study import COHORT


def score(results: Path, model: str, threads: int = 1, out: Path | None = None) -> int:
    """Score one model of a toy study; return the exit status."""
    return main([
        "evaluate", "--model", model, "--cohort", COHORT,
        "--quality", str(results / "2_preprocess" / COHORT / "quality.tsv"),
        "--samples", str(results / "5_sample" / model / COHORT),
        "--threads", str(threads), "--settings", '{"seed": 0, "change_threshold": 0.05}',
        "--out", str(out or results / "6_evaluate" / model / COHORT),
    ])  # fmt: skip


def compare(folders: list[Path], out: Path) -> int:
    """Put the scores in the folders together; return the exit status."""
    settings = json.dumps({"seed": 0, "bootstrap": 200})
    return main(["evaluate", "--scores", *map(str, folders), "--settings", settings, "--out", str(out)])


def score_all(results: Path) -> Path:
    """Score and compare every model of a toy study; return `results`."""
    assert all(score(results, model) == 0 for model in MODELS)
    assert compare([results / "6_evaluate" / model / COHORT for model in MODELS], results / "6_evaluate") == 0
    return results
