"""One training of quality_per_flop.py: train, sample and score with the stages' own commands."""

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch

from brainlapse import cli, tables
from brainlapse.evaluate.comparing import comparisons
from brainlapse.evaluate.scans import Scans
from brainlapse.fingerprint import code_of
from brainlapse.models import FAMILIES
from brainlapse.models.cost import cost_of, sample_cost
from brainlapse.models.pace import EXPECTED
from brainlapse.models.stored import Recipe
from brainlapse.writing import write_text

COPY = "copy"
FRECHET = "frechet_random3d"
# Column → (region, metric, which number) of comparisons.tsv.
COMPARED = {
    "ssim_brain": ("brain", "ssim_brain", "value"),
    "ssim_brain_gain": ("brain", "ssim_brain", "gain"),
    "mae_brain": ("brain", "mae_brain", "value"),
    "mae_changed": ("changed", "mae_changed", "value"),
    "change_correlation": ("brain", "change_correlation", "value"),
    "change_error": ("brain", "change_error", "value"),
    "ventricles_pearson": ("ventricles", "volume_change_pearson", "value"),
    "ventricles_slope": ("ventricles", "volume_change_slope", "value"),
    "ventricles_rate_error": ("ventricles", "volume_rate_error_percent_per_year", "value"),
    "ventricles_crps": ("ventricles", "volume_change_crps_percent", "value"),
    "brain_crps": ("brain", "volume_change_crps_percent", "value"),
    "hippocampi_pearson": ("hippocampi", "volume_change_pearson", "value"),
    "hippocampi_slope": ("hippocampi", "volume_change_slope", "value"),
}
# The same of rows with several draws: how far they lie apart against how far their mean lies from the truth.
UNCERTAINTY = {
    "spread_error_brain": ("brain", "spread_error_ratio"),
    "spread_error_ventricles": ("ventricles", "volume_change_spread_error_ratio"),
    "coverage_ventricles": ("ventricles", "volume_change_covered"),
}


@dataclass(frozen=True)
class Study:
    """A results folder with pairs of one cohort; the least smoothed change that counts as changed."""

    results: Path
    change_threshold: float

    @property
    def pairs(self) -> Path:
        return self.results / "3_pairs" / "pairs.tsv"

    @property
    def quality(self) -> Path:
        return self.results / "2_preprocess" / self.cohort / "quality.tsv"

    @cached_property
    def cohort(self) -> str:
        return str(tables.read(self.pairs, tables.PAIRS)["cohort"].iloc[0])

    @cached_property
    def grid(self) -> dict:
        """As config.yaml has it."""
        scan = tables.read(self.pairs, tables.PAIRS)["source_scan"].iloc[0]
        volume, _, affine = Scans(self.quality).read(scan)
        return {"shape": list(volume.shape), "spacing_mm": float(np.linalg.norm(affine[:3, 0]))}


@dataclass(frozen=True)
class Job:
    """One training, and the ways of sampling it to measure."""

    study: Study
    row: str
    settings: dict  # of the train stage
    samplings: tuple[str, ...]  # STEPS or STEPSxDRAWS each, with -drawn at drawn paces
    folder: Path  # of the trained model, and of the samples while they are scored

    @property
    def seed(self) -> int:
        return self.settings["seed"]

    @property
    def training_steps(self) -> int:
        return self.settings["training"]["steps"]

    @property
    def possible(self) -> tuple[str, ...]:
        """Those ways of sampling that this row can be asked in and that differ for it."""
        return tuple(way for way in self.samplings if self._can(way))

    def sampling(self, way: str) -> dict:
        """The same as settings of the sample stage."""
        asked = _asked(way)
        return {key: value for key, value in asked.items() if key in self._choices}

    def _can(self, way: str) -> bool:
        """With a family that has no steps the answer in one is all; paces are drawn where one is foretold."""
        asked, foretold = _asked(way), "pace" in self._choices and self.settings.get("start") == "paced"
        if "steps" not in self._choices and asked["steps"] > 1:
            return False
        return foretold or asked["pace"] == EXPECTED

    @property
    def _choices(self) -> set[str]:
        return {field.name for field in fields(FAMILIES[self.settings["family"]].Sampling)}


def _asked(way: str) -> dict:
    """STEPSxDRAWS-drawn as settings of `sampling`."""
    numbers, _, pace = way.partition("-")
    steps, _, draws = numbers.partition("x")
    return {"steps": int(steps), "draws": int(draws or 1), "pace": pace or EXPECTED}


def measure(job: Job, copied: Path) -> list[dict]:
    """Train and then, a line for each way, sample and score; what its folder holds is not done again."""
    logging.basicConfig(level=logging.WARNING)
    torch.set_num_threads(1)
    about = {"study": job.study.cohort, "row": job.row, "seed": job.seed}
    about |= {"training_steps": job.training_steps}
    about |= _kept(job.folder / "cost.json", lambda: trained(job))
    lines = []
    for way in job.samplings:
        found = _kept(job.folder / way / "line.json", partial(line, job, way, copied))
        lines.append(about | {"sampling": way} | found)
    return lines


