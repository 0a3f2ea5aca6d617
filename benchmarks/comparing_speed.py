"""How long the comparisons take: made-up scores of many models, people and metrics, by the stage's command.

.venv/stages/bin/python benchmarks/comparing_speed.py
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

PROJECT = Path(__file__).parents[1]
sys.path.insert(0, str(PROJECT / "src"))

from brainlapse import tables  # noqa: E402
from brainlapse.cli import main as brainlapse  # noqa: E402

REGIONS = ("ventricles", "hippocampi", "brain", "grey", "white")
IMAGE = ("ssim_brain", "mae_changed", "change_correlation", "change_error")
REGIONAL = ("volume_change_percent", "true_volume_change_percent", "true_volume_ml",
            "volume_rate_error_percent_per_year")  # fmt: skip


def main() -> None:
    """Write the scores, compare them, print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", type=int, default=16)
    parser.add_argument("--subjects", type=int, default=114)
    parser.add_argument("--requests", type=int, default=4, help="a subject")
    parser.add_argument("--metrics", type=int, default=40, help="of a request, in all regions")
    parser.add_argument("--bootstrap", type=int, default=2000)
    options = parser.parse_args()
    models = ["copy", "regression", "brainlapse", *(f"m{n}" for n in range(options.models - 3))]
    settings = {
        "seed": 0, "bootstrap": options.bootstrap, "models": models[1:], "external": [], "seeds": {},
        "references": ["copy", "regression", "brainlapse"], "ablations": {},
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        scores = write(Path(folder), models, options)
        wall, cpu = time.perf_counter(), time.process_time()
        status = brainlapse([
            "evaluate", "--scores", *scores, "--requests", f"{folder}/requests.tsv",
            "--scans", f"{folder}/scans.tsv", "--settings", json.dumps(settings), "--out", f"{folder}/out",
        ])  # fmt: skip
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        rows = {t.name: len(tables.read(f"{folder}/out/{t.name}", t)) for t in
                (tables.SCORES, tables.COMPARISONS, tables.SUBGROUPS, tables.CONTRASTS)}  # fmt: skip
    if status:
        sys.exit(status)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{rows}: {wall:.1f} s wall, {cpu:.1f} s CPU, {peak:.0f} MiB")


def write(folder: Path, models: list[str], options: argparse.Namespace) -> list[str]:
    """The tables that the command reads; the folders of the scores."""
    rng = np.random.default_rng(0)
    measured = [("brain", name) for name in IMAGE] + list(product(REGIONS, REGIONAL))
    measured += [("brain", f"other_{n}") for n in range(options.metrics - len(measured))]
    people = [f"s{n:04d}" for n in range(options.subjects)]
    asked = pd.DataFrame(product(people, range(options.requests)), columns=["subject", "n"])
    count = len(asked)
    asked = asked.assign(
        cohort="c",
        split="test",
        request=asked["subject"] + asked["n"].map("_{}".format),
        source_scan=asked["subject"] + asked["n"].map("_{}".format),
        interval_years=rng.uniform(0.5, 6, count),
        age_years=rng.uniform(55, 90, count),
        diagnosis=rng.choice(tables.DIAGNOSES, count),
        sex=rng.choice(["F", "M"], count),
        seed=0,
    )
    scans = asked[["cohort", "subject"]].assign(scan=asked["source_scan"], days=0, image="i")
    tables.write(asked.reindex(columns=tables.REQUESTS.names), folder / "requests.tsv", tables.REQUESTS)
    tables.write(scans.reindex(columns=tables.SCANS.names), folder / "scans.tsv", tables.SCANS)
    folders = []
    for model in models:
        rows = asked.merge(pd.DataFrame(measured, columns=["region", "metric"]), how="cross")
        rows = rows.assign(model=model, value=rng.normal(size=len(rows)))
        tables.write(rows, folder / model / "scores.tsv", tables.SCORES)
        none = pd.DataFrame(columns=tables.DISTRIBUTIONS.names)
        tables.write(none, folder / model / "distributions.tsv", tables.DISTRIBUTIONS)
        folders.append(str(folder / model))
    return folders


if __name__ == "__main__":
    main()
