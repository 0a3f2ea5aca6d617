"""How true the change between two visits of one person is after preprocessing.

Every head of --heads is scanned twice without change and once more after a known atrophy: each time in
another pose, with another shading and new noise. What then differs without change is the pipeline's own
doing, and what is missing of the atrophy is its loss. --pairs adds real scans, of which those of one
person (the file name's first word) are paired; their true change is not known.

    PYTHONPATH=src python benchmarks/longitudinal.py --heads HEADS [--pairs PAIRS] [--every 3 --first 1]
"""

import argparse
import sys
import time
from itertools import groupby
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from scipy import ndimage
from scipy.linalg import fractional_matrix_power
from scipy.spatial.transform import Rotation

PROJECT = Path(__file__).parents[1]
sys.path.insert(0, str(PROJECT / "src"))

from brainlapse import atlas  # noqa: E402
from brainlapse.config import complete, preprocess_settings  # noqa: E402
from brainlapse.phantom.fields import Lattice, smooth_noise  # noqa: E402
from brainlapse.phantom.progression import Progression  # noqa: E402
from brainlapse.preprocess.alignment import brain_to_template, followup_to_baseline  # noqa: E402
from brainlapse.preprocess.geometry import Image, resampled  # noqa: E402
from brainlapse.preprocess.inputs import read_scan  # noqa: E402
from brainlapse.preprocess.intensity import gain_to, matched, residual, to_range, without_bias  # noqa: E402
from brainlapse.preprocess.refinement import refined  # noqa: E402
from brainlapse.preprocess.subject import Ground, begin  # noqa: E402

SETTINGS = preprocess_settings(complete(yaml.safe_load((PROJECT / "config.yaml").read_text())))
ATROPHY = 3.0 * np.log1p(
    [0.09, -0.0466, -0.013]
)  # log volume of ventricles, hippocampi, cortex: 3 years of AD
TURN_DEGREES, SHIFT_MM = 4.0, 3.0  # a scan's pose, each way: 8 degrees and 6 mm between two scans
SHADING, SHADING_KNOT_MM, NOISE = 0.08, 90.0, 0.015
SMOOTHED_MM = (40.0, 25.0, 15.0, 15.0)


