"""What is lost on the way from a scan's own voxels to the common grid and back, and from the grid and back.

Every head is preprocessed; its own N4-corrected brain, normalised in its own voxels, is the truth that
grid → native must give back, and its volume on the grid is the one that native → grid must. Of the files
of one person (`person_visit…`) in --pairs the later ones are laid upon the first, as preprocessing does.

    PYTHONPATH=src python benchmarks/native_space.py --heads HEADS --from 2 --every 4 --pairs PAIRS

`linear` and `cubic` read the volume once; `ours` is what the project does. The `grid_` columns are grid →
native → grid.

Mean absolute differences on the scale of [-1, 1], inside the brain: of the whole mask, and of its inner
part, two voxels from the edge.
"""

import argparse
import itertools
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from scipy import ndimage

PROJECT = Path(__file__).parents[1]
sys.path.insert(0, str(PROJECT / "src"))

from brainlapse import native  # noqa: E402
from brainlapse.config import complete, preprocess_settings  # noqa: E402
from brainlapse.preprocess.geometry import Image, resampled  # noqa: E402
from brainlapse.preprocess.inputs import read_scan  # noqa: E402
from brainlapse.preprocess.intensity import bright_end, to_range, without_bias  # noqa: E402
from brainlapse.preprocess.quarantine import Quarantined  # noqa: E402
from brainlapse.preprocess.subject import Ground, begin, follow  # noqa: E402

# What config.yaml says, with the defaults of the schema.
SETTINGS = preprocess_settings(complete(yaml.safe_load((PROJECT / "config.yaml").read_text())))
COLUMNS = (
    "voxel_mm", "linear", "cubic", "ours", "ours_inner", "outline_dice",
    "grid_linear", "grid_cubic", "grid_ours", "cpu_s",
)  # fmt: skip
FAINTEST = native.FAINTEST


@dataclass(frozen=True)
class Laid:
    """A scan without bias field, its brain mask, the matrix grid → scan, and its volume on the grid."""

    head: Image
    mask: np.ndarray
    grid_to_scan: np.ndarray
    top: float
    volume: np.ndarray

    @property
    def truth(self) -> np.ndarray:
        """The brain in its own voxels, in [-1, 1]."""
        return to_range(self.head.data, self.mask, self.top)


def main() -> None:
    """Print a Markdown table, a scan a row."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--heads", type=Path, required=True, help="folder of T1 images of whole heads")
    parser.add_argument("--every", type=int, default=1, help="take only every n-th head")
    parser.add_argument("--from", type=int, default=0, dest="begin", help="leave out the first heads")
    parser.add_argument("--pairs", type=Path, help="folder with files of people with several visits")
    options = parser.parse_args()
    heads = sorted(options.heads.glob("*.nii*"))[options.begin :: options.every]
    people = {path.name.split(".")[0]: [path] for path in heads}
    if options.pairs:
        people |= with_several_visits(options.pairs)
    if not people:
        sys.exit(f"skipped: {options.heads} holds no .nii or .nii.gz")
    print("| scan | " + " | ".join(COLUMNS) + " |\n|---|" + "---|" * len(COLUMNS))
    ground = Ground.of(SETTINGS)
    for paths in people.values():
        try:
            for path, laid in zip(paths, laid_upon_the_first(paths, ground), strict=True):
                figures = measured(laid, ground.grid.affine)
                print(f"| {path.name.split('.')[0]} | " + " | ".join(figures) + " |", flush=True)
        except Quarantined as problem:
            print(f"| {paths[0].name.split('.')[0]} | quarantined, {problem} |", flush=True)


def with_several_visits(folder: Path) -> dict[str, list[Path]]:
    """The files of each person who has more than one."""
    files = sorted(folder.glob("*.nii*"))
    people = {who: list(own) for who, own in itertools.groupby(files, lambda path: path.name.split("_")[0])}
    return {who: own for who, own in people.items() if len(own) > 1}


def laid_upon_the_first(paths: list[Path], ground: Ground) -> Iterator[Laid]:
    """Preprocess one person's scans; a follow-up keeps its own shading, which has no part in geometry."""
    baseline = begin(read_scan(paths[0], SETTINGS["limits"]), ground)
    mask = resampled(baseline.mask, baseline.head.data.shape, baseline.head.affine).data > 0.5
    yield Laid(baseline.head, mask, baseline.to_scan, baseline.top, baseline.prepared.volume)
    for path in paths[1:]:
        head = read_scan(path, SETTINGS["limits"])
        to_scan = follow(head, baseline, ground).transform
        from_scan = baseline.to_scan @ np.linalg.inv(to_scan)
        mask = resampled(baseline.mask, head.data.shape, head.affine, from_scan)
        head = without_bias(head, mask, ground.spacing_mm)
        values = resampled(head, ground.grid.shape, ground.grid.affine, to_scan).data
        top = bright_end(values[baseline.grid_mask])
        volume = to_range(values, baseline.grid_mask, top)
        yield Laid(head, mask.data > 0.5, to_scan, top, volume)


def measured(laid: Laid, grid_affine: np.ndarray) -> list[str]:
    """The figures of COLUMNS for one scan."""
    place = (grid_affine, laid.grid_to_scan, laid.truth.shape, laid.head.affine)
    began = time.process_time()
    ours = native.to_native(laid.volume, *place)
    cpu_s = time.process_time() - began
    readings = {"linear": read_once(laid.volume, *place, 1), "cubic": read_once(laid.volume, *place, 3)}
    readings["ours"] = ours
    inner = ndimage.binary_erosion(laid.mask, iterations=2)
    outline = native.brain_of(ours)
    dice = 2 * (outline & laid.mask).sum() / (outline.sum() + laid.mask.sum())
    lost = [difference(reading, laid.truth, laid.mask) for reading in readings.values()]
    lost += [difference(ours, laid.truth, inner), dice]
    lost += [difference(again(one, laid, grid_affine), laid.volume) for one in readings.values()]
    size = "×".join(f"{side:.2g}" for side in laid.head.voxel_mm)
    return [size, *(f"{figure:.4f}" for figure in lost), f"{cpu_s:.1f}"]


def read_once(volume, grid_affine, grid_to_scan, shape, affine, order: int) -> np.ndarray:
    """The volume in the scan's voxels by a single interpolation, to compare with."""
    to_grid = np.linalg.inv(grid_affine) @ np.linalg.inv(grid_to_scan) @ affine
    inside = native.brain_of(native.to_native(volume, grid_affine, grid_to_scan, shape, affine))
    edge_carried_outwards = volume[native._nearest(native.brain_of(volume))]
    places = to_grid[:3, :3] @ np.argwhere(inside).T + to_grid[:3, 3:]
    read = np.full(shape, native.BACKGROUND, dtype=np.float32)
    read[inside] = ndimage.map_coordinates(edge_carried_outwards, places, order=order, mode="nearest")
    return np.where(inside, read.clip(FAINTEST, 1), read)


def again(scan: np.ndarray, laid: Laid, grid_affine: np.ndarray) -> np.ndarray:
    """A volume in the scan's voxels laid on the grid by preprocessing."""
    whole = scan[native._nearest(native.brain_of(scan))]
    brain = native.brain_of(laid.volume)
    values = resampled(laid.head.like(whole + 1), brain.shape, grid_affine, laid.grid_to_scan).data
    return to_range(values, brain, 2.0)


def difference(first: np.ndarray, second: np.ndarray, where: np.ndarray | None = None) -> float:
    """Mean absolute difference in the brain."""
    where = native.brain_of(second) if where is None else where
    return float(np.abs(first - second)[where].mean())


if __name__ == "__main__":
    main()
