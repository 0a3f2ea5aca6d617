"""Volumes a second, from compressed NIfTI files and from the packed store, and how long training waits.

The volumes are made up, at 128×160×128: a smooth brain with a scanner's noise. They are read in random order
from the system's cache. The wait is measured in a loop that reads the next batch in a thread, as the training
loop does; the step is a real one on a GPU, and on a CPU a pause of the length that a GPU's step is expected
to take.

    PYTHONPATH=src python benchmarks/loader.py
    PYTHONPATH=src python benchmarks/loader.py --device cuda
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PROJECT = Path(__file__).parents[1]
sys.path[:0] = [str(PROJECT / "src"), str(PROJECT / "benchmarks")]

import nibabel as nib  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import torch  # noqa: E402
import yaml  # noqa: E402
from measured_on import measured_on  # noqa: E402
from scipy import ndimage  # noqa: E402

from brainlapse import tables  # noqa: E402
from brainlapse.config import complete, train_settings  # noqa: E402
from brainlapse.models import Batch  # noqa: E402
from brainlapse.models.settings import settings_from  # noqa: E402
from brainlapse.models.stored import Recipe  # noqa: E402
from brainlapse.train.pairs import TrainingPairs, draw, unpacked  # noqa: E402
from brainlapse.train.run import Run  # noqa: E402
from brainlapse.train.settings import TrainingSettings  # noqa: E402
from brainlapse.volumes import BACKGROUND, FAINTEST, Grid, read_volume, to_bytes, write_volume  # noqa: E402

GRID = Grid()
STORES = {
    "uint8, mapped": ("uint8", "mapped"),
    "uint8, resident": ("uint8", "device"),
    "float16, mapped": ("float16", "mapped"),
    "float16, resident": ("float16", "device"),
}


def main() -> None:
    """Print a Markdown table: a row a way to store volumes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--people", type=int, default=12, help="made-up people of two visits")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--step-ms", type=float, default=22.0, help="length of a step that a CPU pretends")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        sys.exit("skipped: there is no GPU here")
    torch.set_num_threads(1)
    device = torch.device(options.device)
    with tempfile.TemporaryDirectory() as folder:
        volumes = write_study(Path(folder), options.people)
        step, told = step_of(device, options)
        print(f"{len(volumes)} volumes, batch {options.batch}, {told}; {measured_on(device)}\n")
        print("| volumes | volumes/s, read | volumes/s, on the device as float | wait, part of a step |")
        print("|---|---|---|---|", flush=True)
        files = sorted(Path(folder).glob("*.nii.gz"))
        readers = {
            "nii.gz, as this package reads (checksum too)": lambda path: read_volume(path)[0],
            "nii.gz, nibabel alone": lambda path: np.asarray(nib.load(path).dataobj, dtype=np.float32),
        }
        for name, read in readers.items():
            report(name, from_files(files, read, options.batch), step, device, options)
        for name, (kind, where) in STORES.items():
            np.save(Path(folder) / "volumes.npy", packed_as(volumes, kind))
            table, quality = Path(folder) / "pairs.tsv", Path(folder) / "quality.tsv"
            pairs = TrainingPairs(table, [quality], GRID.shape, where=where)
            report(name, from_store(pairs, options.batch), step, device, options)


def report(
    name: str,
    batch_at: Callable[[int], Batch],
    step: Callable[[Batch], None],
    device: torch.device,
    options: argparse.Namespace,
) -> None:
    """Measure one way to get batches and print its row."""
    read = seconds_each(lambda number: batch_at(number), device, options.steps)
    ready = seconds_each(lambda number: unpacked(batch_at(number), device), device, options.steps)
    wait = waiting(batch_at, step, device, options.steps)
    per_batch = 2 * options.batch
    print(f"| {name} | {per_batch / read:.3g} | {per_batch / ready:.3g} | {wait:.1%} |", flush=True)


def seconds_each(work: Callable[[int], object], device: torch.device, times: int) -> float:
    """Mean seconds of a call, after a few that fill the caches."""
    for number in range(5):
        work(number)
    settle(device)
    began = time.perf_counter()
    for number in range(times):
        work(number)
    settle(device)
    return (time.perf_counter() - began) / times


