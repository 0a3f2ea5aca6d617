"""What scoring costs: CPU seconds a sample, by part, and memory, on generated volumes of the study's size.

Writes a few people's scans and one model's samples at 128×160×128 voxels and scores them with the
stage's own command: for few and many draws a request, for few and twice as many people, and for a study's
first model, which computes the features of the real scans for all. CPU seconds of one thread, so
other work on the machine does not count; memory is the largest resident set of the command.

    .venv/stages/bin/python benchmarks/scoring_speed.py [--people 3] [--draws 2 10]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

# Before numpy is imported: it reads them once.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
os.environ |= ONE_THREAD

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import torch  # noqa: E402
from measured_on import measured_on  # noqa: E402

PROJECT = Path(__file__).parents[1]
sys.path.insert(0, str(PROJECT / "src"))

from brainlapse import atlas, tables  # noqa: E402
from brainlapse.evaluate.case import Case, Pair  # noqa: E402
from brainlapse.evaluate.features import RandomFeatures  # noqa: E402
from brainlapse.evaluate.metrics import METRICS  # noqa: E402
from brainlapse.evaluate.scans import unit_range  # noqa: E402
from brainlapse.evaluate.uncertainty import Draws  # noqa: E402
from brainlapse.evaluate.volumetry import Ruler  # noqa: E402
from brainlapse.volumes import BACKGROUND, Grid, read_volume, write_volume  # noqa: E402

GRID = Grid((128, 160, 128), 1.4)
PEOPLE, MODELS, DRAWS = 114, 10, 10  # a request each
WANTED_MINUTES, CORES = 30, 2
REPEATS = 5


def main() -> None:
    """Measure and print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--people", type=int, default=3, help="people, with one follow-up each")
    parser.add_argument("--draws", type=int, nargs=2, default=(2, 10), help="draws a request: few and many")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{measured_on(torch.device('cpu'))}\n")
    print("| part | CPU s a sample |\n|---|---|")
    for name, seconds in parts().items():
        print(f"| {name} | {seconds:.3f} |")
    print()
    whole(options.people, options.draws)


def brain(seed: int) -> np.ndarray:
    """A volume (X, Y, Z) in [-1, 1] with the template's brain and noise of its own."""
    maps = atlas.maps(GRID.shape, GRID.affine)
    signal = 0.15 * maps["csf"] + 0.55 * maps["grey"] + 0.8 * maps["white"]
    noisy = signal + np.random.default_rng(seed).normal(0, 0.02, GRID.shape)
    return np.where(maps["brain"] > 0.5, np.clip(2 * noisy - 1, -0.99, 1), BACKGROUND).astype(np.float32)


def parts() -> dict[str, float]:
    """CPU seconds of each thing that is done to a sample, what is done once a request left out."""
    source, truth, sample = (unit_range(brain(seed)) for seed in range(3))
    mask = source > 0
    pair, ruler, space, draws = (
        Pair(source, truth, mask),
        Ruler(GRID.shape, GRID.affine),
        RandomFeatures(),
        Draws(mask),
    )
    personal = ruler.at(source, mask)
    for metric in METRICS.values():
        metric.score(Case(pair, truth))
    found = {"reading it (nii.gz)": timed(_reading())}
    for name, metric in METRICS.items():
        found[name] = timed(lambda metric=metric: metric.score(Case(pair, sample)))
    found["all metrics together"] = timed(lambda: _scored(Case(pair, sample)))
    found["regional volumes"] = timed(lambda: personal.volumes_ml(sample))
    found["running sums of the draws"] = timed(lambda: draws.add(sample))
    found["features (draw 0 only)"] = timed(lambda: space(sample))
    return found


def _scored(case: Case) -> list[float]:
    return [metric.score(case) for metric in METRICS.values()]


def _reading() -> Callable[[], object]:
    path = Path(tempfile.mkdtemp()) / "sample.nii.gz"
    write_volume(path, brain(3), GRID.affine)
    return lambda: unit_range(read_volume(path)[0])


def timed(work: Callable[[], object]) -> float:
    """CPU seconds of one call: the least of several, each in this thread alone."""
    work()
    seconds = []
    for _ in range(REPEATS):
        before = time.process_time()
        work()
        seconds.append(time.process_time() - before)
    return min(seconds)