def line(job: Job, way: str, copied: Path) -> dict:
    """What one way of sampling cost and scored."""
    out = job.folder / way
    return sampled(job, way, out) | scored(job, out, copied)


def _kept(path: Path, found: Callable[[], dict]) -> dict:
    """What the file holds, or else what is found and written there."""
    if not path.exists():
        write_text(path, json.dumps(found(), default=float))  # numpy's integers are none of JSON's
    return json.loads(path.read_text(encoding="utf-8"))


def trained(job: Job) -> dict:
    """Train the job's model; what that cost, and the fingerprint of the code."""
    before = time.process_time()
    _stage("train", model=job.row, pairs=job.study.pairs, quality=job.study.quality,
           settings=json.dumps(job.settings), out=job.folder)  # fmt: skip
    seconds = time.process_time() - before
    step = cost_of(Recipe.read(job.settings), job.settings["training"]["batch"]).step_flops
    return {"code": code_of("train"), "train_cpu_s": round(seconds, 1), "step_gflop": round(step / 1e9, 2)}


def sampled(job: Job, way: str, out: Path) -> dict:
    """Sample into `out`; what a sample cost, its CPU seconds with reading and writing."""
    sampling = job.sampling(way)
    counted = sample_cost(Recipe.read(job.settings), batch=1, **{"steps": 1, **sampling})
    before = time.process_time()
    _sample(job.study, job.row, sampling, out, weights=job.folder)
    seconds = time.process_time() - before
    made = len(tables.read(out / "samples.tsv", tables.SAMPLES))
    return {
        "evaluations": counted.evaluations,
        "sample_gflop": round(counted.flops / 1e9, 2),
        "sample_cpu_s": round(seconds / made, 4),
    }


def score_copy(study: Study, out: Path) -> None:
    """Sample and score copying the source, unless that is done."""
    if not (out / "scores" / "distributions.tsv").exists():
        _sample(study, COPY, {}, out)
        _score(study, COPY, out)


def scored(job: Job, out: Path, copied: Path) -> dict:
    """COMPARED, UNCERTAINTY, the Fréchet distance with its floor, and what copy's errors and distance are."""
    _score(job.study, job.row, out)
    folders = [copied / "scores", out / "scores"]
    scores = tables.read_all([folder / "scores.tsv" for folder in folders], tables.SCORES)
    # Two resamplings: what is resampled here is seeds, not people.
    compared = comparisons(scores, resamplings=2, seed=0).set_index(["model", "region", "metric"])
    values = {name: compared.at[(job.row, *where), which] for name, (*where, which) in COMPARED.items()}
    for name in ("mae_changed", "mae_brain"):
        values[f"{name}_copy"] = compared.at[(COPY, *COMPARED[name][:2]), "value"]
    values |= {
        name: compared.at[(job.row, *where), "value"]
        for name, where in UNCERTAINTY.items()
        if (job.row, *where) in compared.index  # a single draw has none
    }
    distances = tables.read_all([folder / "distributions.tsv" for folder in folders], tables.DISTRIBUTIONS)
    distances = distances[distances["metric"] == FRECHET].set_index("model")
    return values | {
        "people": compared.at[(job.row, "brain", "ssim_brain"), "subjects"],
        "requests": distances.at[job.row, "n"],
        "frechet": distances.at[job.row, "value"],
        "frechet_copy": distances.at[COPY, "value"],
        "frechet_floor": distances.at[COPY, "floor"],
    }


def _sample(study: Study, name: str, sampling: dict, out: Path, **weights) -> None:
    """The sample stage, for true follow-ups alone."""
    settings = json.dumps({"seed": 0, "intervals_years": [], "sampling": sampling})
    _stage("sample", model=name, cohort=study.cohort, pairs=study.pairs, quality=study.quality,
           settings=settings, out=out, **weights)  # fmt: skip


def _score(study: Study, name: str, out: Path) -> None:
    """The evaluate stage, for one model."""
    settings = json.dumps(
        {"seed": 0, "change_threshold": study.change_threshold, "inception_weights": None, "label_maps": None}
    )
    _stage("evaluate", model=name, cohort=study.cohort, quality=study.quality, samples=out,
           settings=settings, out=out / "scores")  # fmt: skip


def _stage(name: str, **arguments) -> None:
    """One command of the package, in this process."""
    line = [name]
    for flag, value in arguments.items():
        line += [f"--{flag}", *map(str, value if isinstance(value, list) else [value])]
    if cli.main(line):
        raise RuntimeError(f"failed: brainlapse {' '.join(line)}")