def main() -> None:
    """Print the tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--heads", type=Path, required=True, help="folder of T1 images of whole heads")
    parser.add_argument("--pairs", type=Path, help="folder of real scans, PERSON_VISIT*.nii.gz")
    parser.add_argument("--every", type=int, default=1, help="take only every n-th head")
    parser.add_argument("--first", type=int, default=0, help="the first to take")
    options = parser.parse_args()
    ground, progression = Ground.of(SETTINGS), Progression(3.0)
    rows, brightness = [], []
    for number, path in list(enumerate(sorted(options.heads.glob("*.nii*"))))[options.first :: options.every]:
        head = read_scan(path, SETTINGS["limits"])
        found = made_up(head, ground, progression, np.random.default_rng([11, number]))
        rows.append({"scan": path.name.split("-")[0]} | found[0])
        brightness.append({"set": options.heads.name, "scan": path.name} | found[1])
        print(rows[-1], file=sys.stderr, flush=True)
    summary("Made-up rescans and atrophy", pd.DataFrame(rows))
    rows = []
    scans = sorted(options.pairs.glob("*.nii*")) if options.pairs else []
    for _, visits in groupby(scans, key=lambda path: path.name.split("_")[0]):
        visits = list(visits)
        heads = [read_scan(path, SETTINGS["limits"]) for path in visits]
        baselines = [begin(head, ground) for head in heads]
        for path, baseline in zip(visits, baselines, strict=True):
            brightness.append({"set": options.pairs.name, "scan": path.name} | ends(baseline, ground))
        for path, head in zip(visits[1:], heads[1:], strict=True):
            rows.append({"scan": path.name} | pair(View(baselines[0], ground), heads[0], head)[0])
    if rows:
        print("\n## Real pairs\n\n" + markdown(pd.DataFrame(rows).set_index("scan").T.reset_index()))
    print("\n## Brightness of people\n\n" + people(pd.DataFrame(brightness)))
    print(
        "\n## White noise of variance 1, read from a scan that nods\n\n" + nodding(np.random.default_rng(0))
    )


def markdown(frame: pd.DataFrame) -> str:
    """The frame as a Markdown table, numbers with four digits."""
    shown = frame.map(lambda cell: cell if isinstance(cell, str) else f"{cell:.4g}")
    rows = [frame.columns, ["---"] * len(frame.columns), *shown.itertuples(index=False)]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows)


def made_up(head: Image, ground: Ground, progression: Progression, rng) -> tuple[dict, dict]:
    """All figures of one head: of the rescan, the atrophy and the brightness."""
    first, first_pose = scanned(head, rng)
    again, again_pose = scanned(head, rng)
    started = time.process_time()
    baseline = begin(first, ground)
    figures = {"begin_cpu_s": time.process_time() - started}
    view = View(baseline, ground)
    found, pose = pair(view, first, again)
    true_pose = again_pose @ inverse(first_pose)
    figures |= {"pose_mm": view.distance_mm(pose, true_pose)} | found
    figures |= blur(view, true_pose, rng)
    to_mni = inverse(inverse(first_pose) @ baseline.to_scan)
    aged = progression.progress(head.data, head.affine, to_mni, ATROPHY)[0]
    figures |= atrophy(view, head, head.like(np.maximum(aged, 0)), first_pose, rng)
    return figures, ends(baseline, ground)


class View:
    """What the baseline's brain covers of the grid, and how tissue is measured in it."""

    def __init__(self, baseline, ground: Ground):
        self.baseline, self.ground = baseline, ground
        places = np.argwhere(baseline.grid_mask)
        low = np.maximum(places.min(axis=0) - 5, 0)
        high = np.minimum(places.max(axis=0) + 6, ground.grid.shape)
        self.box = tuple(slice(*ends) for ends in zip(low, high, strict=True))
        self.affine = ground.grid.affine.copy()
        self.affine[:3, 3] += ground.grid.spacing_mm * low
        self.mask = np.ascontiguousarray(baseline.grid_mask[self.box])
        self.wide = ndimage.binary_dilation(self.mask, iterations=2)
        ventricles = atlas.maps(self.mask.shape, self.affine)["ventricles"] > 0.2
        self.ventricles = ndimage.binary_dilation(ventricles, iterations=3) & self.mask
        self.values = self.read(baseline.head, baseline.to_scan)
        self.levels = three_means(self.values[self.mask])

    def read(self, image: Image, pull: np.ndarray, order: int = 1) -> np.ndarray:
        """The image on the grid, in the baseline's box; linear as the pipeline does it, or by a spline."""
        if order == 1:
            return resampled(image, self.mask.shape, self.affine, pull).data
        step = inverse(image.affine) @ pull @ self.affine
        return ndimage.affine_transform(image.data, step[:3, :3], step[:3, 3], self.mask.shape, order=order)

    def tissue(self, values: np.ndarray, where: np.ndarray, levels: np.ndarray) -> float:
        """Voxels of grey and white matter, by where the brightness stands between fluid and grey matter."""
        low, high = levels[0] + np.array([0.25, 0.75]) * (levels[1] - levels[0])
        return float(np.clip((values[where] - low) / (high - low), 0, 1).sum(dtype=float))

    def change(self, before: np.ndarray, after: np.ndarray, levels: np.ndarray) -> tuple[float, float]:
        """Per cent change of the tissue in the widened mask, and of the fluid in and by the ventricles."""
        first, last = (self.tissue(values, self.wide, levels) for values in (before, after))
        size = self.ventricles.sum()
        fluid = [size - self.tissue(values, self.ventricles, levels) for values in (before, after)]
        return 100 * (last / first - 1), 100 * (fluid[1] / fluid[0] - 1)

    def matched(self, values: np.ndarray, baseline: np.ndarray | None = None) -> np.ndarray:
        """A follow-up on the baseline's scale."""
        baseline = self.values if baseline is None else baseline
        return matched(baseline, values, self.mask, self.baseline.top, self.ground.grid.spacing_mm)

    def residual(self, values: np.ndarray, reference: np.ndarray, top: float, reference_top: float) -> float:
        """The pipeline's residual of two images brought to [-1, 1]."""
        volumes = [to_range(values, self.mask, top), to_range(reference, self.mask, reference_top)]
        return residual(*volumes, self.mask)

    def distance_mm(self, found: np.ndarray, true: np.ndarray) -> float:
        """Mean distance over the brain of where two transforms from the baseline lead."""
        mask = self.baseline.mask
        points = mask.millimetres(np.argwhere(mask.data > 0.5)[::97])
        off = found - true
        return float(np.linalg.norm(points @ off[:3, :3].T + off[:3, 3], axis=1).mean())


