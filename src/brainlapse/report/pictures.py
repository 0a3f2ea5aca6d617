"""The picture of one follow-up: scans and samples above, the change from the source below each."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from scipy import ndimage

from brainlapse.report.examples import Example
from brainlapse.report.style import INK, as_png, new_figure

PLANES = ("axial", "coronal", "sagittal")
_AXIS = {"axial": 2, "coronal": 1, "sagittal": 0}
_COLUMN_IN, _MARGIN_IN = 1.5, 0.8


def example_picture(example: Example) -> str:
    """A data URI: a column each for source, true follow-up and every sample, two rows a plane.

    The slices go through the voxel where the smoothed true change is largest.
    All change maps of one picture share one symmetric scale. Right is right.
    """
    volumes = {"source": example.source, "true follow-up": example.truth} | example.samples
    changes = {name: smoothed_change(volume, example) for name, volume in volumes.items()}
    centre = _largest(changes["true follow-up"])
    limit = max(0.05, float(np.nanpercentile(np.abs(changes["true follow-up"]), 99.5)))
    box = _box(example.brain)
    heights = [_height(plane, box) for plane in PLANES for _ in ("image", "change")]
    size_in = (_COLUMN_IN * len(volumes), _COLUMN_IN * sum(heights) + _MARGIN_IN)
    figure = new_figure(*size_in)
    grid = figure.subplots(2 * len(PLANES), len(volumes), gridspec_kw={"height_ratios": heights})
    for column, name in enumerate(volumes):
        for row, plane in enumerate(PLANES):
            image, change = grid[2 * row, column], grid[2 * row + 1, column]
            shown = (volumes[name] + 1) / 2
            _draw(image, _slice(shown, plane, centre, box), cmap="gray", vmin=0, vmax=1)
            _draw(change, _slice(changes[name], plane, centre, box), cmap="RdBu_r", vmin=-limit, vmax=limit)
            if row == 0:
                image.set_title(name, fontweight="bold" if column == 2 else "normal", color=INK)
            if column == 0:
                change.clear()
                change.set_axis_off()
                change.text(0.5, 0.5, f"{plane}\nchange from\nthe source →", ha="center", va="center",
                            fontsize=8.5, transform=change.transAxes)  # fmt: skip
    colours = ScalarMappable(Normalize(-limit, limit), "RdBu_r")
    bar = figure.colorbar(colours, ax=grid, location="bottom", shrink=0.4, aspect=35, pad=0.01, extend="both")
    bar.set_label("change of intensity on [0, 1], smoothed by one voxel", fontsize=8)
    return as_png(figure, dpi=150)


def smoothed_change(volume: np.ndarray, example: Example) -> np.ndarray:
    """volume − source on [0, 1], gaussian of one voxel; NaN outside the brain."""
    change = ndimage.gaussian_filter((volume - example.source) / 2, 1.0)
    return np.where(example.brain, change, np.nan)


def _largest(change: np.ndarray) -> tuple[int, ...]:
    return np.unravel_index(np.nanargmax(np.abs(change)), change.shape)


def _box(brain: np.ndarray) -> tuple[slice, ...]:
    """The brain's bounding box, so that the page shows no empty space."""
    return ndimage.find_objects(brain.astype(np.uint8))[0]


def _height(plane: str, box: tuple[slice, ...]) -> float:
    """Height of a slice by the width of the widest one (its sides are the box's)."""
    right, front, top = (part.stop - part.start for part in box)
    return {"axial": front, "coronal": top, "sagittal": top}[plane] / max(right, front)


def _slice(volume: np.ndarray, plane: str, centre: tuple[int, ...], box: tuple[slice, ...]) -> np.ndarray:
    axis = _AXIS[plane]
    kept = tuple(part for n, part in enumerate(box) if n != axis)
    return np.take(volume, centre[axis], axis=axis)[kept].T


def _draw(axes: Axes, picture: np.ndarray, **how) -> None:
    axes.imshow(picture, origin="lower", interpolation="nearest", **how)
    axes.set_axis_off()
