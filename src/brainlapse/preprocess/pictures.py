"""The picture by which a person judges a scan in two seconds.

Every plane is cut three times, where extraction and registration fail first:
temporal lobes, midline, cerebellum, crown. All pictures have the same 256
colours, so a scan always gives the same bytes, and nothing flickers between
two visits but the brain.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont
from scipy import ndimage
from skimage.measure import find_contours

from brainlapse.preprocess.geometry import Image

PANE_PIXELS = 480  # width of a pane, that is of three cuts
MARGIN = 0.1  # around the template's brain, part of its size
# Where the cuts lie: parts of the way from left to right, back to front, bottom to top.
CUTS = ((0.24, 0.47, 0.76), (0.2, 0.47, 0.66), (0.25, 0.53, 0.86))  # of the template's brain
RAW_CUTS = ((0.3, 0.5, 0.7), (0.3, 0.5, 0.7), (0.3, 0.5, 0.7))  # of the field of view
LETTERS = (("P", "A", "S"), ("L", "R", "S"), ("L", "R", "A"))  # left, right and top of each plane
# Yellow and blue are apart for the colour-blind, and bright and dark in grey.
MASK_COLOUR, TEMPLATE_COLOUR = (255, 200, 0), (40, 130, 255)
DARKER, UNCHANGED, BRIGHTER = (0, 60, 210), (118, 118, 118), (255, 215, 0)
BRIGHT_PERCENTILE = 98.0  # of a raw head, drawn white: fat and vessels are brighter still
LARGEST_CHANGE = 0.5  # of the volume's range of 2 that is drawn in full colour
GREYS, COVERS, CHANGES = 32, 3, 11  # the palette: levels of grey, of a line's cover, of change
LETTER_GREY = 20
CHANGE_VOXELS = 1.0  # Gaussian sigma that takes the noise off the change
TEMPLATE_WHITE = 0.75
SMOOTH_VOXELS = 0.8  # takes the steps off the outline, and moves it by a fraction of a voxel
LINE_PIXELS, FINER = 1.0, 4  # a line is drawn on this many times finer pixels, then averaged
SHORTEST_PIXELS = 36.0  # shorter contours say nothing

Panel = Callable[[int, int], np.ndarray]  # axis and index of a cut → its colours, rows from the top


def qc_picture(
    volume: np.ndarray, mask: np.ndarray, template_t1: np.ndarray, baseline: np.ndarray | None = None
) -> Picture.Image:
    """Return the brain with its outlines and, below it for a follow-up, its change from the baseline.

    `volume` and `baseline` (X, Y, Z) lie in [-1, 1], `mask` is boolean,
    `template_t1` lies in [0, 1]. The upper pane holds the outline of the brain
    mask (yellow) and of the template's white matter (blue). The lower pane, of
    the same size, holds volume minus baseline: blue is darker, yellow brighter.
    """
    box = _box(template_t1 > 0)
    volume, mask, template_t1 = volume[box], mask[box], template_t1[box]
    places = _places(_ends(template_t1 > 0), CUTS)
    scale = PANE_PIXELS / (3 * max(volume.shape[:2]))

    def brain(axis: int, place: int) -> np.ndarray:
        grey = _grey(_resized((_cut(volume, axis, place) + 1) / 2, scale, scale))
        outline = ndimage.gaussian_filter(_cut(mask, axis, place).astype(float), SMOOTH_VOXELS)
        white = _line(_cut(template_t1, axis, place), TEMPLATE_WHITE, scale, grey.shape)
        edge = _line(outline, 0.5, scale, grey.shape)
        return grey + GREYS * np.where(edge > 0, edge, np.where(white > 0, COVERS + white, 0))

    def change(axis: int, place: int) -> np.ndarray:
        inside = _resized(_cut(mask, axis, place), scale, scale) > 0.5
        smooth = ndimage.gaussian_filter(_cut(volume - baseline[box], axis, place), CHANGE_VOXELS)
        part = _resized(smooth, scale, scale) / LARGEST_CHANGE
        level = np.rint((part.clip(-1, 1) + 1) / 2 * (CHANGES - 1))
        return np.where(inside, GREYS * (2 * COVERS + 1) + level, 0)

    rows = [_row(brain, [(axis, place) for place in places[axis]]) for axis in range(3)]
    if baseline is not None:
        rows.append(_row(change, [(axis, places[axis][1]) for axis in range(3)]))
    return _coloured(np.concatenate(rows))


def raw_picture(head: Image) -> Picture.Image:
    """Return a head as it was read, in three planes along its own axes, which are the nearest to RAS."""
    places = _places([(0, length - 1) for length in head.data.shape], RAW_CUTS)
    per_mm = PANE_PIXELS / (3 * (head.voxel_mm * head.data.shape)[:2].max())
    bright = max(np.percentile(head.data[::2, ::2, ::2], BRIGHT_PERCENTILE), np.finfo(np.float32).tiny)

    def plane(axis: int, place: int) -> np.ndarray:
        across, up = per_mm * np.delete(head.voxel_mm, axis)
        grey = _grey(_resized(_cut(head.data, axis, place) / bright, across, up))
        return grey // 2 * 2  # half the greys: noise around the head would double the file

    rows = [_row(plane, [(axis, place) for place in places[axis]]) for axis in range(3)]
    return _coloured(np.concatenate(rows))


def _box(inside: np.ndarray) -> tuple[slice, ...]:
    """The part of the grid that is drawn: the same for all scans on it."""
    box = []
    for (first, last), length in zip(_ends(inside), inside.shape, strict=True):
        margin = round(MARGIN * (last - first))
        box.append(slice(max(0, first - margin), min(length, last + margin + 1)))
    return tuple(box)


def _ends(inside: np.ndarray) -> list[tuple[int, int]]:
    """The first and the last index on each axis at which something is inside."""
    filled = [np.flatnonzero(inside.any(axis=others)) for others in ((1, 2), (0, 2), (0, 1))]
    return [(int(indices[0]), int(indices[-1])) for indices in filled]


def _places(ends: list[tuple[int, int]], parts: tuple[tuple[float, ...], ...]) -> list[list[int]]:
    """For each axis, the indices at these parts of the way between its ends."""
    return [
        [round(first + part * (last - first)) for part in along]
        for (first, last), along in zip(ends, parts, strict=True)
    ]


def _cut(volume: np.ndarray, axis: int, place: int) -> np.ndarray:
    """A plane as it is looked at: its top is the person's top or front, its left their left or back."""
    return volume.take(place, axis).T[::-1]


