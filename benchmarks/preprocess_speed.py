"""CPU seconds and peak memory of preprocessing, step by step: a first scan and a follow-up, at 2 and 1 mm.

Each head of the folder is scanned again (turned, shifted, shaded, with new noise), and both visits are
preprocessed as one subject in a process of its own. Heads at 1 mm are made from those at hand by cubic
splines, with noise added at the new voxels: the voxel count is that of real 1 mm images, the detail is not.

    PYTHONPATH=src python benchmarks/preprocess_speed.py --heads HEADS
"""

import argparse
import functools
import importlib
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

PROJECT = Path(__file__).parents[1]
sys.path[:0] = [str(PROJECT / "src"), str(PROJECT / "benchmarks")]

import nibabel as nib  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import yaml  # noqa: E402
from scipy import ndimage  # noqa: E402

import brainlapse.preprocess  # noqa: E402, F401, sets the threads for the processes to come
from brainlapse import tables  # noqa: E402
from brainlapse.config import complete, preprocess_settings  # noqa: E402

# What config.yaml says, with the defaults of the schema: the grid is 128×160×128.
SETTINGS = preprocess_settings(complete(yaml.safe_load((PROJECT / "config.yaml").read_text())))
# Where each step is called from, and its name there. Time spent in a step within a step is the inner one's.
STEPS = {
    "read": ("subject.read_scan",),
    "head → template": ("brain.head_to_template",),
    "N4": ("subject.without_bias", "brain.without_bias"),
    "outline": ("brain.outlined",),
    "brain → template": ("subject.brain_to_template",),
    "follow-up → baseline, ANTs": ("subject.followup_to_baseline",),
    "follow-up → baseline, refined": ("subject.refined",),
    "resample to the grid": ("subject.resampled",),
    "match brightness": ("subject.matched",),
    "figures for the gates": ("subject._figures",),
    "write and compress": ("derivatives.write_volume",),
    "picture": ("derivatives.qc_picture",),
    "hash the source": ("derivatives.sha256",),
}
BEFORE = ("load ITK and the rest", "template and grid")
REST, ALL, PEAK = "rest", "**all, CPU s**", "peak memory, GiB"
SCANS = ("first", "later")


def main() -> None:
    """Print a Markdown table: steps in rows, voxel size and kind of scan in columns."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--heads", type=Path, required=True, help="folder of T1 images of whole heads")
    parser.add_argument("--every", type=int, default=12, help="take every n-th head")
    options = parser.parse_args()
    heads = sorted(options.heads.glob("*.nii*"))[:: options.every]
    if not heads:
        sys.exit(f"skipped: {options.heads} holds no .nii or .nii.gz")
    columns = {}
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for voxel_mm in (2.0, 1.0):
            runs = []
            for number, head in enumerate(heads):
                with tempfile.TemporaryDirectory() as folder:
                    visits = pool.apply(written, (head, voxel_mm, number, Path(folder)))
                    runs.append(pool.apply(measured, (visits, Path(folder) / "out")))
            for scan in SCANS:
                columns[f"{voxel_mm:g} mm, {scan}"] = pd.DataFrame([run[scan] for run in runs]).mean()
    print(f"{len(heads)} heads, {read_processor()}\n")
    print("| step | " + " | ".join(columns) + " |\n|---|" + "---|" * len(columns))
    for step in (*BEFORE, *STEPS, REST, ALL, PEAK):
        print(f"| {step} | " + " | ".join(f"{steps.get(step, 0):.2f}" for steps in columns.values()) + " |")


def written(path: Path, voxel_mm: float, number: int, folder: Path) -> pd.DataFrame:
    """Write a head and its made-up rescan with cubic voxels of that size; return their rows of scans.tsv."""
    from brain_extraction import rescanned

    from brainlapse.preprocess.geometry import Image
    from brainlapse.preprocess.inputs import read_scan

    rng = np.random.default_rng(number)
    head = read_scan(path, SETTINGS["limits"])
    factor = head.voxel_mm / voxel_mm
    affine = head.affine @ np.diag([*(1 / factor), 1])
    affine[:3, 3] += affine[:3, :3].sum(axis=1) / 2 - head.affine[:3, :3].sum(axis=1) / 2
    if not np.allclose(factor, 1):
        finer = ndimage.zoom(head.data, factor, order=3, mode="nearest", grid_mode=True)
        noise = rng.normal(0, 0.015 * np.percentile(head.data, 99), (2, *finer.shape))
        head = Image(np.hypot(np.maximum(finer, 0) + noise[0], noise[1]).astype(np.float32), affine)
    rows = []
    for days, (scan, image) in enumerate(zip(SCANS, (head, rescanned(head, rng)[0]), strict=True)):
        stored = nib.Nifti1Image(np.rint(image.data * 8).astype(np.int16), image.affine)
        stored.set_sform(image.affine, code="scanner")
        nib.save(stored, folder / f"{scan}.nii.gz")
        row = {"cohort": "speed", "subject": "S", "scan": scan, "days": days}
        rows.append(row | {"image": str(folder / f"{scan}.nii.gz")})
    return pd.DataFrame(rows).reindex(columns=tables.SCANS.names)


def measured(visits: pd.DataFrame, out: Path) -> dict[str, dict[str, float]]:
    """Preprocess the subject in this process; return CPU seconds by step, and memory, of each scan.

    What comes before the first scan, imports and the template, is counted to it.
    """
    clock = Clock()
    from brainlapse.preprocess.subject import preprocess_subject

    clock.lap(BEFORE[0])
    for step, places in STEPS.items():
        for place in places:
            module, function = place.split(".")
            module = importlib.import_module(f"brainlapse.preprocess.{module}")
            setattr(module, function, clock.timed(step, getattr(module, function)))
    ends: list[dict[str, float]] = []

    def starting(scan: str) -> None:
        if scan == SCANS[0]:
            clock.lap(BEFORE[1])
        else:
            ends.append(clock.told())

    preprocess_subject(visits, SETTINGS, out, {}, starting)
    ends.append(clock.told())
    quality = tables.read(out / "sub-S" / "quality.tsv", tables.QUALITY)
    if list(quality["status"]) != ["accepted"] * 2:
        sys.exit(f"not a fair measure, a scan was set aside: {list(quality['reason'])}")
    return dict(zip(SCANS, ends, strict=True))


class Clock:
    """CPU seconds by step; what no step claims is `rest`."""

    def __init__(self):
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.step, self.since = REST, 0.0

    def lap(self, step: str) -> None:
        """Ascribe what ran since the last lap to a step."""
        now = time.process_time()
        self.seconds[step] += now - self.since
        self.since = now

    def timed(self, step: str, function):
        """The function, with its time ascribed to the step."""

        @functools.wraps(function)
        def call(*arguments, **named):
            outer, self.step = self.step, step
            self.lap(outer)
            try:
                return function(*arguments, **named)
            finally:
                self.lap(step)
                self.step = outer

        return call

    def told(self) -> dict[str, float]:
        """The seconds by step since the last call, their sum, and the peak memory of the process so far."""
        self.lap(REST)
        seconds, self.seconds = self.seconds, defaultdict(float)
        peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        return seconds | {ALL: sum(seconds.values()), PEAK: peak_gib}


def read_processor() -> str:
    """The processor's name and the number of cores."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if sys.platform == "linux" else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else sys.platform}, {os.cpu_count()} cores, one thread"


if __name__ == "__main__":
    main()
