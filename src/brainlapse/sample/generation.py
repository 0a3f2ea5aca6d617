"""Requests → volumes, some at a time, each with the noise of its own request."""

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from brainlapse.errors import Refused
from brainlapse.models import Batch
from brainlapse.models.conditions import FACTS, facts_of
from brainlapse.models.history import earlier_scans
from brainlapse.sample.requests import noise_generator
from brainlapse.sample.sources import Sources
from brainlapse.volumes import write_volume

_log = logging.getLogger(__name__)
_LINES_SHOWN = 20


@dataclass(frozen=True)
class Task:
    """One volume to be made."""

    request: str
    draw: int
    subject: str
    source_scan: str
    interval_years: float
    seed: int
    facts: dict[str, float]
    history: tuple[tuple[str, float], ...]  # earlier scans and how many years before the source

    @property
    def image(self) -> str:
        """The sample's file below the stage's folder."""
        return f"sub-{self.subject}/{self.request}_draw-{self.draw}_T1w.nii.gz"


def tasks_of(requests: pd.DataFrame, draws: int, history: bool) -> list[Task]:
    """Every draw of every request, in the order of the table; with the earlier scans if the model is told."""
    names = ["request", "subject", "source_scan", "interval_years", "seed"]
    facts = pd.DataFrame({name: numbers.numpy() for name, numbers in facts_of(requests).items()})
    earlier_of = earlier_scans(requests) if history else [[]] * len(requests)
    known = zip(requests[names].to_dict("records"), facts.to_dict("records"), earlier_of, strict=True)
    return [
        Task(draw=draw, **row, facts=about, history=tuple(earlier))
        for row, about, earlier in known
        for draw in range(draws)
    ]


def generate(
    model: nn.Module, sampling: Any, tasks: Sequence[Task], sources: Sources, device: torch.device
) -> Iterator[tuple[Task, np.ndarray, np.ndarray]]:
    """Make the volumes of one batch; yield each task with its (X, Y, Z) float32 volume and affine."""
    volumes, affines = zip(*(sources.volume(task.source_scan) for task in tasks), strict=True)
    source = torch.from_numpy(np.stack(volumes)[:, None])
    years = torch.tensor([task.interval_years for task in tasks], dtype=torch.float32)
    facts = {name: torch.tensor([task.facts[name] for task in tasks]) for name in FACTS}
    history, history_years = sources.history([task.history for task in tasks])
    generators = [noise_generator(task.seed, task.draw) for task in tasks]

    def noise() -> torch.Tensor:
        drawn = [g.standard_normal(source.shape[1:], dtype=np.float32) for g in generators]
        return torch.from_numpy(np.stack(drawn)).to(device)

    with torch.inference_mode():
        batch = Batch(source, years, None, facts, history, history_years).to(device)
        made = model.generate(batch, noise, sampling)
    yield from zip(tasks, made[:, 0].cpu().numpy(), affines, strict=True)


def generate_all(
    name: str,
    model: nn.Module,
    sampling: Any,
    tasks: Sequence[Task],
    batch: int,
    sources: Sources,
    device: torch.device,
    out: Path,
) -> pd.DataFrame:
    """Write the volume of every task below `out`; return the table of samples."""
    began, made = time.monotonic(), 0
    for start in range(0, len(tasks), batch):
        together = tasks[start : start + batch]
        try:
            for task, volume, affine in generate(model, sampling, together, sources, device):
                write_volume(out / task.image, volume, affine)
        except torch.OutOfMemoryError:
            raise Refused(
                f"sample.batch: {batch} does not fit into the memory of the GPU. Halve it."
            ) from None
        made += len(together)
        if made * _LINES_SHOWN // len(tasks) > (made - len(together)) * _LINES_SHOWN // len(tasks):
            left = (time.monotonic() - began) / made * (len(tasks) - made)
            _log.info("sample %s: %d/%d volumes, %.0f s left", name, made, len(tasks), left)
    return pd.DataFrame([{"request": task.request, "draw": task.draw, "image": task.image} for task in tasks])
