"""The one training loop. It knows no family: what is learnt is the model's affair."""

import logging
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from brainlapse.errors import Refused
from brainlapse.models import Batch
from brainlapse.train.checkpoints import Checkpoints
from brainlapse.train.journal import Journal
from brainlapse.train.memory import is_of_memory, most_memory, what_to_lower
from brainlapse.train.pairs import TrainingPairs, draw
from brainlapse.train.pictures import Pictures
from brainlapse.train.run import Run

_log = logging.getLogger(__name__)
STOPPED = 75  # exit status of a run that was told to stop and can go on (EX_TEMPFAIL)
_MOST_SKIPPED = 20


def train(
    run: Run,
    pairs: TrainingPairs,
    checkpoints: Checkpoints,
    journal: Journal | None,  # of the first rank; the others write nothing
    pictures: Pictures,
    checkpoint_minutes: float,
) -> None:
    """Bring the run to its last step.

    SIGTERM (a cluster's notice) saves a checkpoint and exits with status 75, and
    so does the death of the process that launched this one.
    Raises Refused when the loss is not finite too often, after saving the last
    good state, or when memory does not suffice.
    """
    if run.step == 0:
        run.calibrate(pairs.spread())
    saved_at = time.monotonic()
    # One thread reads the next batch while this one is learnt.
    with _sigterm_noted() as told_to_stop, ThreadPoolExecutor(1) as reader:
        coming = reader.submit(parts_of, run, pairs, run.step)
        while run.step < run.settings.steps:
            with run.ranks.together():
                parts = coming.result()
            coming = reader.submit(parts_of, run, pairs, run.step + 1)
            learning_rate = run.learning_rate
            losses = _advance(run, parts)
            if journal is not None:
                _take_down(run, losses, learning_rate, journal, pictures)
            if run.skipped_in_a_row > _MOST_SKIPPED:
                _give_up(run, checkpoints)
            if run.ranks.any(bool(told_to_stop) or run.ranks.deserted()):
                _save(run, checkpoints)
                _log.info("train: told to stop; saved after step %d. Run the same again to go on.", run.step)
                raise SystemExit(STOPPED)
            if run.ranks.first and time.monotonic() - saved_at >= 60 * checkpoint_minutes:
                checkpoints.save(run)
                saved_at = time.monotonic()
    _log.info("train: done, %d step(s) skipped, %s", run.skipped, most_memory(run.device))


def parts_of(run: Run, pairs: TrainingPairs, step: int) -> list[Batch]:
    """The packed batches of a step that this process computes."""
    drawn = draw(len(pairs), run.settings.batch, run.seed, step)
    size = run.settings.batch // (run.settings.accumulate * run.ranks.size)
    return [pairs.batch(drawn[part * size : (part + 1) * size]) for part in run.parts]


def _advance(run: Run, parts: list[Batch]) -> dict[str, float]:
    try:
        return run.advance(parts)
    except (MemoryError, RuntimeError) as error:
        if not is_of_memory(error):
            raise
        refusal = what_to_lower(run.settings, run.ranks.size, run.device)
    raise refusal


def _take_down(
    run: Run, losses: dict[str, float], learning_rate: float, journal: Journal, pictures: Pictures
) -> None:
    journal.note(run, losses, learning_rate)
    if pictures.due(run.step):
        journal.keep(pictures.drawn(run), run.step)


def _save(run: Run, checkpoints: Checkpoints) -> None:
    """Write the last checkpoint of a process that ends; nobody ends before it is whole."""
    if run.ranks.first:
        checkpoints.save(run)
    run.ranks.any(False)


def _give_up(run: Run, checkpoints: Checkpoints) -> None:
    """Save what was last good, with as many tries left as at the beginning, and say how to go on."""
    tries, run.skipped_in_a_row = run.skipped_in_a_row, 0
    _save(run, checkpoints)
    raise Refused(
        f"training: the loss was not finite {tries} times in a row up to step {run.step}. The last good "
        "weights are saved: run the same again to go on from them with other pairs. If that does not help, "
        "lower training.learning_rate, or set training.precision to fp32, which begins anew."
    )


@contextmanager
def _sigterm_noted() -> Iterator[list[int]]:
    """Yield a list that is empty until the process is told to stop."""
    told: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: told.append(number))
    try:
        yield told
    finally:
        signal.signal(signal.SIGTERM, before)
