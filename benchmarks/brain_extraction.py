"""How well, how fast and in how much memory each way of finding the brain does it.

The reference is deepbet's mask, since nobody drew these by hand; the first command makes it, the others
compare with it. `none` is given the heads with all outside the reference set to 0.

    export PYTHONPATH=src OMP_NUM_THREADS=1
    python benchmarks/brain_extraction.py --heads HEADS --reference MASKS --brain deepbet
    python benchmarks/brain_extraction.py --heads HEADS --reference MASKS --brain ants [--template FOLDER]
    python benchmarks/brain_extraction.py --heads HEADS --reference MASKS --brain none

deepbet: pip install --no-deps deepbet connected-components-3d fill_voids fastremap
"""

import argparse
import importlib.util
import resource
import sys
import time
from pathlib import Path

import numpy as np
import yaml
from PIL import Image as Picture
from scipy import ndimage
from scipy.spatial.transform import Rotation

PROJECT = Path(__file__).parents[1]
sys.path.insert(0, str(PROJECT / "src"))

from brainlapse.config import complete, preprocess_settings  # noqa: E402
from brainlapse.preprocess.brain import METHODS  # noqa: E402
from brainlapse.preprocess.geometry import Image, coarser, resampled  # noqa: E402
from brainlapse.preprocess.inputs import read_scan  # noqa: E402
from brainlapse.preprocess.quarantine import Quarantined  # noqa: E402
from brainlapse.preprocess.template import template_at  # noqa: E402

# What config.yaml says, with the defaults of the schema.
SETTINGS = preprocess_settings(complete(yaml.safe_load((PROJECT / "config.yaml").read_text())))
COLUMNS = ("dice", "volume", "cpu_s")
PICTURE_MM, OURS, REFERENCE = 1.0, (255, 60, 40), (60, 160, 255)  # voxel size and colours of a picture


def main() -> None:
    """Print a Markdown table, a head a row, and what the two halves and all of them come to."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--heads", type=Path, required=True, help="folder of T1 images of whole heads")
    parser.add_argument("--reference", type=Path, required=True, help="folder of deepbet's masks, NAME.npy")
    parser.add_argument("--brain", choices=METHODS, default="ants")
    parser.add_argument("--template", default="embedded", help="embedded, or a folder with a head template")
    parser.add_argument("--without", help="a head that is left out of the sums, such as the template's own")
    parser.add_argument("--every", type=int, default=1, help="take only every n-th head")
    parser.add_argument("--first", type=int, default=0, help="from this head on")
    parser.add_argument("--pictures", type=Path, help="folder for a picture of each head with both outlines")
    options = parser.parse_args()
    heads = sorted(options.heads.glob("*.nii*"))
    if not heads:
        sys.exit(f"skipped: {options.heads} holds no .nii or .nii.gz")
    if options.brain == "deepbet" and importlib.util.find_spec("deepbet") is None:
        sys.exit("skipped: deepbet is not installed")
    template = template_at(options.template, SETTINGS["registration_spacing_mm"])
    print("| head | " + " | ".join(COLUMNS) + " |\n|---|" + "---|" * len(COLUMNS))
    rows = {}
    for number in range(options.first, len(heads), options.every):
        name = heads[number].name.split(".")[0]
        try:
            rows[number] = measured(heads[number], name, template, options)
        except Quarantined as problem:
            print(f"| {name} | quarantined, {problem} |", flush=True)
            continue
        print(f"| {name} | " + " | ".join(f"{x:.4g}" for x in rows[number]) + " |", flush=True)
        if name == options.without:
            del rows[number]
    summed_up(rows)


def measured(path: Path, name: str, template, options) -> list[float]:
    """The figures of COLUMNS for one head; deepbet's mask becomes the reference."""
    head = read_scan(path, SETTINGS["limits"])
    kept = options.reference / f"{name}.npy"
    if options.brain == "none":
        head = head.like(head.data * np.load(kept))
    started = time.process_time()
    mask, _ = METHODS[options.brain](head, template, SETTINGS["registration_spacing_mm"])
    cpu_s = time.process_time() - started
    found = resampled(mask, head.data.shape, head.affine).data > 0.5
    if options.brain == "deepbet":
        options.reference.mkdir(parents=True, exist_ok=True)
        np.save(kept, mask.data > 0.5)
    reference = np.load(kept)
    if options.pictures:
        options.pictures.mkdir(parents=True, exist_ok=True)
        picture(head, found, reference).save(options.pictures / f"{name}.png")
    dice = 2 * (found & reference).sum() / (found.sum() + reference.sum())
    return [dice, found.sum() / reference.sum(), cpu_s]


def summed_up(rows: dict[int, list[float]]) -> None:
    """Print Dice, volume bias and CPU seconds of each half of the heads and of all, and the peak memory."""
    print("\n| heads | n | median Dice | worst Dice | volume bias, % | its spread, % | CPU s, median |")
    print("|---|---|---|---|---|---|---|")
    halves = {"even numbers": (0,), "odd numbers": (1,), "all": (0, 1)}
    for label, parts in halves.items():
        table = np.array([row for number, row in rows.items() if number % 2 in parts])
        if len(table):
            dice, volume, cpu_s = table.T
            print(
                f"| {label} | {len(table)} | {np.median(dice):.3f} | {dice.min():.3f} | "
                f"{100 * (volume.mean() - 1):+.1f} | {100 * volume.std():.1f} | {np.median(cpu_s):.1f} |"
            )
    peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"\nPeak memory: {peak_gib:.2f} GiB")


def picture(head: Image, found: np.ndarray, reference: np.ndarray) -> Picture.Image:
    """Nine slices of the head, three a plane, with the reference's outline (blue) and ours (red) over it."""
    values, ours, theirs = (
        coarser(head.like(each), PICTURE_MM).data for each in (head.data, found, reference)
    )
    grey = np.clip(values / np.percentile(head.data, 99.5) * 200, 0, 200).astype(np.uint8)
    places = np.argwhere(theirs > 0.5)
    rows = []
    for axis in range(3):
        low, high = places[:, axis].min(), places[:, axis].max()
        where = [int(low + part * (high - low)) for part in (0.25, 0.5, 0.75)]
        rows.append(np.concatenate([_slice(grey, theirs, ours, axis, at) for at in where], axis=1))
    widest = max(row.shape[1] for row in rows)
    rows = [np.pad(row, ((0, 0), (0, widest - row.shape[1]), (0, 0))) for row in rows]
    return Picture.fromarray(np.concatenate(rows))


def _slice(grey: np.ndarray, theirs: np.ndarray, ours: np.ndarray, axis: int, at: int) -> np.ndarray:
    coloured = np.repeat(grey.take(at, axis)[..., None], 3, axis=2)
    for mask, colour in ((theirs, REFERENCE), (ours, OURS)):
        inside = mask.take(at, axis) > 0.5
        coloured[inside & ~ndimage.binary_erosion(inside)] = colour
    return np.rot90(coloured)


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
