"""Quality per FLOP: which prediction, how many steps and which conditions, at equal training compute.

Every row below trains the same network for the same number of steps on the pairs of a study, once a
seed, is asked for the test split's true follow-ups with few and with many steps, and is scored: all by
the stages' own commands. Beside them stand copying the source and the average person's change.

    .venv/stages/bin/python benchmarks/quality_per_flop.py --results results/demo --folder OUT
    .venv/stages/bin/python benchmarks/quality_per_flop.py --table --folder OUT

OUT/quality_per_flop.tsv has a line for each study, row, seed and way of sampling; the trained models lie
beside it. What is there is not done again: a killed run goes on with the same command. A change of the
code is written down (column `code`) but makes nothing again: measure it into another folder.
"""

import argparse
import multiprocessing
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path

import pandas as pd
import yaml

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: two trainings side by side beat two threads
PROJECT = Path(__file__).parents[1]
sys.path.insert(0, str(PROJECT / "src"))

from quality_measure import Job, Study, measure, score_copy  # noqa: E402
from quality_table import table  # noqa: E402

from brainlapse.models import FAMILIES  # noqa: E402
from brainlapse.writing import write_text  # noqa: E402

# name → settings, as a row in config.yaml has them, and how to sample it if not in every way of SAMPLINGS.
ROWS = """
average:           {family: average}
pace:              {family: average, start: paced, conditions: &told [source, interval, diagnosis]}
regression:        {family: regression, predict: change, start: usual, conditions: *told}
regression_motion: {family: regression, predict: motion, start: usual, conditions: *told}
regression_paced:  {family: regression, predict: motion, start: paced, conditions: *told}
regression_source: {family: regression, predict: motion, start: source, conditions: *told}
image_epsilon:     {family: diffusion, diffuse: image, predict: epsilon, conditions: *told}
image_v:           {family: diffusion, diffuse: image, predict: v, conditions: *told}
image_x0:          {family: diffusion, diffuse: image, predict: x0, conditions: *told}
residual_epsilon:  {family: diffusion, diffuse: residual, predict: epsilon, start: usual, conditions: *told}
residual_v:        {family: diffusion, diffuse: residual, predict: v, start: usual, conditions: *told}
residual_x0:       {family: diffusion, diffuse: residual, predict: x0, start: usual, conditions: *told}
residual_motion:   {family: diffusion, diffuse: residual, predict: motion, start: usual, conditions: *told}
residual_paced:    {family: diffusion, diffuse: residual, predict: motion, start: paced, conditions: *told}
residual_source:   {family: diffusion, diffuse: residual, predict: motion, start: source, conditions: *told}
flow_source:       {family: flow, start: source, conditions: *told, samplings: ["1", "2", "4", "10"]}
flow_usual:        {family: flow, start: usual, conditions: *told, samplings: ["1", "2", "4", "10"]}
flow_paced:        {family: flow, start: paced, conditions: *told, samplings: ["1", "4", "10", "1x4-drawn"]}
flow_noise:        {family: flow, start: usual, noise: 1.0, conditions: *told}
motion_source:     {family: diffusion, diffuse: residual, predict: motion, conditions: [source]}
motion_interval:   {family: diffusion, diffuse: residual, predict: motion, conditions: [source, interval]}
"""
NETWORK = {"patch": 2, "channels": [16, 32, 64], "attention_levels": [2]}
TRAINING = {"batch": 4, "learning_rate": 5.0e-4, "warmup_steps": 20, "ema": 0.99, "precision": "fp32"}
SAMPLINGS = ("1", "2", "4", "10x4", "50", "1x4-drawn")
KEY = ["study", "row", "seed", "training_steps", "sampling"]