def waiting(
    batch_at: Callable[[int], Batch], step: Callable[[Batch], None], device: torch.device, steps: int
) -> float:
    """The share of its time that a loop spends waiting for the batch that a thread reads meanwhile."""
    waited = 0.0
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(batch_at, 0)
        coming.result()
        began = time.perf_counter()
        for number in range(steps):
            asked = time.perf_counter()
            batch = coming.result()
            waited += time.perf_counter() - asked
            coming = reader.submit(batch_at, number + 1)
            step(batch)
        settle(device)
        took = time.perf_counter() - began
    return waited / took


def step_of(device: torch.device, options: argparse.Namespace) -> tuple[Callable[[Batch], None], str]:
    """What a loop does with a packed batch, and its name."""
    if device.type == "cpu":
        return lambda batch: time.sleep(options.step_ms / 1000), f"a pause of {options.step_ms:g} ms as step"
    config = complete(yaml.safe_load((PROJECT / "config.yaml").read_text(encoding="utf-8")))
    settings = train_settings(config, "brainlapse")
    torch.backends.cudnn.benchmark = True
    keys = settings["training"] | {"batch": options.batch, "accumulate": 1}
    run = Run(Recipe.read(settings).build(), settings_from(TrainingSettings, keys), 0, device)
    return lambda batch: run.advance([batch]), "a real step of brainlapse"


def from_files(files: list[Path], read: Callable[[Path], np.ndarray], batch: int) -> Callable[[int], Batch]:
    """Batches of float volumes read from a file each, packed when they are read."""

    def batch_at(number: int) -> Batch:
        chosen = np.random.default_rng([0, number]).integers(len(files), size=2 * batch)
        volumes = torch.from_numpy(np.stack([to_bytes(read(files[index])) for index in chosen])[:, None])
        return Batch(volumes[:batch], torch.ones(batch), volumes[batch:])

    return batch_at


def from_store(pairs: TrainingPairs, batch: int) -> Callable[[int], Batch]:
    """Batches as the training loop draws them."""
    return lambda number: pairs.batch(draw(len(pairs), batch, 0, number))


def settle(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def packed_as(volumes: np.ndarray, kind: str) -> np.ndarray:
    return to_bytes(volumes) if kind == "uint8" else volumes.astype(np.float16)


def write_study(folder: Path, people: int) -> np.ndarray:
    """A file a scan, and the tables of pairs and quality; returns all volumes (N, X, Y, Z)."""
    volumes, quality, pairs = [], [], []
    for person in range(people):
        scans = [f"I{person}{visit}" for visit in range(2)]
        for scan in scans:
            volume = made_up_brain(len(volumes))
            write_volume(folder / f"{scan}.nii.gz", volume, GRID.affine)
            row = {"cohort": "toy", "subject": str(person), "scan": scan, "status": "accepted"}
            files = dict.fromkeys(("image", "mask"), f"{scan}.nii.gz")
            quality.append(row | files | {"packed_row": len(volumes)})
            volumes.append(volume)
        source, target = scans
        row = {"cohort": "toy", "subject": str(person), "split": "train", "interval_years": 1.0}
        pairs.append(row | {"pair": f"{source}_{target}", "source_scan": source, "target_scan": target})
    for rows, table in ((quality, tables.QUALITY), (pairs, tables.PAIRS)):
        tables.write(pd.DataFrame(rows).reindex(columns=table.names), folder / table.name, table)
    return np.stack(volumes)


def made_up_brain(seed: int) -> np.ndarray:
    """An ellipsoid in a fifth of the grid: smooth tissue, and white noise of a fiftieth of its range."""
    rng = np.random.default_rng(seed)
    axes = [np.linspace(-1, 1, side) for side in GRID.shape]
    radius = np.sqrt(sum(axis**2 for axis in np.meshgrid(*axes, indexing="ij", sparse=True)))
    tissue = ndimage.gaussian_filter(rng.standard_normal(GRID.shape, dtype=np.float32), 3)
    volume = 0.5 * tissue / tissue.std() + 0.02 * rng.standard_normal(GRID.shape, dtype=np.float32)
    return np.where(radius < 0.72, volume.clip(FAINTEST, 1), BACKGROUND).astype(np.float32)


if __name__ == "__main__":
    main()