def followed(view: View, later: Image) -> tuple[np.ndarray, Image]:
    """Pose and shading-free image of a follow-up, as the pipeline finds them."""
    baseline, spacing_mm = view.baseline, view.ground.spacing_mm
    start = followup_to_baseline(later, baseline.head, baseline.mask, spacing_mm)
    pose = refined(later, baseline.head, baseline.mask, start, spacing_mm)
    mask = resampled(baseline.mask, later.data.shape, later.affine, inverse(pose))
    return pose, without_bias(later, mask, spacing_mm)


def pair(view: View, first: Image, later: Image) -> tuple[dict, np.ndarray]:
    """Residuals step by step, jitter by three ways of matching, the mid-space's figures; and the pose."""
    baseline, top = view.baseline, view.baseline.top
    started = time.process_time()
    pose, even = followed(view, later)
    values = view.read(even, pose @ baseline.to_scan)
    now = view.matched(values)
    figures = {"follow_cpu_s": time.process_time() - started}
    raw = [view.read(first, baseline.to_scan), view.read(later, pose @ baseline.to_scan)]
    ends = [np.percentile(image[view.mask], 99.5) for image in (*raw, values)]
    gained = values * gain_to(view.values[view.mask], values[view.mask])
    smoothed = smoothed_ratio(view, gained)
    figures["residual_percentile"] = view.residual(raw[1], raw[0], ends[1], ends[0])
    figures["residual_n4"] = view.residual(values, view.values, ends[2], top)
    for name, image in (("gain", gained), ("smoothed", smoothed), ("matched", now)):
        figures[f"residual_{name}"] = view.residual(image, view.values, top, top)
        figures[f"jitter_{name}"] = view.change(view.values, image, view.levels)[0]
    pulls = baseline.to_scan, pose @ baseline.to_scan
    splined = [view.read(image, pull, 3) for image, pull in zip((baseline.head, even), pulls, strict=True)]
    figures["residual_spline"] = view.residual(view.matched(splined[1], splined[0]), splined[0], top, top)
    return figures | mid_space(view, later, even, pose), pose


