"""The limits a preprocessed scan must keep, and what is measured for them."""

from collections.abc import Iterator

import numpy as np
from scipy.ndimage import gaussian_filter

from brainlapse.preprocess.geometry import Image, correlation
from brainlapse.preprocess.inputs import picture_box
from brainlapse.preprocess.quarantine import Quarantined

LIKENESS_MM = 3.0  # Gaussian sigma
# Figures of which less is better: the reason where there is too much, and the figure in words.
MOST = {
    "edge_percent": ("brain reaches the grid's edge", "{:.2f} % of its voxels"),
    "cut_cm2": ("brain reaches the scan's edge", "cut over {:.1f} cm²"),
    "missing_percent": ("field of view", "{:.1f} % of the brain is outside"),
    "turn_degrees": ("head is turned", "by {:.0f}° from where its header says"),
}


def check_figures(figures: dict[str, float], limits: dict) -> None:
    """Raise Quarantined, with all figures, for the first limit that one of them breaks."""
    for reason, detail in broken_limits(figures, limits):
        raise Quarantined(reason, detail, figures)


def broken_limits(figures: dict[str, float], limits: dict) -> Iterator[tuple[str, str]]:
    """The reason and the detail of each limit that the figures break; a figure not measured breaks none.

    A figure that is not a number breaks its limit.
    """
    low, high = limits["brain_ml"]
    volume = figures["brain_volume_ml"]
    if not low <= volume <= high:
        yield "brain volume", f"{volume:.0f} mL, allowed {low:g} to {high:g}"
    for name in ("template_correlation", "baseline_correlation"):
        if not figures.get(name, 1) >= limits[name]:
            yield name.replace("_", " "), f"{figures[name]:.3f}, at least {limits[name]:g} needed"
    for name, (reason, said) in MOST.items():
        if not figures.get(name, 0) <= limits[name]:
            yield reason, f"{said.format(figures[name])}, allowed {limits[name]:g}"


def likeness(volume: np.ndarray, mask: np.ndarray, template_t1: np.ndarray, spacing_mm: float) -> float:
    """Correlation with the template, both smoothed by 3 mm, where either of them has a brain.

    benchmarks/gates.md: what real heads reach, and the same heads in a wrong order of
    axes. It cannot tell left from right: a brain is nearly its own mirror image.
    """
    either = mask | (template_t1 > 0.1)
    smooth = [gaussian_filter(values, LIKENESS_MM / spacing_mm)[either] for values in (volume, template_t1)]
    return correlation(*smooth)


def edge_percent(mask: np.ndarray) -> float:
    """Per cent of the mask's voxels that lie in the grid's outermost layer."""
    within = mask[1:-1, 1:-1, 1:-1].sum()
    return float(100 * (1 - within / max(mask.sum(), 1)))


def missing_percent(mask: np.ndarray, seen: np.ndarray) -> float:
    """Per cent of the mask's voxels that the scan's field of view does not hold."""
    return float(100 * (mask & ~seen).sum() / max(mask.sum(), 1))


def cut_cm2(mask: Image, head: Image) -> float:
    """Area in cm² at which the scan's field of view cuts the brain, on the side where most is cut.

    `mask` lies on the head's voxels; an empty rim is not part of the field of
    view. A brain that is whole in its scan has 0, one that was cropped to its
    own box and just touches it some cm².
    """
    inside, area_mm2 = mask.data[picture_box(head.data)] > 0.5, np.prod(mask.voxel_mm) / mask.voxel_mm
    sides = [inside.take(end, axis).sum() * area_mm2[axis] for axis in range(3) for end in (0, -1)]
    return float(max(sides) / 100)


def turn_degrees(transform: np.ndarray) -> float:
    """The angle by which grid → scan turns the head, its scaling and shearing aside: 0 to 180.

    Registration sets some heads right whose axes the header confuses, and then
    they look well, but perhaps mirrored; only the turn still tells.
    """
    left, _, right = np.linalg.svd(transform[:3, :3])
    turn = left @ right
    if np.linalg.det(turn) < 0:
        return 180.0  # mirrored
    return float(np.rad2deg(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1))))
