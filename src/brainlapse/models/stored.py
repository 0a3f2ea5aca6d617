"""A trained model's folder: `model.safetensors` and the `settings.json` that made it.

Weights are safetensors, never pickles: loading them runs no code.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from brainlapse.errors import Refused
from brainlapse.models import FAMILIES
from brainlapse.models.settings import one_of, settings_from
from brainlapse.volumes import Grid
from brainlapse.writing import whole_file, write_text

WEIGHTS, SETTINGS = "model.safetensors", "settings.json"
_NOT_THE_FAMILY = ("seed", "grid", "family", "training", "weights", "sampling")


@dataclass(frozen=True)
class Recipe:
    """What the settings of the train stage say about the model: its family, that one's settings, the grid."""

    family: type
    settings: Any
    grid: Grid

    @classmethod
    def read(cls, settings: dict) -> "Recipe":
        """Return the recipe in the stage's settings; Refused for what no model can be."""
        one_of("family", settings.get("family"), tuple(FAMILIES))
        family = FAMILIES[settings["family"]]
        row = {key: value for key, value in settings.items() if key not in _NOT_THE_FAMILY}
        grid = settings_from(Grid, settings["grid"], "grid.")
        if len(grid.shape) != 3:
            raise Refused(f"grid.shape: must be three whole numbers, not {list(grid.shape)}.")
        return cls(family, settings_from(family.Settings, row), grid)

    def build(self) -> nn.Module:
        """An untrained model. Its first weights come from torch's global generator."""
        return self.family(self.settings, self.grid.shape)


def save_settings(settings: dict, folder: Path) -> None:
    """Write the settings of the run."""
    write_text(folder / SETTINGS, json.dumps(settings, indent=2, sort_keys=True) + "\n")


def save_weights(model: nn.Module, folder: Path) -> None:
    """Write the model's weights and buffers as a whole file."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    with whole_file(folder / WEIGHTS) as beside:
        save_file(tensors, beside)


def load_model(folder: Path, device: torch.device) -> tuple[nn.Module, Recipe]:
    """Return the trained model, ready to generate, and its recipe. Refused if a file is absent or torn."""
    try:
        recipe = Recipe.read(json.loads((folder / SETTINGS).read_text(encoding="utf-8")))
        tensors = load_file(folder / WEIGHTS)
    except FileNotFoundError as absent:
        raise Refused(f"{absent.filename or folder / WEIGHTS} is not there. Train the model first.") from None
    except (json.JSONDecodeError, UnicodeDecodeError, SafetensorError) as error:
        raise Refused(f"{folder} holds no whole model: {error}. Train it again.") from None
    model = recipe.build()
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise Refused(f"{folder / WEIGHTS} does not fit {folder / SETTINGS}: {error}") from None
    return model.to(device).eval().requires_grad_(False), recipe
