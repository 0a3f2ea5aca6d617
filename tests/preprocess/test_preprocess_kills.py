"""Whenever the stage is killed, no file is broken, and the next run ends as if nothing had been.

The command is run as a user runs it, in a group of processes that is killed as
a whole. A file under its final name must have the bytes that an undisturbed run gives it.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainlapse import tables
from brainlapse.provenance import ENDING, run_behind
from brainlapse.volumes import Grid, read_volume, to_bytes, write_volume
from brainlapse.writing import remove_unfinished, whole_file, write_text
from toy_heads import SETTINGS, HeadFolder

GRID = Grid(tuple(SETTINGS["grid"]["shape"]), SETTINGS["grid"]["spacing_mm"])
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads the processes' CPU time from /proc")
# Every Python process that finds this file kills its group just before its n-th step of writing. (The
# subject's files are written by a process of its own; after it the command writes its record.)
SITE = """
import os, signal
steps = int(os.environ["KILL_AT_STEP"])
def counting(call):
    def counted(*arguments, **named):
        global steps
        steps -= 1
        if steps == 0:
            os.killpg(0, signal.SIGKILL)
        return call(*arguments, **named)
    return counted
os.fsync, os.replace = counting(os.fsync), counting(os.replace)
"""
STEPS_OF_A_FILE = 3  # its bytes to disk, its name, its folder's entry to disk


class Stage:
    """The command for one folder of heads."""

    def __init__(self, heads: HeadFolder, place: Path):
        self.scans, self.place = heads.root / "scans.tsv", place
        tables.write(heads.scans, self.scans, tables.SCANS)
        write_text(place / "site" / "sitecustomize.py", SITE)

    def start(self, out: Path, *what: str, step: int = 0, **env: str) -> subprocess.Popen:
        """Start the command; `step` is the step of writing at which it kills itself."""
        where = [str(self.place / "site")] if step else []
        paths = os.pathsep.join([*where, *filter(None, sys.path)])
        arguments = ["--scans", self.scans, "--settings", json.dumps(SETTINGS), "--out", out, *what]
        return subprocess.Popen(
            [sys.executable, "-m", "brainlapse", "preprocess", *map(str, arguments)],
            env=os.environ | {"PYTHONPATH": paths, "KILL_AT_STEP": str(step)} | env,
            cwd=self.place,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def finish(self, out: Path, *what: str, **env: str) -> float:
        """Run to the end; return the CPU seconds of all its processes."""
        before = os.times()
        assert self.start(out, *what, **env).wait() == 0
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    def kill_at_cpu(self, cpu_s: float, out: Path, *what: str) -> bool:
        """Kill the command when it has used that much CPU time; whether it was still at work."""
        process = self.start(out, *what)
        while process.poll() is None and cpu_seconds(process.pid) < cpu_s:
            time.sleep(0.02)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        return process.wait() == -signal.SIGKILL

    def kill_at_step(self, step: int, out: Path, *what: str) -> bool:
        """Let the command kill itself at a step of writing; whether it got there."""
        return self.start(out, *what, step=step).wait() == -signal.SIGKILL


def cpu_seconds(group: int) -> float:
    """CPU time so far of the living processes of a group."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[2]) == group:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file but the record of a run, which has dates in it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(ENDING))
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def assert_whole(out: Path, wanted: dict[str, str]) -> None:
    """Every file that bears a final name is as wanted; the table is there only with all that it names."""
    found = {name: told for name, told in hashes(out).items() if ".partial-" not in name}
    assert found == {name: wanted[name] for name in found}
    if any(name.endswith("quality.tsv") for name in found):
        assert found == wanted


def assert_recorded(out: Path, wanted: dict[str, str]) -> None:
    """The last run's record lies there whole, and tells of every file."""
    table = next(out.glob("sub-*/quality.tsv"))
    run = run_behind(table)
    assert {str((run["record"].parent / path).relative_to(out)) for path in run["outputs"]} == wanted.keys()


@pytest.fixture
def heads(visits, tmp_path) -> HeadFolder:
    """One person with one visit."""
    (tmp_path / "heads").mkdir()
    heads = HeadFolder(tmp_path / "heads")
    heads.add("S1", "first", 0, visits[0])
    return heads


@linux
def test_three_kills_and_the_next_run_ends_as_if_nothing_had_been(heads, tmp_path):
    stage, out = Stage(heads, tmp_path), tmp_path / "out"
    cpu_s = stage.finish(tmp_path / "undisturbed", "--subject", "S1")
    wanted = hashes(tmp_path / "undisturbed")
    steps = STEPS_OF_A_FILE * len(wanted)
    assert stage.kill_at_cpu(0.5 * cpu_s, out, "--subject", "S1")
    assert_whole(out, wanted)
    for step in (2, steps - 1):  # the first file has its bytes and no name; the last likewise
        assert stage.kill_at_step(step, out, "--subject", "S1")
        assert_whole(out, wanted)
        assert [path.name for path in out.rglob(".partial-*")]
    stage.finish(out, "--subject", "S1")
    assert hashes(out) == wanted
    assert_recorded(out, wanted)


