"""`python -m brainlapse STAGE …`: parse the arguments and call the stage's door.

A stage is imported only when it is called, so that `--help` is quick and each
stage runs in an environment that holds only what it needs. What comes before
the stages is called in the same way: it is all that ever asks the network.
"""

import argparse
import importlib
import json
import logging
import sys
from pathlib import Path

from brainlapse.errors import Failed, Refused
from brainlapse.fetch import STUDIES
from brainlapse.provenance import recorded

BEFORE = {
    "fetch": "before the stages: download a study that is open to all, whole and checked",
    "template": "before the stages: fetch a head template from TemplateFlow",
}
STAGES = {
    "phantom": "write the phantom study: a made-up ADNI download with a known truth",
    "manifest": "a study's own tables and folders → scans.tsv, rejected.tsv, funnel.tsv",
    "preprocess": "scans → brains on the common grid, with a quality table and pictures",
    "pairs": "accepted scans → (source, target, interval) pairs, and splits by person",
    "train": "train one model of config.yaml",
    "sample": "generate the follow-ups of one model for one cohort",
    "evaluate": "score the samples of one model, or compare all the scores",
    "report": "one HTML page for the study, or one for each person",
}

BESIDE = {
    "why": "beside the stages: what a dry run of Snakemake would run, and because of which key",
    "trace": "beside the stages: what made a file, and whether it would be made in the same way today",
}


def main(arguments: list[str] | None = None) -> int:
    """Run one stage. Returns 0, 2 after printing what the user must mend, or 1 if part of the work failed."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    stage = importlib.import_module(f"brainlapse.{options.stage}")
    try:
        with recorded(options):
            stage.run(options)
    except Refused as refusal:
        print(f"brainlapse {options.stage}: {refusal}", file=sys.stderr)
        return 2
    except Failed as failure:
        print(f"brainlapse {options.stage}: {failure}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m brainlapse",
        description=__doc__.split("\n")[0],
    )
    stages = parser.add_subparsers(dest="stage", required=True, metavar="STAGE", title="stages, in order")
    for name, purpose in (BEFORE | STAGES | BESIDE).items():
        stage = stages.add_parser(name, help=purpose, description=purpose)
        for flag, rest in (_of_every_stage(name) | _ARGUMENTS[name]).items():
            stage.add_argument(flag, **rest)
    return parser


def _of_every_stage(name: str) -> dict[str, dict]:
    if name not in STAGES:
        return {}
    settings = {"type": _mapping, "required": True, "help": "JSON with the stage's settings"}
    return {"--settings": settings, "--out": _file(_OUT[name])}


def _mapping(text: str) -> dict:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise argparse.ArgumentTypeError(f"is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError("must be a JSON object")
    return value


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a whole number, 1 or more")
    return int(text)


def _number(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError("must be a number, 0 or more")
    return value


def _file(help: str, many: bool = False, required: bool = True) -> dict:
    return {"type": Path, "help": help, "required": required} | ({"nargs": "+"} if many else {})


def _name(help: str, required: bool = True) -> dict:
    return {"help": help, "required": required}


_COUNT = {"type": int, "default": 1, "help": "CPU threads to use"}
_OUT = {
    "phantom": "folder of the download",
    "manifest": "folder for scans.tsv, rejected.tsv and funnel.tsv",
    "preprocess": "folder of the cohort's preprocessed scans",
    "pairs": "folder for splits.tsv, pairs.tsv and funnel.tsv",
    "train": "folder of the model",
    "sample": "folder of the model's samples of the cohort",
    "evaluate": "folder for the scores",
    "report": "the HTML page, or with --subjects the folder of theirs",
}
_ARGUMENTS: dict[str, dict[str, dict]] = {
    "fetch": {
        "study": {"choices": tuple(STUDIES), "metavar": "STUDY", "help": f"one of: {', '.join(STUDIES)}"},
        "--root": _file("folder to fill; what lies there already is checked and kept"),
        "--people": {"type": _at_least_one, "help": "only the first so many people, for a try"},
        "--url": _name("address of another copy of the data set", required=False),
    },
    "template": {
        "--name": _name("its name in TemplateFlow, such as OASIS30ANTs"),
        "--out": _file("folder for its two files"),
    },
    "phantom": {},
    "manifest": {"--cohort": _name("name of the cohort"), "--threads": _COUNT},
    "preprocess": {
        "--scans": _file("scans.tsv of the cohort"),
        "--subject": _name("only this subject", required=False),
        "--gather": {"action": "store_true", "help": "only collect what the subjects' runs left behind"},
        "--show": {
            "action": "store_true",
            "help": "only write the gallery and the BIDS dataset of what is gathered",
        },
        "--template": _file("folder of the head template, if it was fetched into one", required=False),
        "--jobs": {"type": _at_least_one, "default": 1, "help": "subjects at once; changes no result"},
    },
    "pairs": {
        "--scans": _file("scans.tsv of every cohort", many=True),
        "--quality": _file("quality.tsv of every cohort, in the same order", many=True),
    },
    "train": {
        "--model": _name("name of the model"),
        "--pairs": _file("pairs.tsv"),
        "--quality": _file("quality.tsv of every cohort", many=True),
        "--threads": _COUNT,
        "--processes": {
            "type": _at_least_one,
            "default": 1,
            "help": "processes that share each batch, on a GPU each; torchrun sets it for several machines",
        },
        "--checkpoint-minutes": {"type": _number, "default": 10.0, "help": "minutes between checkpoints"},
        "--pictures": {"type": int, "default": 4, "help": "validation follow-ups to draw ten times in a run"},
        "--volumes": {
            "choices": ("mapped", "device"),
            "default": "mapped",
            "help": "where training volumes lie: on disk, or all in the memory of the GPU",
        },
        "--compile": {"action": "store_true", "help": "compile the networks: a slow start, quicker steps"},
        "--recompute": {"action": "store_true", "help": "need less memory and more time"},
    },
    "sample": {
        "--model": _name("name of the model"),
        "--weights": _file(
            "folder of the trained model; the floors copy, rescan and zero have none", required=False
        ),
        "--cohort": _name("name of the cohort"),
        "--pairs": _file("pairs.tsv"),
        "--quality": _file("quality.tsv of the cohort"),
        "--batch": {"type": int, "default": 1, "help": "requests computed at once; changes no sample"},
        "--shard": _name("only this part of the volumes, such as 2/8", required=False),
        "--gather": {"type": _at_least_one, "help": "only put the tables of so many shards together"},
        "--threads": _COUNT,
    },
    "evaluate": {
        "--model": _name("score this model (or the floor copy, rescan or zero)", required=False),
        "--cohort": _name("name of the cohort", required=False),
        "--quality": _file("quality.tsv of the cohort", required=False),
        "--samples": _file("folder of the model's samples", required=False),
        "--scores": _file("folders with the scores to compare", many=True, required=False),
        "--requests": _file("with --scores: requests.tsv of every cohort", many=True, required=False),
        "--scans": _file("with --scores: scans.tsv of every cohort", many=True, required=False),
        "--threads": _COUNT,
    },
    "report": {
        "--results": _file("the results folder"),
        "--subjects": {"action": "store_true", "help": "write a page for each person into --out instead"},
    },
    "why": {},
    "trace": {
        "file": {"type": Path, "metavar": "FILE", "help": "any file of a results folder"},
        "--config": _file(
            "the configuration to compare with, overlays last; else the one that was run last",
            many=True,
            required=False,
        ),
    },
}
