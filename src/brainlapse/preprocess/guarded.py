"""Each subject in a process of its own, so that a scan on which compiled code dies costs that scan alone.

ITK and torch cannot be caught when they crash: the whole process is gone. So
the process that is asked does nothing but watch, and the child that works tells
it before each scan which one is next. Children are spawned, not forked: they
load ITK and torch themselves, in one thread, whatever threads the caller has.

There is no time limit. A limit on time would make results depend on the load
of the machine; a cluster's own limit ends a job that hangs.
"""

import ctypes
import faulthandler
import logging
import multiprocessing
import os
import re
import resource
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from logging.handlers import QueueHandler
from multiprocessing.connection import Connection, wait
from pathlib import Path

import pandas as pd

from brainlapse.errors import Failed, Refused
from brainlapse.preprocess.derivatives import subject_folder
from brainlapse.writing import remove_unfinished

log = logging.getLogger(__name__)

# What the processor or the C library sends to code that went wrong. SIGKILL is not among them: it comes from
# outside, most often for want of memory, and a second run with more of it helps.
CRASHES = {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE}
TRIES = 2  # a scan is to blame when the process dies on it again; once may be the machine's doing
_SPAWN = multiprocessing.get_context("spawn")
_PR_SET_PDEATHSIG = 1
_FRAME = re.compile(r'^  File "(.+)", line \d+ in (\S+)$', re.MULTILINE)

Work = Callable[[pd.DataFrame, dict, Path, Mapping[str, str], Callable[[str], None]], None]


@dataclass
class Subject:
    """A subject's rows of scans.tsv, and on which of the scans the work has crashed so far."""

    name: str
    visits: pd.DataFrame
    crashes: Counter[str] = field(default_factory=Counter)
    crashed: dict[str, str] = field(default_factory=dict)

    def blame(self, scan: str, detail: str) -> None:
        """Count a crash; from the second one on the scan is left out."""
        self.crashes[scan] += 1
        log.warning("%s %s: crashed, %s (%d of %d)", self.name, scan, detail, self.crashes[scan], TRIES)
        if self.crashes[scan] == TRIES:
            self.crashed[scan] = detail


def whole_subject(
    visits: pd.DataFrame,
    settings: dict,
    out: Path,
    crashed: Mapping[str, str],
    starting: Callable[[str], None],
) -> None:
    """Do one subject in this process; see `preprocess_subject`."""
    from brainlapse.preprocess.subject import preprocess_subject  # loads ITK, which only a child should

    preprocess_subject(visits, settings, out, crashed, starting)


def preprocess_subjects(
    scans: pd.DataFrame, settings: dict, out: Path, jobs: int = 1, work: Work = whole_subject
) -> None:
    """Preprocess all subjects of `scans`, `jobs` at a time, each in a child process.

    A scan on which a child crashes twice is quarantined as `crashed`, and its
    subject is done without it. Any other end of a child is not the scan's
    fault: the other subjects are done, then Failed says how many were not and
    why. What one child refuses (Refused: a setting is wrong) would be refused
    for all, so it is raised at once. The results depend on `jobs` in no byte.
    """
    waiting = [Subject(name, visits) for name, visits in scans.groupby("subject", sort=False)]
    failed: dict[str, str] = {}
    running: dict[Connection, Child] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                child = Child(waiting.pop(0), settings, out, work)
                running[child.messages] = child
            for messages in wait(list(running)):
                child = running[messages]
                if child.listen():
                    continue
                del running[messages]
                if child.crashed_on_its_scan():
                    waiting.insert(0, child.subject)
                elif child.failure:
                    failed[child.subject.name] = child.failure
                    log.error("%s: failed, %s", child.subject.name, child.failure)
    finally:
        for child in running.values():
            child.kill()
    subjects = list(dict.fromkeys(scans["subject"]))
    if failed:  # in the order of scans, not in that in which they ended
        told = counted({subject: failed[subject] for subject in subjects if subject in failed})
        raise Failed(f"{len(failed)} of {len(subjects)} subjects failed: {told}")


def counted(failed: Mapping[str, str]) -> str:
    """The reasons of {subject: reason}, how often each occurred and the first subjects it befell."""
    told = []
    for why, count in Counter(failed.values()).most_common():
        named = [subject for subject in failed if failed[subject] == why]
        told.append(f"{why} ×{count} ({', '.join(named[:5])}{', …' if count > 5 else ''})")
    return "; ".join(told)


