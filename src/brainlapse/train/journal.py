"""What a person follows: lines on the screen, `log.jsonl`, TensorBoard and pictures."""

import json
import logging
import math
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import numpy as np
from PIL import Image
from torch.utils.tensorboard import SummaryWriter

from brainlapse.train.run import Run
from brainlapse.writing import whole_file, write_text

_log = logging.getLogger(__name__)
_PICTURES = "pictures"
_LINES_SHOWN, _LINES_KEPT = 20, 200


class Journal:
    """Notes on a run of `steps` steps, of which `since` were done before.

    Lines and pictures that an earlier, killed run made of steps after `since`
    are dropped: those steps are done again. The lines are written twice, to
    `log.jsonl` and beside the checkpoints: Snakemake takes the outputs of a
    failed job away, and with them the first.
    """

    def __init__(self, folder: Path, model: str, steps: int, since: int):
        self.folder, self.model, self.steps, self.since = folder, model, steps, since
        copies = [folder / "log.jsonl", folder / "resume" / "log.jsonl"]
        kept = max((_lines_until(path, since) for path in copies), key=len)
        for path in copies:
            write_text(path, "".join(json.dumps(line) + "\n" for line in kept))
        for path in (folder / _PICTURES).glob("step-*.png"):
            if int(path.stem.removeprefix("step-")) > since:
                path.unlink()
        self._seconds_before = kept[-1]["seconds"] if kept else 0.0
        self._files = [path.open("a", encoding="utf-8", buffering=1) for path in copies]
        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=since)
        self._losses: dict[str, list[float]] = defaultdict(list)
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files:
            file.close()
        self._board.close()

    def note(self, run: Run, losses: Mapping[str, float], learning_rate: float) -> None:
        """Take down one step, with the loss of each player, and write and show what is due."""
        for player, loss in losses.items():
            if math.isfinite(loss):
                self._losses[player].append(loss)
        step, last = run.step, run.step == self.steps
        if step % max(1, self.steps // _LINES_KEPT) and not last:
            return
        seconds = time.monotonic() - self._began
        means = {player: sum(some) / len(some) for player, some in self._losses.items()}
        line = {
            "step": step,
            "loss": sum(means.values()) if means else None,
            "losses": means,
            "steps_per_second": round((step - self.since) / max(seconds, 1e-9), 4),
            "learning_rate": learning_rate,
            "skipped": run.skipped,
            "seconds": round(self._seconds_before + seconds, 1),
        }
        self._losses.clear()
        for file in self._files:
            file.write(json.dumps(line) + "\n")
        self._chart(line)
        if not step % max(1, self.steps // _LINES_SHOWN) or last:
            self._show(line)

    def keep(self, picture: Image.Image, step: int) -> None:
        """Write a picture of what the model can do after a step."""
        with whole_file(self.folder / _PICTURES / f"step-{step:06d}.png") as beside:
            picture.save(beside)
        self._board.add_image("follow-ups", np.asarray(picture), step, dataformats="HWC")

    def _chart(self, line: dict) -> None:
        losses = {f"loss/{player}": loss for player, loss in line["losses"].items()}
        numbers = {name: line[name] for name in ("loss", "learning_rate", "steps_per_second", "skipped")}
        for name, number in (numbers | losses).items():
            if number is not None:
                self._board.add_scalar(name, number, line["step"])

    def _show(self, line: dict) -> None:
        loss = "none" if line["loss"] is None else f"{line['loss']:.3g}"
        rate, left = line["steps_per_second"], self.steps - line["step"]
        _log.info(
            "train %s: step %d/%d, loss %s, %.2g steps/s, %s left",
            self.model, line["step"], self.steps, loss, rate, _in_words(left / max(rate, 1e-9)),
        )  # fmt: skip


def _lines_until(path: Path, step: int) -> list[dict]:
    """The lines of an earlier log up to a step; a torn last line ends it."""
    kept = []
    for text in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            line = json.loads(text)
        except json.JSONDecodeError:
            break
        if line["step"] <= step:
            kept.append(line)
    return kept


def _in_words(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
