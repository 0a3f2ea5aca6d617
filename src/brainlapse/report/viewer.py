"""Volumes to look through in the page: slices of all three planes, linked, without anything to load.

Each volume is a mosaic of its axial slices, cropped to the brain, a byte a
voxel. viewer.js cuts the planes out of it. It is our own since nilearn's
brainsprite.js shows one volume with one overlay and needs jQuery; five
linked ones would take more lines than these. Where scripts do not run the
page's pictures stay.
"""

import math

import numpy as np

from brainlapse.report.examples import Example
from brainlapse.report.pictures import box_of, largest, smoothed_change
from brainlapse.report.pixels import change_levels, change_picture, colour_bar, grey_levels, grey_picture


def viewer(example: Example, limit: float, name: str) -> dict | None:
    """What viewer.html.j2 and viewer.js need; None without samples.

    `panels` are a mosaic each, `shape` is theirs (right, front, top), `begin`
    the voxel that truly changed most. Change maps end at -limit and limit.
    """
    if not example.samples:
        return None
    model, sample = next(iter(example.samples.items()))
    box = box_of(example.brain)
    shape = tuple(part.stop - part.start for part in box)
    true, predicted = (smoothed_change(volume, example) for volume in (example.truth, sample))
    scans = {"source": example.source, "true follow-up": example.truth, model: sample}
    changes = {"true change": true, "predicted change": predicted}
    panels = [
        {"title": title, "kind": "grey", "image": grey_picture(mosaic(grey_levels(volume[box])))}
        for title, volume in scans.items()
    ]
    panels += [
        {"title": title, "kind": "change", "image": change_picture(mosaic(change_levels(change[box], limit)))}
        for title, change in changes.items()
    ]
    begin = [int(at - part.start) for at, part in zip(largest(true), box, strict=True)]
    return {
        "name": name, "shape": list(shape), "columns": columns_of(shape[2]), "begin": begin,
        "panels": panels, "bar": colour_bar(), "limit": f"{limit:.2f}",
    }  # fmt: skip


def columns_of(slices: int) -> int:
    """Slices beside each other in a mosaic that is about square: browsers bound a picture's sides."""
    return math.ceil(math.sqrt(slices))


def mosaic(levels: np.ndarray) -> np.ndarray:
    """The axial slices of (X, Y, Z) bytes from the bottom to the top, row by row.

    In each of them the front is on top and the right on the right.
    """
    right, front, top = levels.shape
    columns = columns_of(top)
    whole = np.pad(levels, ((0, 0), (0, 0), (0, -top % columns)))
    tiles = whole[:, ::-1].transpose(2, 1, 0).reshape(-1, columns, front, right)
    return tiles.swapaxes(1, 2).reshape(-1, columns * right)
