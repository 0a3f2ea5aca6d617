"""Say what a dry run of Snakemake would run, and because of which key: a few lines instead of a few hundred.

    snakemake --dry-run … | python -m brainlapse why

Snakemake names the settings of a job before and now, whole; here only the keys
that differ are left, and jobs that run for one and the same cause stand together.
"""

import argparse
import ast
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator

from brainlapse.errors import Refused

JOB = re.compile(r"^Job \d+: (?P<job>.+)\nReason: (?P<reasons>.+)$", re.MULTILINE)
PARAMETERS = re.compile(r"across all output: before: (?P<before>.*) now: (?P<now>.*)$")
FINGERPRINT = re.compile(r"[0-9a-f]{16}")
NOTHING_BEFORE = "<nothing exclusive>"
SHOWN = 60  # characters of a value
# What Snakemake's reason begins with → what it means to the person.
CAUSES = {
    "Missing output files": "its results are not there",
    "Incomplete output files": "it was interrupted",
    "Updated input files": "its input is newer than its results",
    "Input files updated by another job": "what it is made of is made again",
    "Set of input files has changed": "it is made of other files than before",
    "Code has changed": "the command of its rule was edited",
    "Software environment definition has changed": "envs/ was edited, or --use-conda given or left out",
    "Forced execution": "you forced it",
}


def run(options: argparse.Namespace) -> None:
    """Read a dry run from standard input and print what it says in short."""
    if sys.stdin.isatty():
        raise Refused("give it a dry run to read:  snakemake --dry-run … | python -m brainlapse why")
    print(explained(sys.stdin.read()))


def explained(dry_run: str) -> str:
    """The dry run's jobs by their causes, as text. Raises Refused with the whole text if it is no dry run."""
    if "Nothing to be done" in dry_run:
        return "Nothing would run: all results are what these settings and this code make."
    jobs = defaultdict(list)
    for found in JOB.finditer(dry_run):
        jobs[tuple(causes(found["reasons"].strip()))].append(found["job"])
    if not jobs:
        raise Refused(f"this is no dry run of Snakemake with its reasons (leave out --quiet):\n{dry_run}")
    return "\n".join(_block(named, because) for because, named in jobs.items())


def causes(reasons: str) -> Iterator[str]:
    """What a job's reasons mean, a sentence each."""
    changed = PARAMETERS.search(reasons)
    if changed:
        yield from parameters_changed(_strings(changed["before"]), _strings(changed["now"]))
        reasons = reasons[: changed.start()].rpartition("Params have changed")[0]
    for reason in filter(None, reasons.rstrip("; ").split("; ")):
        yield next((said for start, said in CAUSES.items() if reason.startswith(start)), reason)


def parameters_changed(before: list[str], now: list[str]) -> Iterator[str]:
    """The keys whose values differ, and whether the code does; other parameters only name folders."""
    old, new = ([json.loads(p) for p in parameters if p.startswith("{")] for parameters in (before, now))
    if old and new:
        yield from settings_changed(_together(old), _together(new))
    if any(map(FINGERPRINT.fullmatch, now)):
        yield "the code of its stage was edited"


def _together(settings: list[dict]) -> dict:
    return {key: value for part in settings for key, value in part.items()}


def settings_changed(old: dict, new: dict) -> Iterator[str]:
    """A line for each key that differs: its path, its value before and now."""
    old, new = flat(old), flat(new)
    for key in sorted({**old, **new}):
        if old.get(key) != new.get(key):
            yield f"{key}: {_shown(old, key)} → {_shown(new, key)}"


def flat(settings: dict, prefix: str = "") -> dict:
    """Nested settings with dots between the keys."""
    found = {}
    for key, value in settings.items():
        nested = isinstance(value, dict) and value
        found |= flat(value, f"{prefix}{key}.") if nested else {f"{prefix}{key}": value}
    return found


def _shown(settings: dict, key: str) -> str:
    text = json.dumps(settings[key], ensure_ascii=False) if key in settings else "absent"
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def _strings(listed: str) -> list[str]:
    """The parameters that Snakemake lists as Python literals with commas between."""
    if listed.strip() in ("", NOTHING_BEFORE):
        return []
    return [str(value) for value in ast.literal_eval(f"[{listed}]")]


def _block(jobs: list[str], because: tuple[str, ...]) -> str:
    more = f", and {len(jobs) - 3} more" if len(jobs) > 3 else ""
    return "\n".join([f"{'; '.join(jobs[:3])}{more}", *(f"    {cause}" for cause in because)])