def _resized(plane: np.ndarray, across: float, up: float) -> np.ndarray:
    size = max(1, round(plane.shape[1] * across)), max(1, round(plane.shape[0] * up))
    picture = Picture.fromarray(np.ascontiguousarray(plane, dtype=np.float32))
    return np.asarray(picture.resize(size, Picture.Resampling.BICUBIC))


def _grey(values: np.ndarray) -> np.ndarray:
    return np.rint(values.clip(0, 1) * (GREYS - 1)).astype(np.uint8)


def _line(plane: np.ndarray, level: float, scale: float, shape: tuple[int, int]) -> np.ndarray:
    """How far the contour at this level covers each pixel, 0 to COVERS."""
    fine = Picture.new("L", (shape[1] * FINER, shape[0] * FINER))
    draw = ImageDraw.Draw(fine)
    for contour in find_contours(plane, level):
        points = (contour[:, ::-1] + 0.5) * scale
        if np.linalg.norm(np.diff(points, axis=0), axis=1).sum() >= SHORTEST_PIXELS:
            draw.line([tuple(p) for p in points * FINER], fill=255, width=round(LINE_PIXELS * FINER))
    cover = np.asarray(fine.reduce(FINER)) / 255
    return np.rint(cover * COVERS).astype(np.uint8)


def _row(panel: Panel, cuts: list[tuple[int, int]]) -> np.ndarray:
    """Three panels, each in the middle of its cell, with letters for the sides."""
    panels = [_lettered(panel(*cut), LETTERS[cut[0]]) for cut in cuts]
    height = max(drawn.shape[0] for drawn in panels)
    return np.concatenate([_centred(drawn, height) for drawn in panels], axis=1)


def _lettered(colours: np.ndarray, letters: tuple[str, str, str]) -> np.ndarray:
    picture = Picture.fromarray(colours.astype(np.uint8))
    draw, (width, height) = ImageDraw.Draw(picture), picture.size
    draw.fontmode = "1"  # whole pixels: a blend of two palette entries is a third colour
    spots = (((3, height - 3), "lb"), ((width - 3, height - 3), "rb"), ((width / 2, 1), "mt"))
    for letter, (spot, anchor) in zip(letters, spots, strict=True):
        draw.text(spot, letter, fill=LETTER_GREY, font=ImageFont.load_default(12), anchor=anchor)
    return np.asarray(picture)


def _centred(colours: np.ndarray, height: int) -> np.ndarray:
    missing = height - colours.shape[0], PANE_PIXELS // 3 - colours.shape[1]
    return np.pad(colours, [(side // 2, side - side // 2) for side in missing])


def _coloured(colours: np.ndarray) -> Picture.Image:
    picture = Picture.fromarray(np.ascontiguousarray(colours, dtype=np.uint8), mode="P")
    picture.putpalette(_palette().tobytes())
    return picture


def _palette() -> np.ndarray:
    """(256, 3) colours: greys, greys under the mask's line, under the template's, then the change."""
    grey = np.repeat(np.linspace(0, 255, GREYS)[:, None], 3, axis=1)
    blocks = [grey]
    for colour in (MASK_COLOUR, TEMPLATE_COLOUR):
        for cover in range(1, COVERS + 1):
            blocks.append(grey + (np.array(colour) - grey) * cover / COVERS)
    change = np.linspace(-1, 1, CHANGES)
    sides = np.where(change[:, None] < 0, DARKER, BRIGHTER)
    blocks.append(UNCHANGED + (sides - np.array(UNCHANGED)) * np.abs(change)[:, None])
    palette = np.zeros((256, 3), dtype=np.uint8)
    filled = np.rint(np.concatenate(blocks))
    palette[: len(filled)] = filled
    return palette
