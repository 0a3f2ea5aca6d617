"""One person's scan, what is foretold of it for each number of years, and the scans that came true."""

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from brainlapse.report.pictures import CHANGE, box_of, change_between, draw_slice, slice_of
from brainlapse.report.style import INK, as_png, new_figure

_COLUMN_IN = 1.35


def draw(source: np.ndarray, brain: np.ndarray, volumes: dict[str, np.ndarray], limit: float) -> str:
    """A data URI: a column for the source and each of `volumes` by its title, axial and coronal slices.

    Volumes are (X, Y, Z) in [-1, 1]; below each slice its change from the
    source, smoothed, from -limit to limit. The slices go through the middle of
    the brain's box, where the ventricles are.
    """
    box = box_of(brain)
    centre = tuple((part.start + part.stop) // 2 for part in box)
    titles = ["source", *volumes]
    figure = new_figure(max(4.0, _COLUMN_IN * len(titles)), 6.6)
    grid = figure.subplots(4, len(titles), squeeze=False)
    for column, title in enumerate(titles):
        volume = volumes.get(title, source)
        change = change_between(volume, source, brain)
        for row, plane in enumerate(("axial", "coronal")):
            image, below = grid[2 * row, column], grid[2 * row + 1, column]
            draw_slice(image, slice_of((volume + 1) / 2, plane, centre, box), cmap="gray", vmin=0, vmax=1)
            if column == 0:
                below.set_axis_off()
                below.text(0.5, 0.5, "change from\nthe source →", ha="center", va="center", fontsize=8)
            else:
                draw_slice(below, slice_of(change, plane, centre, box), cmap=CHANGE, vmin=-limit, vmax=limit)
        grid[0, column].set_title(title, color=INK, fontsize=9)
    bar = figure.colorbar(ScalarMappable(Normalize(-limit, limit), CHANGE), ax=grid, location="bottom",
                          shrink=0.4, aspect=35, pad=0.01, extend="both")  # fmt: skip
    bar.set_label("change of intensity on [0, 1], smoothed by one voxel", fontsize=8)
    return as_png(figure, dpi=130)
