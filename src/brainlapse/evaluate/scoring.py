"""From requests and samples to rows of scores.tsv, a request at a time.

A request with several draws scores the mean of its draws' scores, never the
best of them: choosing with the truth in hand would be cheating. What the draws
together say has scores of its own (uncertainty.py).
"""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from brainlapse.evaluate.case import Case, Pair
from brainlapse.evaluate.labels import LabelMaps
from brainlapse.evaluate.metrics import METRICS
from brainlapse.evaluate.regional import Score, regional_scores
from brainlapse.evaluate.scans import Samples, Scans
from brainlapse.evaluate.spaces import Spaces
from brainlapse.evaluate.uncertainty import Draws, uncertainty_scores
from brainlapse.evaluate.volumetry import Ruler

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Context:
    """What every request's scoring needs and none changes."""

    samples: Samples
    scans: Scans
    ruler: Ruler
    spaces: Spaces
    labels: LabelMaps
    change_threshold: float


def score_requests(
    samples: Samples,
    scans: Scans,
    spaces: Spaces,
    labels: LabelMaps,
    who: dict[str, str],
    change_threshold: float,
    threads: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of scores.tsv and, for every judged request, the features of sample and truth.

    The second frame has `split`, `subject`, `sample` and `truth`; the last two
    hold, by space, arrays (rows, d). Only draw 0 enters it, and only requests
    with a target; a sample with voxels that are no numbers does not.
    """
    torch.set_num_threads(1)  # the threads below share the requests instead
    source, _, affine = scans.read(samples.requests["source_scan"].iloc[0])
    context = Context(samples, scans, Ruler(source.shape, affine), spaces, labels, change_threshold)
    rows, features, total = [], [], len(samples.requests)
    requests = [request for _, request in samples.requests.iterrows()]
    with ThreadPoolExecutor(max_workers=threads) as pool:
        for done, (request, (scores, pair)) in enumerate(
            zip(requests, pool.map(lambda one: _score(one, context), requests), strict=True), start=1
        ):
            named = who | request[["split", "subject", "request", "interval_years"]].to_dict()
            rows += [named | {"region": r, "metric": m, "value": v} for r, m, v in scores]
            if pair is not None:
                features.append({"split": request["split"], "subject": request["subject"]} | pair)
            if done % max(1, total // 5) == 0 or done == total:
                log.info("evaluate %s on %s: request %d/%d", who["model"], who["cohort"], done, total)
    return pd.DataFrame(rows), pd.DataFrame(features, columns=["split", "subject", "sample", "truth"])


def _score(request: pd.Series, context: Context) -> tuple[list[Score], dict | None]:
    source, brain, _ = context.scans.read(request["source_scan"])
    truth = None if pd.isna(request["target_scan"]) else context.scans.read(request["target_scan"])[0]
    pair = None if truth is None else Pair(source, truth, brain, context.change_threshold)
    ruler = context.ruler.at(source, brain)
    before, true_volumes = ruler.before | context.labels.of_scan(request["source_scan"]), None
    if truth is not None:
        true_volumes = ruler.volumes_ml(truth) | context.labels.of_scan(request["target_scan"])
    draws, features, together = [], None, Draws(brain)
    for draw, (image, sample) in enumerate(context.samples.draws(request, source.shape)):
        sound = bool(np.isfinite(sample).all())
        if not sound:
            log.warning("evaluate: request %s draw %d holds voxels that are no numbers; its scores are n/a",
                        request["request"], draw)  # fmt: skip
            sample = np.full_like(sample, np.nan)
        together.add(sample)
        scores = [] if pair is None else list(_metric_scores(Case(pair, sample), sound))
        scores.append(("brain", "distance_from_source", float(np.abs(sample[brain] - source[brain]).mean())))
        after = ruler.volumes_ml(sample) | context.labels.of_sample(image, request["source_scan"])
        scores += regional_scores(before, after, true_volumes, request["interval_years"])
        draws.append(scores)
        if draw == 0 and truth is not None and sound:
            features = {"sample": context.spaces.of_sample(sample), "truth": context.spaces.of_scan(truth)}
    values = np.mean([[value for _, _, value in scores] for scores in draws], axis=0)
    scores = [(r, m, float(v)) for (r, m, _), v in zip(draws[0], values, strict=True)]
    return scores + list(uncertainty_scores(together, draws, pair)), features


def _metric_scores(case: Case, sound: bool) -> Iterator[Score]:
    for name, metric in METRICS.items():
        yield metric.REGION, name, metric.score(case) if sound else float("nan")