@linux
@pytest.mark.slow
def test_ten_kills_and_the_next_run_ends_as_if_nothing_had_been(heads, visits, tmp_path):
    heads.add("S1", "second", 400, visits[1])
    stage, out = Stage(heads, tmp_path), tmp_path / "out"
    cpu_s = stage.finish(tmp_path / "undisturbed", "--subject", "S1")
    wanted = hashes(tmp_path / "undisturbed")
    rng = np.random.default_rng(0)
    # CPU time differs by some per cent from run to run: a later moment may come after the end.
    kills = [(stage.kill_at_cpu, part * cpu_s) for part in np.linspace(0.05, 0.75, 6)]
    steps = rng.choice(STEPS_OF_A_FILE * len(wanted), 4, replace=False) + 1
    kills += [(stage.kill_at_step, int(step)) for step in steps]
    hit = 0
    for number in rng.permutation(len(kills)):
        kill, when = kills[number]
        hit += kill(when, out, "--subject", "S1")
        assert_whole(out, wanted)
    assert hit >= 9
    stage.finish(out, "--subject", "S1")
    assert hashes(out) == wanted
    assert_recorded(out, wanted)


@linux
@pytest.mark.slow
def test_another_folder_hash_seed_clock_language_and_busy_cores_give_the_same_bytes(heads, visits, tmp_path):
    heads.add("S1", "second", 400, visits[1])
    stage = Stage(heads, tmp_path)
    stage.finish(tmp_path / "here", "--subject", "S1")
    elsewhere = Stage(heads, tmp_path / "elsewhere")
    world = {"PYTHONHASHSEED": "77", "TZ": "Pacific/Apia", "LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8"}
    threads = ("ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        elsewhere.finish(Path("out"), "--subject", "S1", **world, **dict.fromkeys(threads, "2"))
    finally:
        for process in busy:
            process.kill()
            process.wait()
    assert hashes(tmp_path / "elsewhere" / "out") == hashes(tmp_path / "here")


@linux
def test_a_kill_while_gathering_never_leaves_the_table_of_another_store(tmp_path):
    """An earlier gathering saw two accepted scans; then one was quarantined, and gathering is killed."""
    (tmp_path / "heads").mkdir()
    heads = HeadFolder(tmp_path / "heads")
    for scan in ("first", "second"):
        heads.rows.append(
            {"cohort": "toy", "subject": "S1", "scan": scan, "days": len(heads.rows), "image": scan}
        )
    stage, out = Stage(heads, tmp_path), tmp_path / "out"
    leave(out, quarantined=False)
    stage.finish(out, "--gather")
    assert_table_fits_store(out)
    before = hashes(out)
    leave(out, quarantined=True)
    step = 1
    while stage.kill_at_step(step, out, "--gather"):
        if (out / "quality.tsv").exists():
            assert_table_fits_store(out)
        step += 1
    assert step > STEPS_OF_A_FILE * 2 and assert_table_fits_store(out) == 1
    assert not list(out.rglob(".partial-*"))
    leave(out, quarantined=False)
    stage.finish(out, "--gather")
    assert hashes(out) == before


def leave(out: Path, quarantined: bool) -> None:
    """What a run for the subject leaves: two scans, the first of them quarantined or not."""
    rows = []
    for number, scan in enumerate(("first", "second")):
        image = f"sub-S1/ses-{scan}/anat/{scan}.nii.gz"
        values = np.random.default_rng(number).uniform(-1, 1, GRID.shape).astype(np.float32)
        write_volume(out / image, values, GRID.affine)
        row = {"cohort": "toy", "subject": "S1", "scan": scan, "status": "accepted"}
        rows.append(row | {"image": image, "mask": image})
    if quarantined:
        rows[0] |= {"status": "quarantined", "reason": "constant: 7", "image": None, "mask": None}
    quality = pd.DataFrame(rows).reindex(columns=tables.QUALITY.names)
    tables.write(quality, out / "sub-S1" / "quality.tsv", tables.QUALITY)


def assert_table_fits_store(out: Path) -> int:
    """Every accepted scan's packed row is its image; return how many there are."""
    quality = tables.read(out / "quality.tsv", tables.QUALITY)
    accepted = quality[quality["status"] == "accepted"]
    store = np.load(out / "volumes.npy")
    assert len(store) == len(accepted)
    for row in accepted.itertuples():
        np.testing.assert_array_equal(store[row.packed_row], to_bytes(read_volume(out / row.image)[0]))
    return len(store)


@pytest.mark.parametrize("step", range(1, 5))
def test_a_file_is_old_or_new_and_what_a_kill_leaves_is_removed(tmp_path, step):
    path = tmp_path / "deep" / "told.txt"
    write_text(path, "old")
    child = os.fork()
    if child == 0:
        exec(
            SITE.replace('os.environ["KILL_AT_STEP"]', f'"{step}"').replace(
                "os.killpg(0", "os.kill(os.getpid()"
            )
        )
        write_text(path, "new")
        os._exit(0)
    died = os.WIFSIGNALED(os.waitpid(child, 0)[1])
    assert died == (step <= STEPS_OF_A_FILE)
    assert path.read_text() == ("old" if step <= 2 else "new")
    assert len(list(path.parent.iterdir())) == (2 if step <= 2 else 1)
    remove_unfinished(tmp_path)
    assert len(list(path.parent.iterdir())) == (2 if step <= 2 else 1)
    remove_unfinished(tmp_path, deep=True)
    assert [path] == list(path.parent.iterdir())


def test_a_writer_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    write_text(tmp_path / "told.txt", "old")

    def half_written() -> None:
        with whole_file(tmp_path / "told.txt") as beside:
            beside.write_text("ne")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        half_written()
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]
