"""train: pairs of scans → a model's weights. One loop for every family.

`model.safetensors`, `settings.json` and `log.jsonl` are the result; `resume/`
holds what a killed run needs to go on as if nothing had happened.
"""

import logging
from argparse import Namespace
from contextlib import nullcontext

import torch
from torch import distributed as dist

from brainlapse.errors import Refused
from brainlapse.models.settings import settings_from
from brainlapse.models.stored import Recipe, save_settings, save_weights
from brainlapse.train.acceleration import compile_networks, recompute_blocks
from brainlapse.train.checkpoints import Checkpoints, fingerprint_of
from brainlapse.train.journal import Journal
from brainlapse.train.launch import launched, machines
from brainlapse.train.loop import train
from brainlapse.train.pairs import TrainingPairs
from brainlapse.train.pictures import Pictures
from brainlapse.train.preflight import preflight
from brainlapse.train.ranks import Ranks, joined, processes_on_this_machine, processes_together
from brainlapse.train.run import Run
from brainlapse.train.settings import TrainingSettings

_log = logging.getLogger(__name__)


def run(options: Namespace) -> None:
    """Train one model of config.yaml and write its folder.

    With `--processes` it starts itself so many times and waits; srun and torchrun
    do the same on several machines.
    """
    recipe, training = _settings_of(options)
    if not dist.is_torchelastic_launched() and options.processes * machines() > 1:
        status = launched(options.processes)
        if status:
            raise SystemExit(status)
        return
    with joined() as (ranks, device):
        _train(options, recipe, training, ranks, device)


def _settings_of(options: Namespace) -> tuple[Recipe, TrainingSettings]:
    settings, processes = options.settings, processes_together(options.processes * machines())
    try:
        recipe = Recipe.read(settings)
        training = settings_from(TrainingSettings, settings.get("training", {}), "training.")
    except Refused as refusal:
        raise Refused(f"models.{options.model}.{refusal}") from None
    if training.batch % (training.accumulate * processes):
        raise Refused(
            f"models.{options.model}.training.batch: {training.batch} pairs cannot be shared equally by "
            f"{processes} processes in {training.accumulate} part(s) each. Make it a multiple of "
            f"{training.accumulate * processes}, or change train.processes."
        )
    return recipe, training


def _train(
    options: Namespace, recipe: Recipe, training: TrainingSettings, ranks: Ranks, device: torch.device
) -> None:
    if not ranks.first:  # what all have to say, one says
        logging.getLogger().setLevel(logging.WARNING)
    torch.set_num_threads(max(1, options.threads // processes_on_this_machine()))
    torch.backends.cudnn.benchmark = True
    settings = options.settings
    with ranks.together():
        if ranks.first:
            told = preflight(recipe, training, device, ranks.size, options.recompute)
            _log.info("train %s: %s", options.model, told)
        pairs = _pairs_of(options, recipe, "train")
        pictures = _pictures_of(options, training, pairs, _pairs_of(options, recipe, "validation"))
    torch.manual_seed(settings["seed"])
    state = Run(recipe.build(), training, settings["seed"], device, ranks)
    if options.recompute:
        recompute_blocks(state.model)
    if options.compile:
        compile_networks(state.model)

    if ranks.first:
        save_settings(settings, options.out)
    _log.info("train %s: %s; %s, %d process(es) of %d thread(s)", options.model, pairs, device, ranks.size,
              torch.get_num_threads())  # fmt: skip
    checkpoints = _restored(options, pairs, state)
    writing = Journal(options.out, options.model, training.steps, since=state.step) if ranks.first else None
    with writing or nullcontext() as journal:
        train(state, pairs, checkpoints, journal, pictures, options.checkpoint_minutes)
    if ranks.first:
        save_weights(state.average, options.out)
        checkpoints.clear()


def _pairs_of(options: Namespace, recipe: Recipe, split: str) -> TrainingPairs:
    return TrainingPairs(
        options.pairs,
        options.quality,
        recipe.grid.shape,
        split=split,
        where=options.volumes if split == "train" else "mapped",
        history="history" in recipe.settings.conditions,
    )


def _pictures_of(
    options: Namespace, training: TrainingSettings, pairs: TrainingPairs, validation: TrainingPairs
) -> Pictures:
    shown = ("validation", validation) if len(validation) else ("training", pairs)
    return Pictures(*shown, options.pictures, training.steps, options.settings["seed"])


def _restored(options: Namespace, pairs: TrainingPairs, state: Run) -> Checkpoints:
    """The checkpoints of these settings and data, after bringing the run to the newest."""
    ranks = state.ranks
    # Every voxel is read for the digest: once is enough.
    digest, *_ = ranks.gathered(pairs.digest() if ranks.first else None)
    checkpoints = Checkpoints(options.out / "resume", fingerprint_of(options.settings, digest))
    checkpoints.restore_newest(state)
    steps = ranks.gathered(state.step)
    if len(set(steps)) > 1:
        raise Refused(
            f"{checkpoints.folder}: the processes find checkpoints of different steps there, {steps}. "
            "It must be one folder that all machines see."
        )
    return checkpoints
