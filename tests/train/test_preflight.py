"""The estimate before the first step is about what a training takes, and what cannot fit is refused."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import brainlapse
from brainlapse.errors import Refused
from brainlapse.models.cost import Convolution, cost_of
from brainlapse.models.settings import settings_from
from brainlapse.models.stored import Recipe
from brainlapse.train.hardware import free_bytes, half_error, relative_error
from brainlapse.train.preflight import LARGEST_HALF_ERROR, bytes_needed, preflight
from brainlapse.train.settings import TrainingSettings

CPU = torch.device("cpu")
TINY = {"patch": 2, "channels": [8, 16], "attention_levels": [1]}


def recipe_of(shape=(16, 20, 16), **row):
    row = {"family": "diffusion", "network": TINY} | row
    return Recipe.read({"seed": 0, "grid": {"shape": list(shape)}, **row})


def training_of(**keys):
    return settings_from(TrainingSettings, {"precision": "fp32", **keys})


def test_it_says_what_a_training_costs():
    told = preflight(recipe_of(), training_of(batch=4, accumulate=2, steps=1000), CPU, 1)
    cost = cost_of(recipe_of(), 2)
    assert f"{2 * cost.step_flops / 1e9:.3g} GFLOP a step (2 part(s) of 2 pair(s) a process, fp32)" in told
    assert "0.1 M parameters" in told and "for 1000 steps" in told and "measured" in told


def test_what_learns_nothing_needs_nothing():
    assert "nothing to learn" in preflight(Recipe.read(average()), training_of(), CPU, 1)


def average():
    return {"seed": 0, "grid": {"shape": [16, 20, 16]}, "family": "average"}


def test_what_cannot_fit_is_refused_with_the_keys_to_lower():
    recipe = recipe_of((128, 160, 128), network={"patch": 1, "channels": [64, 128], "attention_levels": []})
    with pytest.raises(Refused) as refusal:
        preflight(recipe, training_of(batch=4096), CPU, 1)
    for word in ("training.batch", "accumulate", "recompute", "network.channels", "GiB are free"):
        assert word in str(refusal.value)


def test_more_parts_need_less_memory():
    whole, parts = (
        bytes_needed(recipe_of(), cost_of(recipe_of(), part), part, "fp32", CPU) for part in (8, 2)
    )
    assert parts < whole / 3


def test_free_memory_is_some_of_what_the_machine_has():
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 0 < free_bytes(CPU) <= machine


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_differs_by_rounding_alone(precision):
    layer = Convolution((2, 16, 12, 12, 12), (16, 16, 3, 3, 3), (2, 2, 2))
    assert 1e-4 < half_error(layer, precision, CPU) < LARGEST_HALF_ERROR


def test_a_network_is_refused_the_precision_in_which_one_of_its_layers_is_wrong():
    """Torch 2.13 computes nonsense for one of these on CPUs that know bfloat16; elsewhere it may be right."""
    recipe = recipe_of((8, 8, 8), network={"patch": 2, "channels": [16, 32], "attention_levels": []})
    layers = cost_of(recipe, 1).convolutions
    assert {layer.input[2:] for layer in layers} == {(2, 2, 2), (4, 4, 4)}
    wrong = any(half_error(layer, "bf16", CPU) > LARGEST_HALF_ERROR for layer in layers)
    if wrong:
        with pytest.raises(Refused, match=r"training\.precision: bf16 convolutions are wrong on this CPU"):
            preflight(recipe, training_of(precision="bf16"), CPU, 1)
    else:
        told = preflight(recipe, training_of(precision="bf16"), CPU, 1)
        assert "bf16 convolutions differ from fp32" in told


def test_a_wrong_result_is_seen():
    right = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    wrong = right.clone()
    wrong[:2] = 0  # two numbers of a thousand
    assert relative_error(wrong, right) > LARGEST_HALF_ERROR
    assert relative_error(right * float("nan"), right) == float("inf")


# The highest mark is read where Linux keeps it for this program: getrusage's is inherited from pytest.
TRAINING = """
import json, sys
from pathlib import Path
import torch
from brainlapse.models import Batch
from brainlapse.models.settings import settings_from
from brainlapse.models.stored import Recipe
from brainlapse.train.run import Run
from brainlapse.train.settings import TrainingSettings

def step(settings):
    recipe, training = Recipe.read(settings), settings_from(TrainingSettings, settings["training"])
    run = Run(recipe.build(), training, 0, torch.device("cpu"))
    volumes = [torch.randint(0, 256, (2, 1, *recipe.grid.shape), dtype=torch.uint8) for _ in range(2)]
    run.advance([Batch(volumes[0], torch.ones(2), volumes[1])])

def kib(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))

settings = json.loads(sys.argv[1])
step(settings | {"grid": {"shape": [8, 8, 8]}})  # what torch itself takes at its first step
before = kib("VmRSS")
step(settings)
print((kib("VmHWM") - before) * 1024)
"""


@pytest.mark.parametrize(("precision", "family"), [("bf16", "diffusion"), ("fp32", "gan")])
def test_the_memory_of_a_real_step_is_about_what_was_counted(precision, family):
    network = {"patch": 2, "channels": [32, 64], "attention_levels": []}
    settings = {
        "seed": 0, "grid": {"shape": [48, 48, 48]}, "family": family, "network": network,
        "training": {"batch": 2, "precision": precision},
    }  # fmt: skip
    recipe = Recipe.read(settings)
    needed = bytes_needed(recipe, cost_of(recipe, 2, precision), 2, precision, CPU)
    # So that memory that is let go is given back, as it is for the tensors of a training of full size.
    place = {"MALLOC_MMAP_THRESHOLD_": "65536", "OMP_NUM_THREADS": "1"}
    environment = os.environ | place | {"PYTHONPATH": str(Path(brainlapse.__file__).parents[1])}
    command = [sys.executable, "-c", TRAINING, json.dumps(settings)]
    taken = int(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)
    print(f"counted {needed / 2**20:.0f} MiB, taken {taken / 2**20:.0f} MiB, ratio {needed / taken:.2f}")
    assert 1 / 1.35 < needed / taken < 1.35
