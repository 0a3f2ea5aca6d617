"""What every model of config.yaml costs, counted exactly: parameters, operations, memory.

Needs no GPU and no data; the tensors are fake. Takes a second or two a row.

    PYTHONPATH=src python benchmarks/model_cost.py
"""

import argparse
import sys
from dataclasses import fields
from pathlib import Path

PROJECT = Path(__file__).parents[1]
sys.path[:0] = [str(PROJECT / "src"), str(PROJECT / "benchmarks")]

import torch  # noqa: E402
import yaml  # noqa: E402
from measured_on import measured_on  # noqa: E402
from torch.utils.checkpoint import CheckpointError  # noqa: E402

from brainlapse.config import complete, train_settings  # noqa: E402
from brainlapse.models.cost import cost_of, sample_cost  # noqa: E402
from brainlapse.models.stored import Recipe  # noqa: E402

STEPS = (1, 10, 50, 1000)
COLUMNS = (
    "model", "M parameters", "forward, TFLOP", "training step, TFLOP", "kept for backward, GiB: fp32", "bf16",
    "alive at most, GiB: fp32", "bf16", "bf16, recomputed",
    f"a sample, TFLOP: {STEPS[0]} step", *map(str, STEPS[1:]),
)  # fmt: skip


def main() -> None:
    """Print a Markdown table: a row a model, batch 1."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--config", type=Path, default=PROJECT / "config.yaml")
    parser.add_argument("--models", nargs="*", help="these rows only")
    options = parser.parse_args()
    config = complete(yaml.safe_load(options.config.read_text(encoding="utf-8")))
    sides = "×".join(map(str, config["grid"]["shape"]))
    print(f"Batch 1 at {sides}; {measured_on(torch.device('cpu'))}\n")
    print("| " + " | ".join(COLUMNS) + " |\n|---|" + "---|" * (len(COLUMNS) - 1))
    for name, row in config["models"].items():
        if "weights" in row or (options.models and name not in options.models):
            continue
        recipe = Recipe.read(train_settings(config, name))
        print(f"| {name} | " + " | ".join(counted(recipe)) + " |", flush=True)


def counted(recipe: Recipe) -> list[str]:
    """The figures of COLUMNS for one model."""
    whole, half = (cost_of(recipe, 1, precision) for precision in ("fp32", "bf16"))
    told = [f"{whole.parameters / 1e6:.1f}"]
    told += [f"{flops / 1e12:.2f}" for flops in (whole.forward_flops, whole.step_flops)]
    sizes = (whole.activation_bytes, half.activation_bytes, whole.peak_bytes, half.peak_bytes)
    told += [*map(gib, sizes), recomputed(recipe)]
    in_steps = "steps" in {field.name for field in fields(recipe.family.Sampling)}
    return told + [tera(recipe, steps) if in_steps or steps == 1 else "" for steps in STEPS]


def recomputed(recipe: Recipe) -> str:
    """GiB alive at most when blocks forget their activations; says so where a model cannot do that."""
    try:
        return gib(cost_of(recipe, 1, "bf16", recompute=True).peak_bytes)
    except CheckpointError:
        return "fails"


def gib(size: int) -> str:
    return f"{size / 2**30:.1f}"


def tera(recipe: Recipe, steps: int) -> str:
    """TFLOP of a sample; empty where the model has fewer timesteps."""
    if steps > getattr(recipe.settings, "timesteps", steps):
        return ""
    return f"{sample_cost(recipe, 1, steps).flops / 1e12:.4g}"


if __name__ == "__main__":
    main()
