"""Score the samples of one model, or put all scores together and compare them with copying.

One model and cohort: scores.tsv (a number a row) and distributions.tsv. All of
them: the same two tables joined, and comparisons.tsv. Every number is a group-by
of scores.tsv; no metric is computed anywhere but in `metrics` and `volumetry`.
"""

import argparse
import logging

import pandas as pd

from brainlapse import tables
from brainlapse.errors import Refused
from brainlapse.evaluate.metrics import METRICS as METRICS

log = logging.getLogger(__name__)


def run(options: argparse.Namespace) -> None:
    """Score (`--model --cohort --quality --samples`) or compare (`--scores`), and write to `options.out`."""
    if options.scores:
        _compare(options)
    else:
        _score(options)


def _score(options: argparse.Namespace) -> None:
    absent = [name for name in ("model", "cohort", "quality", "samples") if getattr(options, name) is None]
    if absent:
        raise Refused(f"--{absent[0]} is missing. To score a model give --model, --cohort, --quality and "
                      "--samples; to compare all the scores give --scores.")  # fmt: skip
    from brainlapse.evaluate.distances import distributions
    from brainlapse.evaluate.scans import Samples, Scans
    from brainlapse.evaluate.scoring import score_requests

    samples = Samples(options.samples, options.cohort)
    who = {"model": options.model, "cohort": options.cohort}
    threshold = options.settings["change_threshold"]
    scores, features = score_requests(samples, Scans(options.quality), who, threshold, options.threads)
    tables.write(scores, options.out / "scores.tsv", tables.SCORES)
    distances = distributions(features, who, options.settings["seed"])
    tables.write(distances, options.out / "distributions.tsv", tables.DISTRIBUTIONS)


def _compare(options: argparse.Namespace) -> None:
    from brainlapse.evaluate.comparing import comparisons

    scores = tables.read_all([folder / "scores.tsv" for folder in options.scores], tables.SCORES)
    tables.check(scores, tables.SCORES, "--scores")
    distances = [tables.read(folder / "distributions.tsv", tables.DISTRIBUTIONS) for folder in options.scores]
    compared = comparisons(scores, options.settings["bootstrap"], options.settings["seed"])
    tables.write(scores, options.out / "scores.tsv", tables.SCORES)
    tables.write(
        pd.concat(distances, ignore_index=True), options.out / "distributions.tsv", tables.DISTRIBUTIONS
    )
    tables.write(compared, options.out / "comparisons.tsv", tables.COMPARISONS)
    log.info("evaluate: %d models compared on %d scores", scores["model"].nunique(), len(scores))
