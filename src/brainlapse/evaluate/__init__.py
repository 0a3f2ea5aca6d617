"""Score the samples of one model, or put all scores together and compare them with copying.

One model and cohort: scores.tsv (a number a row) and distributions.tsv. All of
them: the same two tables joined, and the tables of comparisons. Every number of
these is a group-by of scores.tsv; no scan or sample is looked at again.
"""

import argparse
import logging

from brainlapse import tables
from brainlapse.errors import Refused
from brainlapse.evaluate.metrics import METRICS as METRICS

log = logging.getLogger(__name__)


def run(options: argparse.Namespace) -> None:
    """Score (`--model --cohort --quality --samples`) or compare (`--scores --requests --scans`) to `out`."""
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
    from brainlapse.evaluate.labels import LabelMaps
    from brainlapse.evaluate.real_sets import sets_of
    from brainlapse.evaluate.scans import Samples, Scans
    from brainlapse.evaluate.scoring import score_requests
    from brainlapse.evaluate.spaces import Spaces

    samples, scans = Samples(options.samples, options.cohort), Scans(options.quality)
    who = {"model": options.model, "cohort": options.cohort}
    seed, threshold = (options.settings[key] for key in ("seed", "change_threshold"))
    # Beside the models' folders, so that the next model finds them.
    spaces = Spaces(options.settings["inception_weights"], options.out.parent.parent / "features")
    labels = LabelMaps(options.settings["label_maps"], options.model, options.cohort)
    scores, features = score_requests(samples, scans, spaces, labels, who, threshold, options.threads)
    tables.write(scores, options.out / "scores.tsv", tables.SCORES)
    distances = distributions(sets_of(features, samples, scans, spaces, seed), who, seed)
    tables.write(distances, options.out / "distributions.tsv", tables.DISTRIBUTIONS)


def _compare(options: argparse.Namespace) -> None:
    for name in ("requests", "scans"):
        if getattr(options, name) is None:
            raise Refused(f"--{name} is missing: with --scores, {name}.tsv of every cohort says what parts "
                          "the requests of subgroups.tsv.")  # fmt: skip
    from brainlapse.evaluate.cohorts import cohorts
    from brainlapse.evaluate.comparing import comparisons
    from brainlapse.evaluate.contrasts import contrasts
    from brainlapse.evaluate.stability import stability
    from brainlapse.evaluate.subgroups import subgroups

    scores = tables.read_all([folder / "scores.tsv" for folder in options.scores], tables.SCORES)
    tables.check(scores, tables.SCORES, "--scores")
    requests = tables.read_all(options.requests, tables.REQUESTS)
    scans = tables.read_all(options.scans, tables.SCANS)
    asked = options.settings
    how = {"resamplings": asked["bootstrap"], "seed": asked["seed"]}
    compared = comparisons(scores, **how)
    distances = tables.read_all(
        [folder / "distributions.tsv" for folder in options.scores], tables.DISTRIBUTIONS
    )
    for found, table in (
        (scores, tables.SCORES),
        (distances, tables.DISTRIBUTIONS),
        (compared, tables.COMPARISONS),
        (subgroups(scores, requests, scans, **how), tables.SUBGROUPS),
        (
            contrasts(scores, asked["models"], asked["references"], asked["ablations"], **how),
            tables.CONTRASTS,
        ),
        (cohorts(scores, asked["external"], **how), tables.COHORTS),
        (stability(compared, asked["seeds"]), tables.STABILITY),
    ):
        tables.write(found, options.out / table.name, table)
    log.info("evaluate: %d models compared on %d scores", scores["model"].nunique(), len(scores))