def mid_space(view: View, later: Image, even: Image, pose: np.ndarray) -> dict:
    """The same pair by way of the middle of its two poses, with an affine of the mean of both visits."""
    baseline, spacing_mm = view.baseline, view.ground.spacing_mm
    first = baseline.head
    mask = resampled(baseline.mask, later.data.shape, later.affine, inverse(pose))
    start = followup_to_baseline(first, even, mask, spacing_mm)
    back = refined(first, even, mask, start, spacing_mm)
    half = halved(pose @ halved(inverse(pose) @ inverse(back)))
    parts = [
        resampled(first, first.data.shape, first.affine, inverse(half)).data,
        resampled(even, first.data.shape, first.affine, half).data,
    ]
    middle_mask = resampled(baseline.mask, first.data.shape, first.affine, inverse(half)).data > 0.5
    parts[1] *= gain_to(parts[0][middle_mask], parts[1][middle_mask])
    mean = first.like((parts[0] + parts[1]) / 2 * middle_mask)
    to_middle = brain_to_template(mean, view.ground.template, half @ baseline.to_scan, spacing_mm)
    source = view.read(first, inverse(half) @ to_middle)
    target = view.read(even, half @ to_middle)
    inside = resampled(baseline.mask, view.mask.shape, view.affine, inverse(half) @ to_middle).data > 0.5
    target = matched(source, target, inside, baseline.top, view.ground.grid.spacing_mm)
    wide = ndimage.binary_dilation(inside, iterations=2)
    volumes = [view.tissue(values, wide, view.levels) for values in (source, target)]
    ranged = [to_range(values, inside, baseline.top) for values in (source, target)]
    alone = to_range(view.values, view.mask, baseline.top)
    return {
        "mid_jitter": 100 * (volumes[1] / volumes[0] - 1),
        "mid_residual": residual(ranged[1], ranged[0], inside),
        "mid_inconsistency_mm": view.distance_mm(pose, inverse(back)),
        "mid_source_moves_mm": view.distance_mm(
            *(inverse(x) for x in (baseline.to_scan, inverse(half) @ to_middle))
        ),
        "mid_source_changes": residual(ranged[0], alone, view.mask & inside),
        "mid_determinant": 100
        * (np.linalg.det(to_middle[:3, :3]) / np.linalg.det(baseline.to_scan[:3, :3]) - 1),
    }


def smoothed_ratio(view: View, gained: np.ndarray) -> np.ndarray:
    """The differential bias correction without a drift of the edges, as it was before."""
    baseline, spacing_mm = view.values, view.ground.grid.spacing_mm
    inside = view.mask & (baseline > 0.25 * view.baseline.top) & (gained > 0)
    ratio = np.log(np.where(inside, gained, 1) / np.where(inside, baseline, 1))
    shading = np.zeros_like(ratio)
    for width_mm in SMOOTHED_MM:
        rest = ratio - shading
        misfit = np.abs(rest - np.median(rest[inside]))
        weight = (inside & (misfit <= 3 * 1.4826 * np.median(misfit[inside]))).astype(np.float32)
        total = ndimage.gaussian_filter(weight, width_mm / spacing_mm)
        shading += ndimage.gaussian_filter(rest * weight, width_mm / spacing_mm) / np.maximum(total, 1e-3)
    return gained / np.exp(shading)


def blur(view: View, pose: np.ndarray, rng) -> dict:
    """White noise carried by each visit's transform: its power and fine part, follow-up over baseline."""
    head, figures = view.baseline.head, {}
    for name, finer in (("as_scanned", 1), ("half_voxels", 2)):
        shape = tuple(finer * n for n in head.data.shape)
        affine = head.affine @ np.diag([1 / finer] * 3 + [1.0])
        noise = Image(rng.standard_normal(shape, dtype=np.float32), affine)
        for order in (1, 3):
            power, fine = zip(
                *(power_of(view, noise, pull @ view.baseline.to_scan, order) for pull in (np.eye(4), pose)),
                strict=True,
            )
            figures[f"noise_{name}_order{order}"] = power[0]
            figures[f"noise_ratio_{name}_order{order}"] = power[1] / power[0]
            figures[f"fine_ratio_{name}_order{order}"] = fine[1] / fine[0]
    return figures


def power_of(view: View, noise: Image, pull: np.ndarray, order: int) -> tuple[float, float]:
    """The variance in the brain of white noise carried there, and its power above half Nyquist."""
    carried = view.read(noise, pull, order) * view.mask
    spectrum = np.abs(np.fft.rfftn(carried)) ** 2
    frequencies = np.meshgrid(
        *map(np.fft.fftfreq, carried.shape[:2]), np.fft.rfftfreq(carried.shape[2]), indexing="ij"
    )
    fine = np.linalg.norm(frequencies, axis=0) > 0.25
    return float(carried[view.mask].var()), float(spectrum[fine].sum())