def main() -> None:
    """Measure what is not measured yet, or print the table of what is."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--folder", type=Path, required=True, help="of quality_per_flop.tsv and the models")
    parser.add_argument("--table", action="store_true", help="only print what the folder holds, as Markdown")
    parser.add_argument("--results", type=Path, help="of a study whose stages up to pairs are done")
    parser.add_argument("--rows", nargs="+", help="only these rows")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=300, help="of training, the same for every row")
    ways = "STEPS or STEPSxDRAWS, with -drawn for paces that are drawn"
    parser.add_argument("--samplings", nargs="+", default=SAMPLINGS, help=ways)
    parser.add_argument("--change-threshold", type=float, default=0.04, help="evaluate.change_threshold")
    parser.add_argument("--jobs", type=int, default=2, help="trainings side by side, a thread each")
    options = parser.parse_args()
    measured = options.folder / "quality_per_flop.tsv"
    if options.table:
        if not measured.exists():
            parser.error(f"--table: {measured} is not there. Measure first, with --results.")
        print(table(_lines(measured)))
        return
    if options.results is None:
        parser.error("--results is missing: name the results folder of a study.")
    known = yaml.safe_load(ROWS)
    unknown = sorted(set(options.rows or ()) - set(known))
    if unknown:
        parser.error(f"--rows: there is no {', '.join(unknown)}. There are {', '.join(known)}.")
    study = Study(options.results, options.change_threshold)
    rows = {name: known[name] for name in options.rows or known}
    run(study, list(jobs_of(study, rows, options, _lines(measured))), options, measured)


def jobs_of(
    study: Study, rows: dict[str, dict], options: argparse.Namespace, lines: pd.DataFrame
) -> Iterator[Job]:
    """The trainings whose lines are not all there, seed by seed, so that a stopped run has whole seeds."""
    done = set(lines[KEY].itertuples(index=False, name=None))
    for seed in options.seeds:
        for name, row in rows.items():
            if row["family"] not in FAMILIES:
                print(f"{name}: there is no family {row['family']} here; left out", flush=True)
                continue
            with_network = row["family"] != "average"
            if not with_network and seed != options.seeds[0]:
                continue  # nothing in it is drawn
            settings = {"seed": seed, "grid": study.grid, **row}
            settings |= {"network": NETWORK} if with_network else {}
            settings["training"] = {**TRAINING, "steps": options.steps if with_network else 1}
            ways = tuple(settings.pop("samplings", options.samplings))
            folder = options.folder / study.cohort / f"{name}-{seed}-{options.steps}"
            job = Job(study, name, settings, ways, folder)
            left = [s for s in job.possible if (study.cohort, name, seed, job.training_steps, s) not in done]
            if left:
                yield replace(job, samplings=tuple(left))


def run(study: Study, jobs: list[Job], options: argparse.Namespace, measured: Path) -> None:
    """Measure the jobs some at a time; the lines of each are written as soon as it is done."""
    print(f"{study.cohort}: {len(jobs)} trainings to measure", flush=True)
    copied = options.folder / study.cohort / "copy"
    score_copy(study, copied)
    # A fresh process a training: its CPU seconds are then its own.
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, spawned, max_tasks_per_child=1) as pool:
        waiting = {pool.submit(measure, job, copied): job for job in jobs}
        failed = 0
        for finished in as_completed(waiting):
            job = waiting[finished]
            if finished.exception():
                failed += 1
                print(f"{job.row}, seed {job.seed}, failed: {finished.exception()}", file=sys.stderr)
                continue
            whole = pd.concat([_lines(measured), pd.DataFrame(finished.result())])
            write_text(measured, whole.to_csv(sep="\t", index=False))
            print(f"{study.cohort} {job.row}, seed {job.seed}: {', '.join(job.samplings)}", flush=True)
    if failed:
        sys.exit(f"{failed} of {len(jobs)} trainings failed; the same command tries them again.")


def _lines(measured: Path) -> pd.DataFrame:
    if not measured.exists():
        return pd.DataFrame(columns=KEY)
    return pd.read_csv(measured, sep="\t", dtype={"sampling": str})


if __name__ == "__main__":
    main()
