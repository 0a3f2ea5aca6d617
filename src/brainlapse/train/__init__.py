"""train: pairs of scans → a model's weights. One loop for every family.

`model.safetensors`, `settings.json` and `log.jsonl` are the result; `resume/`
holds what a killed run needs to go on as if nothing had happened.
"""

import logging
from argparse import Namespace

import torch

from brainlapse.errors import Refused
from brainlapse.models.settings import settings_from
from brainlapse.models.stored import Recipe, save_settings, save_weights
from brainlapse.train.checkpoints import Checkpoints, fingerprint_of
from brainlapse.train.journal import Journal
from brainlapse.train.loop import train
from brainlapse.train.pairs import TrainingPairs
from brainlapse.train.run import Run
from brainlapse.train.settings import TrainingSettings

_log = logging.getLogger(__name__)


def run(options: Namespace) -> None:
    """Train one model of config.yaml and write its folder."""
    settings = options.settings
    try:
        recipe = Recipe.read(settings)
        training = settings_from(TrainingSettings, settings.get("training", {}), "training.")
    except Refused as refusal:
        raise Refused(f"models.{options.model}.{refusal}") from None
    torch.set_num_threads(options.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.backends.cudnn.benchmark = True
    torch.manual_seed(settings["seed"])
    model = recipe.build()
    pairs = TrainingPairs(options.pairs, options.quality, recipe.grid.shape)

    save_settings(settings, options.out)
    state = Run(model, training, settings["seed"], device)
    _log.info("train %s: %s; %s; %s, %d thread(s)", options.model, state, pairs, device, options.threads)
    checkpoints = Checkpoints(options.out / "resume", fingerprint_of(settings, pairs.digest()))
    checkpoints.restore_newest(state)
    with Journal(options.out, options.model, training.steps, since=state.step) as journal:
        train(state, pairs, checkpoints, journal)
    save_weights(state.average, options.out)
    checkpoints.clear()