def nodding(rng) -> str:
    """The variance left of white noise on three kinds of voxels, by how far the scan's head nods."""
    rows = []
    for size_mm in ((1.0, 1.0, 1.0), (0.9, 0.9, 3.0), (2.0, 2.0, 2.0)):
        shape = np.rint(150 / np.array(size_mm)).astype(int)
        noise = Image(rng.standard_normal(tuple(shape), dtype=np.float32), np.diag([*size_mm, 1.0]))
        row = {"voxels, mm": " × ".join(f"{size:g}" for size in size_mm)}
        for degrees in (3, 8, 15, 25):
            nod = np.eye(4)
            nod[:3, :3] = Rotation.from_euler("xy", (degrees, degrees / 3), degrees=True).as_matrix()
            nod[:3, 3] = 75 - nod[:3, :3] @ np.full(3, 75)
            grid = np.diag([SETTINGS["grid"]["spacing_mm"]] * 3 + [1.0])
            grid[:3, 3] = 40
            row[f"{degrees}°"] = float(resampled(noise, (50, 50, 50), grid, nod).data.var())
        rows.append(row)
    return markdown(pd.DataFrame(rows))


def atrophy(view: View, head: Image, aged: Image, first_pose: np.ndarray, rng) -> dict:
    """What is left of a known atrophy, against the same heads read onto the grid without motion and noise."""
    later, later_pose = scanned(aged, rng)
    still = inverse(first_pose) @ view.baseline.to_scan
    ideal = [view.read(image, still) for image in (head, aged)]
    levels = three_means(ideal[0][view.mask])
    change = (ideal[1] - ideal[0])[view.mask]
    figures = dict(zip(("ideal_tissue", "ideal_ventricles"), view.change(*ideal, levels), strict=True))
    for order in (3, 5):
        splined = [view.read(image, still, order) for image in (head, aged)]
        figures[f"linear_of_order{order}"] = through_zero((splined[1] - splined[0])[view.mask], change)
    scale = through_zero(ideal[0][view.mask], view.values[view.mask])
    clean = [view.read(posed(*pair), pull) for pair, pull in (
        ((head, first_pose), view.baseline.to_scan), ((aged, later_pose), later_pose @ still))]  # fmt: skip
    pose, even = followed(view, later)
    values = view.read(even, pose @ view.baseline.to_scan)
    gained = values * gain_to(view.values[view.mask], values[view.mask])
    figures["aged_pose_mm"] = view.distance_mm(pose, later_pose @ inverse(first_pose))
    ways = {
        "scanner": (*clean, levels, through_zero(ideal[0][view.mask], clean[0][view.mask])),
        "gain": (view.values, gained, view.levels, scale),
        "smoothed": (view.values, smoothed_ratio(view, gained), view.levels, scale),
        "matched": (view.values, view.matched(values), view.levels, scale),
    }
    for name, (before, after, these, size) in ways.items():
        tissue, ventricles = view.change(before, after, these)
        figures[f"kept_map_{name}"] = through_zero(change, (after - before)[view.mask]) / size
        figures[f"kept_tissue_{name}"] = tissue / figures["ideal_tissue"]
        figures[f"kept_ventricles_{name}"] = ventricles / figures["ideal_ventricles"]
    return figures


