"""Checkpoints: a run that is killed at any moment goes on exactly where a whole one was written.

One file holds all: the tensors, and in its header the counts as JSON. Files of
other settings or other data bear another fingerprint in their names and are
never opened. The last two are kept: if the newest is torn, the one before serves.
"""

import hashlib
import json
import logging
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from brainlapse.train.run import Run
from brainlapse.writing import whole_file

_log = logging.getLogger(__name__)
_KEPT = 2


def fingerprint_of(settings: dict, data: str) -> str:
    """16 hexadecimal digits that change with any setting and any training data."""
    text = json.dumps(settings, sort_keys=True) + data
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


class Checkpoints:
    """The folder `resume/` of a model, as seen by runs of one fingerprint."""

    def __init__(self, folder: Path, fingerprint: str):
        self.folder, self.fingerprint = folder, fingerprint

    def save(self, run: Run) -> None:
        """Write the run's state whole, then let go of all but the last two."""
        tensors = {name: tensor.cpu().contiguous() for name, tensor in run.tensors().items()}
        with whole_file(self.folder / f"{self.fingerprint}-{run.step:09d}.safetensors") as beside:
            save_file(tensors, beside, metadata={"counts": json.dumps(run.counts())})
        for old in self._newest_first()[_KEPT:]:
            old.unlink()

    def restore_newest(self, run: Run) -> None:
        """Bring the run to the newest whole checkpoint; without one it stays at its beginning."""
        for path in self._newest_first():
            try:
                with safe_open(path, framework="pt") as stored:
                    tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
                    counts = json.loads(stored.metadata()["counts"])
            except (SafetensorError, OSError, TypeError, KeyError, ValueError) as error:
                _log.warning("train: %s is not whole (%s); taking the one before", path, error)
                continue
            run.restore(tensors, counts)
            _log.info("train: going on after step %d of %s", run.step, path)
            return
        if any(self.folder.glob("*.safetensors")):
            _log.info("train: nothing in %s fits these settings and data; starting afresh", self.folder)

    def clear(self) -> None:
        """Forget all: the run is complete, and a rerun is asked for because something changed."""
        for path in self.folder.iterdir():
            path.unlink()

    def _newest_first(self) -> list[Path]:
        return sorted(self.folder.glob(f"{self.fingerprint}-*.safetensors"), reverse=True)
