"""A training small enough for a test, on the toy study."""

import json
import os
import subprocess
import sys
import time
from argparse import Namespace
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch

import brainlapse
from brainlapse.models import FAMILIES
from brainlapse.models.settings import settings_from
from brainlapse.models.stored import Recipe
from brainlapse.train.acceleration import compile_networks, recompute_blocks
from brainlapse.train.checkpoints import Checkpoints, fingerprint_of
from brainlapse.train.loop import parts_of
from brainlapse.train.pairs import TrainingPairs
from brainlapse.train.pictures import Pictures
from brainlapse.train.ranks import ALONE
from brainlapse.train.run import Run
from brainlapse.train.settings import TrainingSettings
from toy_study import COHORT, write_toy_study

NETWORK = {"patch": 4, "channels": [8, 16], "attention_levels": [1]}
TRAINING = {"steps": 12, "batch": 2, "learning_rate": 1e-3, "warmup_steps": 2, "precision": "fp32"}
GRID = {"shape": [16, 24, 16], "spacing_mm": 11.0}
SETTINGS = {"seed": 3, "grid": GRID, "family": "diffusion", "network": NETWORK, "training": TRAINING}


def row_of(family):
    """The settings of the smallest row of a family."""
    has_network = any(field.name == "network" for field in fields(FAMILIES[family].Settings))
    return {"family": family} | ({"network": NETWORK} if has_network else {})


def settings_with(family="diffusion", **training):
    return {"seed": 3, "grid": GRID, **row_of(family), "training": TRAINING | training}


def write_study(folder, subjects=8):
    """The toy study, its volumes widened to a grid that patch 4 with two levels divides."""
    results = write_toy_study(folder, subjects=subjects)
    packed = results / "2_preprocess" / COHORT / "volumes.npy"
    np.save(packed, np.pad(np.load(packed), ((0, 0), (0, 0), (2, 2), (0, 0))))
    return results


def options_for(study, out, settings=SETTINGS, **others):
    options = {
        "model": "toy",
        "pairs": study / "3_pairs" / "pairs.tsv",
        "quality": [study / "2_preprocess" / COHORT / "quality.tsv"],
        "threads": 1,
        "settings": settings,
        "out": out,
        "processes": 1,
        "checkpoint_minutes": 0.0,
        "pictures": 0,
        "volumes": "mapped",
        "compile": False,
        "recompute": False,
    }
    return Namespace(**options | others)


def fresh_run(settings=SETTINGS, ranks=ALONE, compiled=False, recomputed=False):
    torch.manual_seed(settings["seed"])
    training = settings_from(TrainingSettings, settings["training"])
    run = Run(Recipe.read(settings).build(), training, settings["seed"], torch.device("cpu"), ranks)
    if compiled:
        compile_networks(run.model)
    if recomputed:
        recompute_blocks(run.model)
    return run


def pairs_of(options, split="train"):
    return TrainingPairs(options.pairs, options.quality, GRID["shape"], split=split)


def checkpoints_of(options):
    return Checkpoints(options.out / "resume", fingerprint_of(options.settings, pairs_of(options).digest()))


def no_pictures(run, pairs):
    return Pictures("training", pairs, 0, run.settings.steps, run.seed)


def advance(run, pairs, until):
    """Calibrate a fresh run, bring it to a step, and return the losses on the way."""
    if run.step == 0:
        run.calibrate(pairs.spread())
    losses = []
    while run.step < until:
        losses.append(run.advance(parts_of(run, pairs, run.step)))
    return losses


def assert_same(run, other):
    assert run.counts() == other.counts()
    tensors, others = run.tensors(), other.tensors()
    assert tensors.keys() == others.keys()
    assert all(torch.equal(tensors[name], others[name]) for name in tensors)


def assert_close(run, other, tolerance):
    """Equal but for rounding: weights and averages, and the moments of Adam against their largest."""
    others = other.tensors()
    for name, tensor in run.tensors().items():
        scale = max(1.0, others[name].abs().max().item()) if not name.startswith("adam") else None
        scale = scale or others[name].abs().max().item() + 1e-12
        assert (tensor - others[name]).abs().max().item() <= tolerance * scale, name


def in_a_process(options, wait_for_step=None):
    """Train in a process of its own; with `wait_for_step`, come back when its checkpoint lies there."""
    command = [
        sys.executable, "-m", "brainlapse", "train", "--model", "toy", "--threads", "1",
        "--pairs", options.pairs, "--quality", *options.quality,
        "--settings", json.dumps(options.settings), "--out", options.out,
        "--processes", str(options.processes), "--pictures", str(options.pictures),
        "--checkpoint-minutes", str(options.checkpoint_minutes),
    ]  # fmt: skip
    process = subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while wait_for_step and process.poll() is None and time.monotonic() < deadline:
        found = sorted((options.out / "resume").glob("*.safetensors"))
        if found and int(found[-1].stem.split("-")[-1]) >= wait_for_step:
            break
        time.sleep(0.01)
    return process


def environment():
    """Of a process that runs the package."""
    tests = Path(__file__).parent
    places = [Path(brainlapse.__file__).parents[1], tests, tests.parent]
    return os.environ | {"PYTHONPATH": os.pathsep.join(map(str, places)), "OMP_NUM_THREADS": "1"}