def ends(baseline, ground: Ground) -> dict:
    """Medians of the grey and white matter, and the brightness that each normalisation would call 1."""
    maps = atlas.maps(ground.grid.shape, ground.grid.affine)
    inside, values = baseline.grid_mask, baseline.values
    brain = values[inside]
    return {
        "grey": float(np.median(values[inside & (maps["grey"] > 0.75)])),
        "white": float(np.median(values[inside & (maps["white"] > 0.95)])),
        "percentile": float(np.percentile(brain, 99.5)),
        "white_mode": white_mode(brain),
        "white_mean": float(three_means(brain)[2]),
        "brain": brain.astype(np.float16)[:: max(1, brain.size // 20000)],
    }


def white_mode(brain: np.ndarray) -> float:
    """The brightness of the white matter's peak in the smoothed histogram, right of the brain's median."""
    counts, edges = np.histogram(brain, 400, (0, 1.3 * np.percentile(brain, 99.5)))
    smooth = ndimage.gaussian_filter1d(counts.astype(float), 6)
    centres = (edges[1:] + edges[:-1]) / 2
    bright = centres > np.median(brain)
    return float(centres[bright][np.argmax(smooth[bright])])


def people(brightness: pd.DataFrame) -> str:
    """How much the tissues' medians differ between people, in per cent, by normalisation."""
    rows = []
    for name in ("percentile", "white_mode", "white_mean"):
        factor = 1 if name == "percentile" else np.median(brightness["percentile"] / brightness[name])
        unit = brightness[name] * factor
        row = {"normalisation": name, "1 stands for": f"{factor:.3f} × {name}"}
        for tissue in ("grey", "white"):
            scaled = brightness[tissue] / unit
            row[f"{tissue} SD %, all"] = 100 * scaled.std() / scaled.mean()
            for where, part in scaled.groupby(brightness["set"]):
                row[f"{tissue} mean, {where}"] = part.mean()
                row[f"{tissue} SD %, {where}"] = 100 * part.std() / part.mean()
        over = [100 * np.mean(brain > top) for brain, top in zip(brightness["brain"], unit, strict=True)]
        rows.append(row | {"clipped %, median": np.median(over), "clipped %, worst": np.max(over)})
    return markdown(pd.DataFrame(rows).set_index("normalisation").T.reset_index())


def scanned(head: Image, rng) -> tuple[Image, np.ndarray]:
    """A scan of a head and its pose (4, 4), from the head's to the scan's millimetres."""
    pose = np.eye(4)
    turns = rng.uniform(-TURN_DEGREES, TURN_DEGREES, 3)
    pose[:3, :3] = Rotation.from_euler("xyz", turns, degrees=True).as_matrix()
    middle = head.millimetres((np.array(head.data.shape)[None] - 1) / 2)[0]
    pose[:3, 3] = middle - pose[:3, :3] @ middle + rng.uniform(-SHIFT_MM, SHIFT_MM, 3)
    lattice = Lattice(head.data.shape, float(head.voxel_mm.mean()), (0, 0, 0))
    signal = posed(head, pose).data * np.exp(SHADING * smooth_noise(lattice, SHADING_KNOT_MM, rng))
    noise = rng.normal(0, NOISE * np.percentile(head.data, 99), (2, *head.data.shape))
    return head.like(np.hypot(signal + noise[0], noise[1])), pose


def posed(head: Image, pose: np.ndarray) -> Image:
    """The head in another pose, by a spline of order 5, nearly a sinc."""
    step = inverse(head.affine) @ inverse(pose) @ head.affine
    moved = ndimage.affine_transform(head.data, step[:3, :3], step[:3, 3], order=5, mode="nearest")
    return head.like(np.maximum(moved, 0))


def three_means(values: np.ndarray) -> np.ndarray:
    """Mean brightness of fluid, grey and white matter: k-means in one dimension."""
    means = np.percentile(values, [10, 45, 85]).astype(float)
    for _ in range(30):
        which = np.digitize(values, (means[1:] + means[:-1]) / 2)
        means = np.array([values[which == number].mean() for number in range(3)])
    return means


def through_zero(x: np.ndarray, y: np.ndarray) -> float:
    """Least-squares slope of y over x without an intercept."""
    return float(np.sum(x * y, dtype=float) / np.sum(x * x, dtype=float))


def halved(motion: np.ndarray) -> np.ndarray:
    """The motion that, made twice, is this one."""
    return np.real(fractional_matrix_power(motion, 0.5))


def inverse(matrix: np.ndarray) -> np.ndarray:
    """The inverse matrix."""
    return np.linalg.inv(matrix)


def summary(title: str, rows: pd.DataFrame) -> None:
    """Print mean, quartiles and extremes of every figure, of all and of its size."""
    figures = rows.drop(columns="scan")
    figures = figures.join(figures.filter(like="jitter").abs().add_prefix("size of "))
    table = figures.describe().T[["mean", "min", "25%", "50%", "75%", "max"]]
    print(f"\n## {title}, {len(rows)} heads\n\n" + markdown(table.reset_index()), flush=True)


if __name__ == "__main__":
    main()
