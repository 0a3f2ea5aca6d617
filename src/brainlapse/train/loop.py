"""The one training loop. It knows no family: what is learnt is the model's affair."""

import logging
import resource
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch

from brainlapse.errors import Refused
from brainlapse.models import Batch
from brainlapse.train.checkpoints import Checkpoints
from brainlapse.train.journal import Journal
from brainlapse.train.pairs import TrainingPairs, draw, unpacked
from brainlapse.train.run import Run

_log = logging.getLogger(__name__)
STOPPED = 75  # exit status of a run that was told to stop and can go on (EX_TEMPFAIL)
_MOST_SKIPPED = 20


def train(run: Run, pairs: TrainingPairs, checkpoints: Checkpoints, journal: Journal) -> None:
    """Bring the run to its last step.

    SIGTERM (a cluster's notice) saves a checkpoint and exits with status 75.
    Raises Refused when the loss is not finite too often or the GPU's memory is too small.
    """
    if run.step == 0:
        run.calibrate(pairs.spread())
    saved_at = time.monotonic()
    # One thread reads the next batch while this one is learnt.
    with _sigterm_noted() as told_to_stop, ThreadPoolExecutor(1) as reader:
        coming = reader.submit(_read, run, pairs, run.step)
        while run.step < run.settings.steps:
            packed = coming.result()
            coming = reader.submit(_read, run, pairs, run.step + 1)
            learning_rate = run.learning_rate
            loss = _advance(run, unpacked(packed, run.device))
            journal.note(run, loss, learning_rate)
            if told_to_stop:
                checkpoints.save(run)
                _log.info("train: told to stop; saved after step %d. Run the same again to go on.", run.step)
                raise SystemExit(STOPPED)
            if time.monotonic() - saved_at >= 60 * run.settings.checkpoint_minutes:
                checkpoints.save(run)
                saved_at = time.monotonic()
    _log.info("train: done, %d step(s) skipped, %s", run.skipped, _most_memory(run.device))


def _read(run: Run, pairs: TrainingPairs, step: int) -> Batch:
    return pairs.batch(draw(len(pairs), run.settings.batch, run.seed, step))


def _advance(run: Run, batch: Batch) -> float:
    try:
        loss = run.advance(batch)
    except torch.OutOfMemoryError:
        raise Refused(
            f"training.batch: {run.settings.batch} does not fit into the memory of the GPU. Halve it, or "
            "take fewer network.channels."
        ) from None
    if run.skipped_in_a_row > _MOST_SKIPPED:
        raise Refused(
            f"training: the loss was not finite {run.skipped_in_a_row} times in a row up to step {run.step}. "
            "Lower training.learning_rate, or set training.precision to fp32."
        )
    return loss


@contextmanager
def _sigterm_noted() -> Iterator[list[int]]:
    """Yield a list that is empty until the process is told to stop."""
    told: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: told.append(number))
    try:
        yield told
    finally:
        signal.signal(signal.SIGTERM, before)


def _most_memory(device: torch.device) -> str:
    if device.type == "cuda":
        return f"{torch.cuda.max_memory_allocated() / 2**30:.1f} GiB of GPU memory at most"
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB of memory at most"
