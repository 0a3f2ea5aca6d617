"""The picture of one follow-up: scans and samples above, the change from the source below each."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from scipy import ndimage

from brainlapse.report.examples import Example
from brainlapse.report.style import INK, as_png, new_figure

CHANGE = "PuOr_r"  # purple darker, orange brighter: told apart by people who cannot see red or green
PLANES = ("axial", "coronal", "sagittal")
_AXIS = {"axial": 2, "coronal": 1, "sagittal": 0}
_COLUMN_IN, _MARGIN_IN = 1.5, 0.8


def common_limit(examples: list[Example]) -> float:
    """Where the scale of all change maps of the page ends: the largest true change but its top 0.5 %."""
    largest = [np.nanpercentile(np.abs(smoothed_change(one.truth, one)), 99.5) for one in examples]
    return max(0.05, *map(float, largest)) if examples else 0.05


def first_picture(example: Example, limit: float) -> str:
    """A data URI: one axial slice of source, true follow-up, the first sample, and both changes."""
    model, sample = next(iter(example.samples.items()))
    changes = [smoothed_change(volume, example) for volume in (example.truth, sample)]
    centre, box = largest(changes[0]), box_of(example.brain)
    figure = new_figure(9.2, 2.5)
    row = figure.subplots(1, 5)
    shown = (("source", example.source), ("true follow-up", example.truth), (model, sample))
    for axes, (name, volume) in zip(row, shown, strict=False):
        draw_slice(axes, slice_of((volume + 1) / 2, "axial", centre, box), cmap="gray", vmin=0, vmax=1)
        axes.set_title(name, fontsize=9)
    for axes, name, change in zip(row[3:], ("true change", "predicted change"), changes, strict=True):
        draw_slice(axes, slice_of(change, "axial", centre, box), cmap=CHANGE, vmin=-limit, vmax=limit)
        axes.set_title(name, fontsize=9)
    return as_png(figure, dpi=130)


def example_picture(example: Example, limit: float) -> str:
    """A data URI: a column each for source, true follow-up and every sample, two rows a plane.

    The slices go through the voxel where the smoothed true change is largest.
    Change maps go from -limit to limit. Right is right.
    """
    volumes = {"source": example.source, "true follow-up": example.truth} | example.samples
    changes = {name: smoothed_change(volume, example) for name, volume in volumes.items()}
    centre = largest(changes["true follow-up"])
    box = box_of(example.brain)
    heights = [_height(plane, box) for plane in PLANES for _ in ("image", "change")]
    size_in = (_COLUMN_IN * len(volumes), _COLUMN_IN * sum(heights) + _MARGIN_IN)
    figure = new_figure(*size_in)
    grid = figure.subplots(2 * len(PLANES), len(volumes), gridspec_kw={"height_ratios": heights})
    for column, name in enumerate(volumes):
        for row, plane in enumerate(PLANES):
            image, change = grid[2 * row, column], grid[2 * row + 1, column]
            shown = (volumes[name] + 1) / 2
            draw_slice(image, slice_of(shown, plane, centre, box), cmap="gray", vmin=0, vmax=1)
            draw_slice(
                change, slice_of(changes[name], plane, centre, box), cmap=CHANGE, vmin=-limit, vmax=limit
            )
            if row == 0:
                image.set_title(name, fontweight="bold" if column == 2 else "normal", color=INK)
            if column == 0:
                change.clear()
                change.set_axis_off()
                change.text(0.5, 0.5, f"{plane}\nchange from\nthe source →", ha="center", va="center",
                            fontsize=8.5, transform=change.transAxes)  # fmt: skip
    colours = ScalarMappable(Normalize(-limit, limit), CHANGE)
    bar = figure.colorbar(colours, ax=grid, location="bottom", shrink=0.4, aspect=35, pad=0.01, extend="both")
    bar.set_label("change of intensity on [0, 1], smoothed by one voxel", fontsize=8)
    return as_png(figure, dpi=150)


def smoothed_change(volume: np.ndarray, example: Example) -> np.ndarray:
    """volume − the example's source on [0, 1], smoothed; NaN outside the brain."""
    return change_between(volume, example.source, example.brain)


def change_between(volume: np.ndarray, source: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """volume − source, both in [-1, 1], as a change on [0, 1], smoothed by one voxel; NaN off the brain."""
    return np.where(brain, ndimage.gaussian_filter((volume - source) / 2, 1.0), np.nan)


def largest(change: np.ndarray) -> tuple[int, ...]:
    """The voxel that changed most."""
    return np.unravel_index(np.nanargmax(np.abs(change)), change.shape)


def box_of(brain: np.ndarray) -> tuple[slice, ...]:
    """The brain's bounding box, so that the page shows no empty space."""
    return ndimage.find_objects(brain.astype(np.uint8))[0]


def _height(plane: str, box: tuple[slice, ...]) -> float:
    """Height of a slice by the width of the widest one (its sides are the box's)."""
    right, front, top = (part.stop - part.start for part in box)
    return {"axial": front, "coronal": top, "sagittal": top}[plane] / max(right, front)


def slice_of(volume: np.ndarray, plane: str, centre: tuple[int, ...], box: tuple[slice, ...]) -> np.ndarray:
    """The plane of a volume (X, Y, Z) through `centre`, cropped to `box`; its rows go up."""
    axis = _AXIS[plane]
    kept = tuple(part for n, part in enumerate(box) if n != axis)
    return np.take(volume, centre[axis], axis=axis)[kept].T


def draw_slice(axes: Axes, picture: np.ndarray, **how) -> None:
    """A slice, rows going up, without axes."""
    axes.imshow(picture, origin="lower", interpolation="nearest", **how)
    axes.set_axis_off()
