"""What made a file: each command leaves a record beside what it wrote, `RULE.provenance.json`.

A record is a list of runs, the oldest first: what the command was told, the code
that ran, what it read and wrote, with what, where and when. Paths are relative to
the record, so that a results folder can be moved. A run's `id` depends on its
settings, its code and its inputs, each with the id of the run that made it: two
files of one id were made in one way, from the download on.

No stage reads a record: dates and machines decide no result. Tables, pages and
weights count by their SHA-256, volumes by their size: a cohort has gigabytes of
them, and gzip has a checksum of its own.
"""

import csv
import hashlib
import json
import os
import platform
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import NamedTuple

from brainlapse.fingerprint import code_by_file, code_of, download_of
from brainlapse.versions import versions
from brainlapse.writing import write_text

ENDING = ".provenance.json"
_HASHED = (".tsv", ".csv", ".txt", ".json", ".html", ".safetensors", ".pth")
_ABOUT = ("cohort", "model", "subject", "shard")  # the options that tell runs of a rule apart
# What a command reads in a folder that it is given, and beside a file.
_READ_IN = {
    "weights": ("model.safetensors", "settings.json"),
    "samples": ("requests.tsv", "samples.tsv"),
    "scores": ("scores.tsv", "distributions.tsv"),
    "template": ("*",),
    "results": ("[123]_*/*/*.tsv", "[36]_*/*.tsv", "4_train/*/log.jsonl"),
}
_FOLDERS_IN_SETTINGS = ("root", "label_maps")
_FILES_IN_SETTINGS = ("file", "inception_weights")


class Job(NamedTuple):
    """A command as the workflow sees it: its rule, its code, where its record lies, where it writes."""

    rule: str
    part: str  # of the package, as fingerprint.code_of takes it
    record: Path
    writes: Path
    into: tuple[str, ...] | None = None  # the folders in `writes` that are its own; None: all


@contextmanager
def recorded(options: Namespace) -> Iterator[None]:
    """Leave a record of what the command does in this block; none if it fails, or is no stage."""
    job = job_of(options) if _is_first_process() else None
    if job is None:
        yield
        return
    before, inputs = _written(job), _inputs(options, job)
    started, clock = datetime.now(UTC), time.monotonic()
    yield
    inputs |= _images_read(job)
    run = {
        "rule": job.rule,
        "about": {key: vars(options)[key] for key in _ABOUT if vars(options).get(key)},
        "settings": getattr(options, "settings", {}),
        "code": {"part": job.part, "fingerprint": code_of(job.part), "files": code_by_file(job.part)},
        "inputs": inputs,
        "outputs": _outputs(options, job, before),
        "versions": dict(versions()),
        "host": _host(),
        "command": sys.argv[1:],
        "started": started.isoformat(timespec="milliseconds"),
        "seconds": round(time.monotonic() - clock, 3),
    }
    _append({"id": _id(run), **run}, job.record)


def job_of(options: Namespace) -> Job | None:
    """The job behind a command's options; None for a command that makes no part of a study."""
    stage, out = options.stage, getattr(options, "out", None)
    if stage in ("phantom", "template"):  # what reads their folder must find nothing else in it
        return Job(stage, stage, out.with_name(f"{out.name}.{stage}{ENDING}"), out)
    if stage in ("manifest", "pairs", "train"):
        return _job(stage, stage, out)
    if stage == "preprocess" and options.subject:
        return _job("preprocess", "preprocess.subject", out / f"sub-{options.subject}")
    if stage == "preprocess" and options.gather:
        return _job("gather", "preprocess.gather", out, ())
    if stage == "preprocess":
        return _job("show", "preprocess", out, ("bids",)) if options.show else _job(stage, stage, out)
    if stage == "sample" and options.shard:
        name = f"sample-{options.shard.replace('/', '-of-')}"
        return Job("sample_shard", "sample", out / f"{name}{ENDING}", out)
    if stage == "sample":
        return _job("sample", "sample", out)
    if stage == "evaluate":
        return _job("compare", "evaluate", out, ()) if options.scores else _job("score", "evaluate", out)
    if stage == "report":
        return _job("subjects", stage, out) if options.subjects else _job(stage, stage, out.parent, ())
    return None


def run_behind(path: str | Path) -> dict | None:
    """The newest run that lists the file among what it wrote, with `record`, where it says so; else None."""
    path = Path(os.path.abspath(path))
    found = [
        {**run, "record": record}
        for folder in path.parents
        for record in sorted(folder.glob(f"*{ENDING}"))
        for run in runs_in(record, record.stat().st_mtime_ns)
        if os.path.relpath(path, folder) in run["outputs"]
    ]
    return max(found, key=lambda run: run["started"], default=None)


@cache
def runs_in(record: Path, changed: int) -> list[dict]:
    """The runs of a record, read once a change."""
    return json.loads(record.read_text(encoding="utf-8"))


def state_of(path: Path, like: dict | None = None) -> dict | None:
    """What a file or folder is now: its SHA-256, bytes or listing, as `like` has it; None if it is gone.

    Without `like`, as its kind is recorded. `rows_of` in it takes only the rows of that subject.
    """
    if not path.exists():
        return None
    if like is None:
        like = {"listing": ""} if path.is_dir() else {"sha256": ""} if path.suffix in _HASHED else {}
    if "listing" in like:
        return {"listing": download_of(path)}
    if "rows_of" in like:
        return {"sha256": _hash_of_rows(path, like["rows_of"]), "rows_of": like["rows_of"]}
    if "sha256" in like:
        with open(path, "rb") as file:
            return {"sha256": hashlib.file_digest(file, "sha256").hexdigest()}
    return {"bytes": path.stat().st_size}


