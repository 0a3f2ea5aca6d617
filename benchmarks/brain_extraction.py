"""How well, how fast and in how much memory `brain: ants` finds the brain, and how steady a rescan is.

Every head of a folder is stripped by both methods; deepbet's mask is the reference, since nobody drew
these by hand. Each head is then turned, shifted, shaded and given new noise: the made-up rescan's true
change is zero, so what differs after preprocessing is the pipeline's own doing.

    PYTHONPATH=src python benchmarks/brain_extraction.py --heads HEADS

The reference needs deepbet: pip install --no-deps deepbet connected-components-3d fill_voids fastremap
"""

import argparse
import importlib.util
import resource
import sys
import time
from pathlib import Path

import numpy as np
import yaml
from scipy import ndimage
from scipy.spatial.transform import Rotation

PROJECT = Path(__file__).parents[1]
sys.path.insert(0, str(PROJECT / "src"))

from brainlapse.config import complete, preprocess_settings  # noqa: E402
from brainlapse.preprocess.brain import METHODS  # noqa: E402
from brainlapse.preprocess.geometry import Image, resampled  # noqa: E402
from brainlapse.preprocess.inputs import read_scan  # noqa: E402
from brainlapse.preprocess.quarantine import Quarantined  # noqa: E402
from brainlapse.preprocess.subject import Ground, begin, follow  # noqa: E402

# What config.yaml says, with the defaults of the schema.
SETTINGS = preprocess_settings(complete(yaml.safe_load((PROJECT / "config.yaml").read_text())))
COLUMNS = ("dice", "volume", "cpu_s", "likeness", "rigid_mm", "residual", "rescan_cpu_s")


def main() -> None:
    """Print a Markdown table, a head a row, and the means."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--heads", type=Path, required=True, help="folder of T1 images of whole heads")
    parser.add_argument("--every", type=int, default=1, help="take only every n-th head")
    options = parser.parse_args()
    heads = sorted(options.heads.glob("*.nii*"))[:: options.every]
    if not heads:
        sys.exit(f"skipped: {options.heads} holds no .nii or .nii.gz")
    if importlib.util.find_spec("deepbet") is None:
        sys.exit("skipped: deepbet is not installed")
    ground, rows = Ground.of(SETTINGS), []
    print("| head | " + " | ".join(COLUMNS) + " |\n|---|" + "---|" * len(COLUMNS))
    for number, path in enumerate(heads):
        try:
            rows.append(measured(path, ground, np.random.default_rng(number)))
        except Quarantined as problem:
            print(f"| {path.name.split('.')[0]} | quarantined, {problem} |", flush=True)
            continue
        print(f"| {path.name.split('.')[0]} | " + " | ".join(f"{x:.4g}" for x in rows[-1]) + " |", flush=True)
    print("| mean | " + " | ".join(f"{x:.4g}" for x in np.mean(rows, axis=0)) + " |")
    peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"\nPeak memory, deepbet included: {peak_gib:.2f} GiB")


def measured(path: Path, ground: Ground, rng: np.random.Generator) -> list[float]:
    """The figures of COLUMNS for one head."""
    head = read_scan(path, ground.settings["limits"])
    started = time.process_time()
    baseline = begin(head, ground)
    cpu_s = time.process_time() - started
    reference = METHODS["deepbet"](head, ground.template, ground.spacing_mm)[0].data > 0.5
    mask = resampled(baseline.mask, head.data.shape, head.affine).data > 0.5
    dice = 2 * (mask & reference).sum() / (mask.sum() + reference.sum())
    rescan, motion = rescanned(head, rng)
    started = time.process_time()
    later = follow(rescan, baseline, ground)
    rescan_cpu_s = time.process_time() - started
    inside = ndimage.binary_erosion(baseline.grid_mask, iterations=3)
    residual = np.abs(later.volume - baseline.prepared.volume)[inside].mean()
    found = later.transform @ np.linalg.inv(baseline.to_scan)
    points = head.millimetres(np.argwhere(mask)[::97])
    error = points @ (found - motion)[:3, :3].T + (found - motion)[:3, 3]
    likeness = baseline.prepared.figures["template_correlation"]
    rigid_mm = np.linalg.norm(error, axis=1).mean()
    return [dice, mask.sum() / reference.sum(), cpu_s, likeness, rigid_mm, residual, rescan_cpu_s]


def rescanned(head: Image, rng: np.random.Generator) -> tuple[Image, np.ndarray]:
    """The head moved by up to 8 degrees and 6 mm, newly shaded and noisy; and its true matrix."""
    motion = np.eye(4)
    motion[:3, :3] = Rotation.from_euler("xyz", rng.uniform(-8, 8, 3), degrees=True).as_matrix()
    middle = head.millimetres((np.array(head.data.shape)[None] - 1) / 2)[0]
    motion[:3, 3] = middle - motion[:3, :3] @ middle + rng.uniform(-6, 6, 3)
    step = np.linalg.inv(head.affine) @ np.linalg.inv(motion) @ head.affine
    moved = ndimage.affine_transform(head.data, step[:3, :3], step[:3, 3], order=3)
    knots = rng.normal(size=(5, 5, 5))
    shading = ndimage.zoom(knots, np.array(moved.shape) / 5, order=3)
    moved = 1.2 * np.maximum(moved, 0) * np.exp(0.08 * shading / shading.std())
    noise = rng.normal(0, 0.015 * np.percentile(head.data, 99), (2, *moved.shape))
    return head.like(np.hypot(moved + noise[0], noise[1])), motion


if __name__ == "__main__":
    main()
