"""A process that dies costs one scan or one subject, never the others, and no process is left behind.

The processes and their deaths are real. Where no brain is needed, the work is a
play of a few lines: what happens at each scan stands in the settings.
"""

import atexit
import ctypes
import hashlib
import json
import logging
import os
import pickle
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from brainlapse import tables
from brainlapse.errors import Refused
from brainlapse.preprocess.guarded import Failed, preprocess_subjects, where, whole_subject
from toy_heads import SETTINGS, HeadFolder


def null_read() -> None:
    """Crash as compiled code does."""
    ctypes.string_at(0)


def play(visits, settings, out, crashed, starting) -> None:
    """Do at each scan what the settings say of it; write down what was told."""
    subject = visits["subject"].iloc[0]
    if settings.get(subject) == "crash":
        null_read()
    for scan in visits["scan"]:
        starting(scan)
        if scan not in crashed:
            _act(settings.get(scan), out / f"{scan}.seen")
    logging.getLogger("brainlapse.play").info("%s is done", subject)
    (out / f"{subject}.json").write_text(json.dumps(dict(crashed)))
    if settings.get(subject) == "crash late":
        atexit.register(null_read)


def _act(what: str | None, seen: Path) -> None:
    if what == "crash":
        null_read()
    elif what == "crash once":
        if not seen.exists():
            seen.touch()
            null_read()
    elif what == "abort":
        os.abort()
    elif what == "exit":
        os._exit(3)
    elif what == "memory":
        raise MemoryError("no room for a field")
    elif what == "refuse":
        raise Refused("preprocess.template: 'x' is not known.")
    elif what == "sleep":
        seen.touch()
        time.sleep(120)
    elif what is not None:
        os.kill(os.getpid(), signal.Signals[what])


def crash_at_bad(visits, settings, out, crashed, starting) -> None:
    """The real work, but compiled code crashes when the scan `bad` begins."""

    def start(scan: str) -> None:
        starting(scan)
        if scan == "bad" and scan not in crashed:
            null_read()

    whole_subject(visits, settings, out, crashed, start)


def scans_of(**subjects: str) -> pd.DataFrame:
    """A table of scans: subject = "scan scan …"."""
    rows = [(subject, scan) for subject, scans in subjects.items() for scan in scans.split()]
    return pd.DataFrame(rows, columns=["subject", "scan"])


@pytest.fixture
def scratch(tmp_path, monkeypatch) -> Path:
    """Where temporary folders are made."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_a_scan_that_crashes_twice_is_left_out_and_once_is_forgiven(tmp_path, scratch, caplog):
    scans = scans_of(A="good bad worse", B="odd", C="last")
    plot = {"bad": "crash", "worse": "abort", "odd": "crash once", "C": "crash late"}
    leftover = tmp_path / "sub-A" / "ses-bad" / ".partial-1-image.nii.gz"
    leftover.parent.mkdir(parents=True)
    leftover.touch()
    with caplog.at_level(logging.INFO, "brainlapse"):
        preprocess_subjects(scans, plot, tmp_path, work=play)
    told = {subject: json.loads((tmp_path / f"{subject}.json").read_text()) for subject in "ABC"}
    assert told == {"A": {"bad": "SIGSEGV", "worse": "SIGABRT"}, "B": {}, "C": {}}
    assert caplog.messages.count("A bad: crashed, SIGSEGV (2 of 2)") == 1
    assert [m for m in caplog.messages if "done" in m] == [f"{subject} is done" for subject in "ABC"]
    assert not leftover.exists() and not list(scratch.iterdir())


def test_other_ends_fail_their_subject_and_the_others_are_done(tmp_path, scratch):
    scans = scans_of(A="a", B="b", C="c", D="d", E="e", F="f")
    plot = {"a": "SIGKILL", "b": "SIGKILL", "c": "exit", "d": "memory", "E": "crash"}
    with pytest.raises(Failed) as failed:
        preprocess_subjects(scans, plot, tmp_path, jobs=2, work=play)
    assert str(failed.value) == (
        "5 of 6 subjects failed: ended from outside by SIGKILL, for want of memory or by hand ×2 (A, B); "
        "the process ended with status 3 and without a message ×1 (C); "
        "MemoryError: no room for a field ×1 (D); crashed by SIGSEGV before its first scan ×1 (E)"
    )
    assert sorted(path.name for path in tmp_path.glob("*.json")) == ["F.json"]
    assert not list(scratch.iterdir())


def test_where_memory_is_limited_a_crash_is_not_blamed_on_the_scan(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (1 << 45, hard))
    try:
        with pytest.raises(
            Failed, match=r"SIGSEGV at a; the limit on memory \(ulimit -v\) may be too low ×1 \(A\)"
        ):
            preprocess_subjects(scans_of(A="a"), {"a": "crash"}, tmp_path, work=play)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def test_what_one_subject_refuses_stops_all_at_once(tmp_path, scratch):
    scans = scans_of(A="a", B="b", C="c")
    with pytest.raises(Refused, match=r"preprocess\.template: 'x' is not known"):
        preprocess_subjects(scans, {"a": "refuse", "b": "sleep"}, tmp_path, jobs=2, work=play)
    assert not list(tmp_path.glob("*.json")) and not list(scratch.iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the child ends at its next scan")
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_the_child_ends_with_its_parent(tmp_path, end):
    code = (
        "import sys; from pathlib import Path; import test_preprocess_guarded as t\n"
        "t.preprocess_subjects(t.scans_of(A='a'), {'a': 'sleep'}, Path(sys.argv[1]), work=t.play)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], env=with_these_paths())
    wait_for((tmp_path / "a.seen").exists)
    child = [pid for pid in working() if parent_of(pid) == parent.pid and "spawn_main" in command_of(pid)]
    assert len(child) == 1
    parent.send_signal(end)
    assert parent.wait(10) == -end
    wait_for(lambda: "spawn_main" not in command_of(child[0]))


def with_these_paths() -> dict[str, str]:
    """The environment for a process that imports what this one can."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def working() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]


def parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def command_of(pid: int) -> str:
    """The command line; empty once the process is gone or waits to be buried."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def wait_for(happened, seconds: float = 60) -> None:
    """Wait until it has happened, and fail if it does not."""
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_the_stack_says_at_which_step_it_was():
    folder = Path(where.__code__.co_filename).parent
    stack = "\n".join(
        [
            "Fatal Python error: Segmentation fault",
            "",
            "Current thread 0x00007f0b (most recent call first):",
            '  File "/site-packages/ants/registration.py", line 1 in registration',
            f'  File "{folder}/registration.py", line 64 in register',
            f'  File "{folder}/alignment.py", line 52 in brain_to_template',
            f'  File "{folder}/subject.py", line 137 in begin',
            f'  File "{folder}/subject.py", line 107 in preprocess_subject',
            f'  File "{folder}/guarded.py", line 83 in whole_subject',
        ]
    )
    assert where(stack) == " in begin → brain_to_template → register"
    assert where("") == ""


@pytest.fixture(scope="module")
def heads(visits, tmp_path_factory) -> HeadFolder:
    """S1 with a scan that will crash before a good one; S2 with one scan, and one without a picture."""
    heads = HeadFolder(tmp_path_factory.mktemp("heads"))
    heads.add("S1", "bad", 0, visits[1])
    heads.add("S1", "good", 10, visits[0])
    heads.add("S2", "other", 0, visits[1])
    heads.add("S2", "void", 9, nib.Nifti1Image(np.zeros(visits[0].shape, np.float32), visits[0].affine))
    return heads


@pytest.mark.slow
def test_guarded_or_not_alone_or_side_by_side_the_bytes_are_the_same(heads, tmp_path):
    guarded, bare = tmp_path / "guarded", tmp_path / "bare"
    preprocess_subjects(heads.scans, SETTINGS, guarded, jobs=2, work=crash_at_bad)
    (tmp_path / "task").write_bytes(pickle.dumps((heads.scans, SETTINGS, bare)))
    code = (
        "import sys, pickle; from brainlapse.preprocess.guarded import whole_subject\n"
        "scans, settings, out = pickle.load(open(sys.argv[1], 'rb'))\n"
        "for _, visits in scans.groupby('subject'):\n"
        "    whole_subject(visits, settings, out, {'bad': 'SIGSEGV'}, print)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "task")]
    subprocess.run(command, check=True, env=with_these_paths())
    assert hashes(guarded) == hashes(bare)
    quality = tables.read(guarded / "sub-S1" / "quality.tsv", tables.QUALITY).set_index("scan")
    assert quality.loc["bad", "reason"] == "crashed: SIGSEGV"
    assert list(quality["status"]) == ["quarantined", "accepted"]
    assert (guarded / "sub-S1" / "ses-good").is_dir() and not (guarded / "sub-S1" / "ses-bad").exists()


def hashes(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
