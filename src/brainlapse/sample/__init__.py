"""sample: a trained model (or the floor `copy`, `rescan` or `zero`) → the follow-ups of one cohort.

What a sample looks like depends on its request alone: not on the batch it was
made in, nor on the order of the requests.
"""

import logging
from argparse import Namespace
from dataclasses import dataclass

import pandas as pd
import torch

from brainlapse import tables
from brainlapse.errors import Refused
from brainlapse.models.conditions import HISTORY
from brainlapse.models.settings import at_least, one_of, settings_from
from brainlapse.models.stored import load_model
from brainlapse.sample.floors import FLOORS
from brainlapse.sample.generation import generate_all, tasks_of
from brainlapse.sample.native_copies import write_native_copies
from brainlapse.sample.requests import requests_of
from brainlapse.sample.shards import Shard, gathered
from brainlapse.sample.sources import Sources

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SampleSettings:
    """The settings of the stage."""

    seed: int
    intervals_years: tuple[float, ...]
    sampling: dict
    native: bool = False

    def __post_init__(self):
        one_of("sample.native", self.native, (True, False))
        for years in self.intervals_years:
            at_least("evaluate.intervals_years", years, 0, whole=False)


def run(options: Namespace) -> None:
    """Write requests.tsv, a volume for each request and draw, and samples.tsv.

    With `--shard` only a part of the volumes and that part's table; with
    `--gather` nothing but the two tables, from all the parts'.
    """
    settings = settings_from(SampleSettings, options.settings)
    at_least("--batch", options.batch, 1)
    pairs = tables.read(options.pairs, tables.PAIRS)
    requests = requests_of(pairs, options.cohort, settings.intervals_years, settings.seed)
    if options.gather:
        samples = gathered(requests, options.out, options.gather)
    else:
        samples = _made(options, settings, requests)
    if options.shard:
        tables.write(samples, options.out / Shard.read(options.shard).table, tables.SAMPLES)
    else:
        tables.write(requests, options.out / "requests.tsv", tables.REQUESTS)
        tables.write(samples, options.out / "samples.tsv", tables.SAMPLES)
    _log.info("sample %s: %d samples, of %d requests", options.model, len(samples), len(requests))


def _made(options: Namespace, settings: SampleSettings, requests: pd.DataFrame) -> pd.DataFrame:
    """Write the volumes; with `native` each of a model's also in its source scan's own voxels."""
    sources = Sources(options.quality, requests)
    if options.model in FLOORS:
        return FLOORS[options.model](requests, sources, options.out).assign(native=None)
    samples = _from_model(options, settings, requests, sources).assign(native=None)
    if settings.native:
        samples["native"] = write_native_copies(samples, requests, sources, options.out)
    return samples


def _from_model(
    options: Namespace, settings: SampleSettings, requests: pd.DataFrame, sources: Sources
) -> pd.DataFrame:
    if options.weights is None:
        raise Refused(
            f"--weights: {options.model} is no floor ({', '.join(FLOORS)}); name its trained folder."
        )
    torch.set_num_threads(options.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model, recipe = load_model(options.weights, device)
    try:
        sampling = settings_from(recipe.family.Sampling, settings.sampling, "sampling.")
    except Refused as refusal:
        raise Refused(f"models.{options.model}.{refusal}") from None
    sources.check_shape(recipe.grid.shape)
    tasks = tasks_of(requests, sampling.draws, history=HISTORY in recipe.settings.conditions)
    if options.shard:
        tasks = Shard.read(options.shard).part(tasks)
    return generate_all(options.model, model, sampling, tasks, options.batch, sources, device, options.out)