class Child:
    """One try at one subject: a process, and what it has said."""

    def __init__(self, subject: Subject, settings: dict, out: Path, work: Work):
        remove_unfinished(subject_folder(out, subject.name), deep=True)
        self.subject = subject
        self.scan: str | None = None
        self.failure: str | None = None
        self.finished = False
        self.scratch = tempfile.TemporaryDirectory(prefix="brainlapse-")
        self.messages, there = _SPAWN.Pipe(duplex=False)
        level = logging.getLogger("brainlapse").getEffectiveLevel()
        task = (work, subject.visits, settings, out, subject.crashed)
        self.process = _SPAWN.Process(target=_child, args=(there, self.scratch.name, level, *task))
        self.process.start()
        there.close()  # so that the child's end of the pipe closes with the child

    def listen(self) -> bool:
        """Take the next message; False once the child is gone: `failure` says why, unless all is well."""
        try:
            kind, said = self.messages.recv()
        except EOFError:
            self._gone()
            return False
        if kind == "log":
            logging.getLogger(said.name).handle(said)
        elif kind == "scan":
            self.scan = said
        elif kind == "refused":
            raise Refused(said)
        elif kind == "finished":
            self.finished, self.failure = True, said
        return True

    def crashed_on_its_scan(self) -> bool:
        """Whether the child, gone now, died of a crash while at a scan; if so the scan is blamed."""
        if self.finished or self.scan is None or -self.process.exitcode not in CRASHES or memory_is_limited():
            return False
        self.subject.blame(self.scan, f"{_name(self.process.exitcode)}{self.place}")
        return True

    def kill(self) -> None:
        """End the child at once."""
        self.process.kill()
        self._gone()

    def _gone(self) -> None:
        self.process.join()
        self.messages.close()
        stack = Path(self.scratch.name, "stack.txt")
        self.place = where(stack.read_text(encoding="utf-8", errors="replace")) if stack.exists() else ""
        self.scratch.cleanup()
        if not self.finished:
            self.failure = _ending(self.process.exitcode, self.scan)


def memory_is_limited() -> bool:
    """Whether `ulimit -v` holds here: ITK crashes when refused memory, and no scan is to blame for that."""
    return resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY


def where(stack: str) -> str:
    """From the faulthandler's stack: the functions of this package that were at work, the outermost first."""
    folder = str(Path(__file__).parent)
    inside = [name for file, name in _FRAME.findall(stack) if file.startswith(folder) and file != __file__]
    inside = [name for name in inside if name not in ("preprocess_subject", "<lambda>")]
    return " in " + " → ".join(reversed(inside)) if inside else ""


def _child(messages: Connection, scratch: str, level: int, work: Work, visits: pd.DataFrame, *rest) -> None:
    _end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C reaches the parent too, and that tells of it
    os.environ["TMPDIR"] = tempfile.tempdir = scratch
    stack = open(f"{scratch}/stack.txt", "w", encoding="utf-8")  # noqa: SIM115, must stay open to the end
    faulthandler.enable(stack, all_threads=False)
    logging.basicConfig(level=level, format="%(message)s", handlers=[_ToParent(messages)], force=True)
    try:
        work(visits, *rest, lambda scan: messages.send(("scan", scan)))
    except Refused as refusal:
        messages.send(("refused", str(refusal)))
    except Exception as error:
        log.exception("%s:", visits["subject"].iloc[0])
        messages.send(("finished", " ".join(f"{type(error).__name__}: {error}".split())[:300]))
    else:
        messages.send(("finished", None))


class _ToParent(QueueHandler):
    """Log lines go to the parent, whose handlers write them: they keep their form and do not mix."""

    def enqueue(self, record: logging.LogRecord) -> None:
        self.queue.send(("log", record))


def _end_with_parent() -> None:
    """Let the kernel end this process when its parent is gone, however that went.

    Where there is no such call the child ends at its next scan, when nobody listens.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if multiprocessing.parent_process().pid != os.getppid():
        os._exit(1)


def _ending(exitcode: int, scan: str | None) -> str:
    if exitcode >= 0:
        return f"the process ended with status {exitcode} and without a message"
    if -exitcode in CRASHES:
        limited = "; the limit on memory (ulimit -v) may be too low" if memory_is_limited() else ""
        return f"crashed by {_name(exitcode)} {f'at {scan}' if scan else 'before its first scan'}{limited}"
    hint = ", for want of memory or by hand" if -exitcode == signal.SIGKILL else ""
    return f"ended from outside by {_name(exitcode)}{hint}"


def _name(exitcode: int) -> str:
    try:
        return signal.Signals(-exitcode).name
    except ValueError:
        return f"signal {-exitcode}"
