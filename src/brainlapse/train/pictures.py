"""Pictures of a few follow-ups while the model learns: what the loss does not show.

The same people, slices, noise and scale of change at every moment, so that one
picture can be laid beside the next.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import nn

from brainlapse.models import Batch
from brainlapse.train.pairs import TrainingPairs, unpacked
from brainlapse.train.run import Run

_MOMENTS = 10  # of a run, evenly spaced, the last at its end
_MOST_STEPS = 20  # of sampling: enough to judge by, and little beside the training
_LARGEST_CHANGE = 0.2  # of intensity on [0, 1], drawn in full colour
_PANEL_PIXELS, _TEXT_PIXELS, _GAP_PIXELS = 160, 16, 4
_COLUMNS = ("source", "true follow-up", "sample", "true change", "change of sample")


@dataclass(frozen=True)
class Pictures:
    """`count` follow-ups of `pairs`, which are those of `split`, in a run of `steps` steps."""

    split: str
    pairs: TrainingPairs
    count: int
    steps: int
    seed: int

    def due(self, step: int) -> bool:
        """Whether a picture is drawn after this step."""
        passed = step * _MOMENTS // self.steps > (step - 1) * _MOMENTS // self.steps
        return self.count > 0 and passed

    def drawn(self, run: Run) -> Image.Image:
        """Source, truth, sample, and both changes of each pair, sampled by the averaged weights.

        The noise comes from the pair's place and `seed`, so the training's random
        numbers are left alone.
        """
        rows, sampling = [], sampling_for(run.average)
        for index in self._one_of_each_person():
            batch = unpacked(self.pairs.batch([index]), run.device)
            noise = np.random.default_rng([self.seed, index])
            sample = _sampled(run.average, batch, noise, sampling)
            rows.append(_row(*(v[0, 0].cpu().numpy() for v in (batch.source, batch.target, sample))))
        return _captioned(np.concatenate(rows), f"{self.split} split, step {run.step} of {self.steps}")

    def _one_of_each_person(self) -> list[int]:
        """The first pair of each person, in the order of the table; then their second ones, if need be."""
        turn = self.pairs.table.groupby(["cohort", "subject"], sort=False).cumcount()
        return turn.sort_values(kind="stable").index[: self.count].tolist()


def sampling_for(model: nn.Module) -> Any:
    """How a model is asked for a picture: as its family does by default, in few steps.

    One step, that default of a diffusion, gives the expected follow-up, and where
    an image is diffused nothing that can be looked at.
    """
    sampling = model.Sampling()
    if not hasattr(sampling, "steps"):
        return sampling
    of_an_image = getattr(model.settings, "diffuse", "residual") == "image"
    return replace(sampling, steps=_MOST_STEPS if of_an_image else min(sampling.steps, _MOST_STEPS))


def _sampled(model: nn.Module, batch: Batch, noise: np.random.Generator, sampling: Any) -> torch.Tensor:
    source = batch.source

    def drawn() -> torch.Tensor:
        return torch.from_numpy(noise.standard_normal(source.shape, dtype=np.float32)).to(source.device)

    with torch.no_grad():
        return model.generate(replace(batch, target=None), drawn, sampling)


def _row(source: np.ndarray, truth: np.ndarray, sample: np.ndarray) -> np.ndarray:
    """(height, width, 3) bytes: the axial slice in which most truly changes, one panel a column."""
    change = truth - source
    height = int(np.square(change).sum(axis=(0, 1)).argmax())
    images = [_grey(volume[:, :, height]) for volume in (source, truth, sample)]
    changes = [_coloured((volume - source)[:, :, height]) for volume in (truth, sample)]
    return np.concatenate([_panel(picture) for picture in images + changes], axis=1)


def _grey(plane: np.ndarray) -> np.ndarray:
    return np.repeat(((plane + 1) / 2)[..., None], 3, axis=-1)


def _coloured(change: np.ndarray) -> np.ndarray:
    """Brighter is red, darker is blue, unchanged is white."""
    part = np.clip(change / 2 / _LARGEST_CHANGE, -1, 1)
    darker, brighter = np.maximum(-part, 0), np.maximum(part, 0)
    return np.stack([1 - darker, 1 - darker - brighter, 1 - brighter], axis=-1)


def _panel(picture: np.ndarray) -> np.ndarray:
    """(X, Y, 3) in [0, 1] as bytes with front up and right to the right, large enough to see, with a gap."""
    larger = max(1, _PANEL_PIXELS // picture.shape[0])
    pixels = np.rint(np.clip(np.rot90(picture), 0, 1) * 255).astype(np.uint8)
    pixels = pixels.repeat(larger, axis=0).repeat(larger, axis=1)
    return np.pad(pixels, ((0, _GAP_PIXELS), (0, _GAP_PIXELS), (0, 0)), constant_values=128)


def _captioned(rows: np.ndarray, caption: str) -> Image.Image:
    """The panels with the names of their columns above and a caption below."""
    height, width = rows.shape[:2]
    line = 2 * _TEXT_PIXELS
    picture = Image.new("RGB", (width, height + 2 * line), "white")
    picture.paste(Image.fromarray(rows), (0, line))
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(_TEXT_PIXELS)
    for column, name in enumerate(_COLUMNS):
        draw.text((column * width / len(_COLUMNS) + 4, 6), name, "black", font)
    scale = f"full red and blue: {_LARGEST_CHANGE:g} brighter and darker, of an intensity in [0, 1]"
    draw.text((4, height + line + 6), f"{caption}; {scale}", "black", font)
    return picture