def whole(people: int, draws: tuple[int, int]) -> None:
    """The stage's command on four small studies: seconds, memory, and what that makes for a large one."""
    few, many = sorted(draws)
    with tempfile.TemporaryDirectory() as folder:
        write_study(Path(folder), 2 * people, many)
        first = command(Path(folder), 2 * people, few)  # of its model the real scans' features are computed
        small, long, wide = (
            command(Path(folder), *size) for size in ((people, few), (people, many), (2 * people, few))
        )
    print("| model | people | draws a request | CPU s | peak memory, MiB |\n|---|---|---|---|---|")
    for name, persons, count, (seconds, mib) in (
        ("the first", 2 * people, few, first), ("another", people, few, small),
        ("another", people, many, long), ("another", 2 * people, few, wide),
    ):  # fmt: skip
        print(f"| {name} | {persons} | {count} | {seconds:.1f} | {mib:.0f} |")
    draw = (long[0] - small[0]) / (people * (many - few))
    request = (wide[0] - small[0]) / people - few * draw
    model = small[0] - people * (request + few * draw)
    features = (first[0] - wide[0]) / (2 * people)
    seconds = features * PEOPLE + MODELS * (model + PEOPLE * (request + DRAWS * draw))
    print(
        f"\nA draw costs {draw:.3f} CPU s, a request {request:.2f} in the first model {features:.2f} more, a "
        f"model {model:.1f}: {PEOPLE} people × {MODELS} models × {DRAWS} draws on {CORES} cores take "
        f"{seconds / CORES / 60:.0f} min (wanted: {WANTED_MINUTES})."
    )


def write_study(folder: Path, people: int, draws: int) -> None:
    """Scans, masks, quality.tsv, requests.tsv and samples of one model."""
    quality, requests = [], []
    for person in range(people):
        scans = [f"I{person}{visit}" for visit in range(2)]
        for number, scan in enumerate(scans):
            volume = brain(10 * person + number)
            write_volume(folder / f"{scan}.nii.gz", volume, GRID.affine)
            write_volume(folder / f"{scan}_mask.nii.gz", (volume > BACKGROUND).astype(np.uint8), GRID.affine)
            quality.append({
                "cohort": "c", "subject": f"S{person}", "scan": scan, "status": "accepted",
                "image": f"{scan}.nii.gz", "mask": f"{scan}_mask.nii.gz",
            })  # fmt: skip
        requests.append({
            "request": f"r{person}", "cohort": "c", "subject": f"S{person}", "split": "test",
            "source_scan": scans[0], "target_scan": scans[1], "interval_years": 2.0, "seed": person,
        })  # fmt: skip
        for draw in range(draws):
            write_volume(folder / f"r{person}_{draw}.nii.gz", brain(100 * person + draw), GRID.affine)
    write_table(quality, folder, tables.QUALITY)
    write_table(requests, folder, tables.REQUESTS)


def write_table(rows: list[dict], folder: Path, table: tables.Table) -> None:
    """Write a table; columns that no row has are n/a."""
    tables.write(pd.DataFrame(rows).reindex(columns=table.names), folder / table.name, table)


def command(folder: Path, people: int, draws: int) -> tuple[float, float]:
    """CPU seconds and peak MiB of scoring so many draws a request."""
    rows = [
        {"request": f"r{person}", "draw": draw, "image": f"../r{person}_{draw}.nii.gz"}
        for person in range(people)
        for draw in range(draws)
    ]
    asked = folder / f"{people}-{draws}"
    write_table(rows, asked, tables.SAMPLES)
    requests = tables.read(folder / tables.REQUESTS.name, tables.REQUESTS)
    tables.write(requests[:people], asked / tables.REQUESTS.name, tables.REQUESTS)
    settings = {"seed": 0, "change_threshold": 0.05, "inception_weights": None, "label_maps": None}
    line = [
        sys.executable, "-m", "brainlapse", "evaluate", "--model", "m", "--cohort", "c", "--quality",
        str(folder / "quality.tsv"), "--samples", str(asked), "--settings", json.dumps(settings),
        "--out", str(folder / f"scores/{people}-{draws}/c"),
    ]  # fmt: skip
    process = subprocess.Popen(line, env=os.environ | ONE_THREAD | {"PYTHONPATH": str(PROJECT / "src")},
                               stderr=subprocess.DEVNULL)  # fmt: skip
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"failed: {' '.join(line)}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


if __name__ == "__main__":
    main()
