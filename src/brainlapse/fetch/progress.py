"""A line every few seconds: how many files, how much of it, how fast and how long still."""

import logging
import time
from collections.abc import Sequence

from brainlapse.fetch.listing import Listed

EVERY_S = 5.0

log = logging.getLogger(__name__)


class Progress:
    """Counts files of a known list as they are settled, and says so now and then, and at the end."""

    def __init__(self, what: str, files: Sequence[Listed], every_s: float = EVERY_S):
        self._what, self._every_s = what, every_s
        self._files, self._size = len(files), sum(file.size for file in files)
        self._settled, self._done = 0, 0
        self._began = self._said = time.monotonic()

    def at(self, size: int) -> None:
        """So many bytes of the file at hand are there."""
        if time.monotonic() - self._said >= self._every_s:
            self._say(self._done + size)

    def settle(self, file: Listed) -> None:
        """The file at hand is whole."""
        self._settled += 1
        self._done += file.size
        self.at(0)
        if self._settled == self._files:
            self._say(self._done)

    def _say(self, done: int) -> None:
        self._said = time.monotonic()
        seconds = max(self._said - self._began, 1e-6)
        rate = done / seconds
        left = f", {_clock((self._size - done) / rate)} left" if 0 < done < self._size else ""
        log.info(
            "%s %d of %d files, %s of %s, %s/s%s",
            self._what, self._settled, self._files, amount(done), amount(self._size), amount(rate), left,
        )  # fmt: skip


def amount(size: float) -> str:
    """Bytes as a person reads them, in powers of 1000: `5.92 GB`."""
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= unit:
            return f"{size / unit:.3g} {name}"
    return f"{size:.0f} bytes"


def _clock(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{seconds:.0f} s"
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"
