"""The limits a preprocessed scan must keep, and what is measured for them."""

from collections.abc import Iterator

import numpy as np
from scipy.ndimage import gaussian_filter

from brainlapse.preprocess.geometry import correlation
from brainlapse.preprocess.quarantine import Quarantined

LIKENESS_MM = 3.0  # Gaussian sigma
EDGE_PERCENT = 0.1  # of the brain's voxels may lie in the outermost layer of the grid


def check_figures(figures: dict[str, float], limits: dict) -> None:
    """Raise Quarantined, with all figures, for the first limit that one of them breaks."""
    for reason, detail in broken_limits(figures, limits):
        raise Quarantined(reason, detail, figures)


def broken_limits(figures: dict[str, float], limits: dict) -> Iterator[tuple[str, str]]:
    """The reason and the detail of each limit that the figures break; a figure not measured breaks none."""
    low, high = limits["brain_ml"]
    volume = figures["brain_volume_ml"]
    if not low <= volume <= high:
        yield "brain volume", f"{volume:.0f} mL, allowed {low:g} to {high:g}"
    for name in ("template_correlation", "baseline_correlation"):
        if figures.get(name, 1) < limits[name]:
            yield name.replace("_", " "), f"{figures[name]:.3f}, at least {limits[name]:g} needed"
    if figures.get("edge_percent", 0) > EDGE_PERCENT:
        yield "brain reaches the grid's edge", f"{figures['edge_percent']:.2f} % of its voxels"
    if figures.get("missing_percent", 0) > limits["missing_percent"]:
        seen = f"{figures['missing_percent']:.1f} % of the brain is outside"
        yield "field of view", f"{seen}, allowed {limits['missing_percent']:g} %"


def likeness(volume: np.ndarray, mask: np.ndarray, template_t1: np.ndarray, spacing_mm: float) -> float:
    """Correlation with the template, both smoothed by 3 mm, where either of them has a brain.

    Real heads reach 0.83 to 0.86; the same heads upside down, back to front or
    with two axes swapped 0.45 to 0.57, although their affine looks like a success.
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