def _job(rule: str, part: str, folder: Path, into: tuple[str, ...] | None = None) -> Job:
    return Job(rule, part, folder / f"{rule}{ENDING}", folder, into)


def _is_first_process() -> bool:
    """Of the processes that train one model together, one writes."""
    return all(os.environ.get(rank, "0") == "0" for rank in ("RANK", "SLURM_PROCID"))


def _inputs(options: Namespace, job: Job) -> dict[str, dict]:
    """What the command will read: each file's state and the run that made it."""
    found = {}
    for path in _paths_read(options):
        whose = {"rows_of": options.subject} if path == getattr(options, "scans", None) else {}
        like = whose if whose.get("rows_of") else None
        state = state_of(path, like)
        if state is not None:  # if the stage cannot do without, it says so itself
            found[_relative(path, job)] = state | _made_by(path)
    return found


def _paths_read(options: Namespace) -> Iterator[Path]:
    """The files, and the folders that count by their listing, that a command's options and settings name."""
    for name, value in sorted(vars(options).items()):
        for path in value if isinstance(value, list) else [value]:
            if isinstance(path, Path) and name != "out":
                yield from _files_meant(path, name)
            if name == "quality" and path and options.stage == "train":
                yield path.with_name("volumes.npy")
    settings = getattr(options, "settings", {})
    for part in (settings, *(inner for inner in settings.values() if isinstance(inner, dict))):
        for key in (*_FOLDERS_IN_SETTINGS, *_FILES_IN_SETTINGS):
            if isinstance(part.get(key), str):
                yield Path(part[key])
    if options.stage == "manifest":  # a phantom study's folder has a run behind it
        yield Path(settings.get("root", ""), "truth", "truth.tsv")
    if getattr(options, "show", False):
        yield options.out / "quality.tsv"
    if getattr(options, "gather", None):
        tables = (
            "sub-*/quality.tsv" if options.stage == "preprocess" else f"samples-*-of-{options.gather}.tsv"
        )
        yield from sorted(options.out.glob(tables))


def _files_meant(path: Path, option: str) -> Iterator[Path]:
    if not path.is_dir():
        yield path
    for pattern in _READ_IN.get(option, ()) if path.is_dir() else ():
        yield from sorted(file for file in path.glob(pattern) if file.is_file())


def _images_read(job: Job) -> dict[str, dict]:
    """The images behind preprocessed scans, whose sidecars hold their hashes: they are not read again."""
    found = {}
    for sidecar in sorted(job.writes.rglob("*_desc-preproc_T1w.json")) if job.rule == "preprocess" else ():
        told = json.loads(sidecar.read_text(encoding="utf-8"))
        for image, sha256 in zip(told["Sources"], told["SourcesSHA256"], strict=True):
            found[_relative(Path(image), job)] = {"sha256": sha256} | _made_by(image)
    return found


def _made_by(path: str | Path) -> dict[str, str]:
    run = run_behind(path)
    return {"run": run["id"]} if run else {}


def _written(job: Job) -> dict[Path, tuple]:
    """Every file where the job writes, with what tells whether it was written anew."""
    found, folders = {}, [job.writes]
    for folder in folders:
        for entry in os.scandir(folder) if folder.is_dir() else ():
            own = job.into is None or folder != job.writes or entry.name in job.into
            if entry.is_dir(follow_symlinks=False) and own:
                folders.append(Path(entry.path))
            elif entry.is_file() and not entry.name.startswith(".") and not entry.name.endswith(ENDING):
                status = entry.stat()
                found[Path(entry.path)] = (status.st_mtime_ns, status.st_size, status.st_ino)
    return found


def _outputs(options: Namespace, job: Job, before: dict[Path, tuple]) -> dict[str, dict]:
    if job.rule == "sample_shard":  # others write into the folder at the same time
        table = options.out / f"{job.record.name.removesuffix(ENDING).replace('sample-', 'samples-', 1)}.tsv"
        with open(table, encoding="utf-8", newline="") as rows:
            images = [options.out / row["image"] for row in csv.DictReader(rows, delimiter="\t")]
        written = [table, *images]
    else:
        written = [path for path, status in _written(job).items() if before.get(path) != status]
    return {_relative(path, job): state_of(path) for path in sorted(written)}


def _relative(path: Path, job: Job) -> str:
    return os.path.relpath(path, job.record.parent)


def _hash_of_rows(table: Path, subject: str) -> str:
    with open(table, encoding="utf-8", newline="") as rows:
        own = [row for row in csv.DictReader(rows, delimiter="\t") if row.get("subject") == subject]
    return hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()


def _host() -> dict:
    """The kind of machine, and not which one."""
    torch = sys.modules.get("torch")
    gpu = torch.cuda.get_device_name() if torch and torch.cuda.is_available() else None
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "gpu": gpu,
        "started_by": os.environ.get("BRAINLAPSE_STARTED_BY", "hand"),
    }


def _id(run: dict) -> str:
    """Of what decides a result, and of nothing else: no path, date or machine."""
    read = sorted(json.dumps(state, sort_keys=True) for state in run["inputs"].values())
    decisive = [run["rule"], run["about"], run["settings"], run["code"]["fingerprint"], read]
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:16]


def _append(run: dict, record: Path) -> None:
    """Add a run to a record; of the runs before it stays what is still there and not written anew."""
    before = runs_in(record, record.stat().st_mtime_ns) if record.exists() else []
    kept = []
    for old in before:
        left = {
            path: state
            for path, state in old["outputs"].items()
            if path not in run["outputs"] and (record.parent / path).exists()
        }
        if left:
            kept.append({**old, "outputs": left})
    write_text(record, json.dumps([*kept, run], indent=1, ensure_ascii=False) + "\n")
