"""Slices and mosaics as PNG, a pixel a voxel: greys, or a change in the colours of its scale.

A browser scales them, so a page of many slices costs no drawing.
"""

import io

import numpy as np
from matplotlib import colormaps
from PIL import Image

from brainlapse.report.pictures import CHANGE
from brainlapse.report.style import data_uri

_OUTSIDE = (255, 255, 255)
_COLOURS = np.rint(255 * colormaps[CHANGE](np.linspace(0, 1, 255))[:, :3]).astype(np.uint8)
_PALETTE = bytes(_OUTSIDE) + _COLOURS.tobytes()


def grey_levels(volume: np.ndarray) -> np.ndarray:
    """Bytes 0 to 255 of intensities in [-1, 1], clipped."""
    return np.rint(127.5 * (np.clip(volume, -1, 1) + 1)).astype(np.uint8)


def change_levels(change: np.ndarray, limit: float) -> np.ndarray:
    """Bytes of a change: 1 is -limit or less, 128 none, 255 limit or more; 0 where it is NaN."""
    part = np.clip(np.nan_to_num(change) / limit, -1, 1)
    return np.where(np.isnan(change), 0, np.rint(128 + 127 * part)).astype(np.uint8)


def grey_picture(levels: np.ndarray) -> str:
    """A data URI of (rows, columns) bytes, the first row on top."""
    return _png(Image.fromarray(np.ascontiguousarray(levels)))


def change_picture(levels: np.ndarray) -> str:
    """The same of `change_levels`, in the colours of the page's changes; white where it was NaN."""
    picture = Image.fromarray(np.ascontiguousarray(levels))
    picture.putpalette(_PALETTE)
    return _png(picture)


def colour_bar() -> str:
    """A data URI: the scale of changes from its lower end to its upper one."""
    return change_picture(np.arange(1, 256, dtype=np.uint8)[None])


def _png(picture: Image.Image) -> str:
    stream = io.BytesIO()
    picture.save(stream, "PNG", optimize=True)
    return data_uri(stream.getvalue(), "image/png")
