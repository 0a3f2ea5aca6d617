"""The pictures show the right side, the true outline and the true change, in few bytes, always the same."""

import io

import numpy as np
import pytest
from scipy import ndimage

from brainlapse import atlas
from brainlapse.preprocess import pictures
from brainlapse.preprocess.geometry import Image
from brainlapse.preprocess.pictures import PANE_PIXELS, qc_picture, raw_picture
from brainlapse.volumes import Grid

SIDE = 60
CELL = PANE_PIXELS // 3
PLACE = np.indices((SIDE, SIDE, SIDE)) - (SIDE - 1) / 2
RADIUS = np.linalg.norm(PLACE, axis=0)
# A template whose box is the whole grid, so that a panel is a whole plane.
TEMPLATE = np.full((SIDE,) * 3, 0.5)


def ball(radius: float) -> tuple[np.ndarray, np.ndarray]:
    mask = radius > RADIUS
    return np.where(mask, 0.2, -1.0), mask


def png(picture) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()


def panel(picture, row: int, column: int) -> np.ndarray:
    """The panel's colours as (height, width, RGB), for a cubic grid."""
    colours = np.asarray(picture.convert("RGB")).astype(int)
    return colours[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL]


def near(colours: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return np.abs(colours - colour).sum(axis=-1) < 40


def drawn_line(colours: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """How many voxels each pixel of a line lies from the panel's middle; all else is grey."""
    lean = colours[..., 0] - colours[..., 2] if colour[0] > colour[2] else colours[..., 2] - colours[..., 0]
    up, across = np.nonzero(lean > 60)
    middle = (CELL - 1) / 2
    return np.hypot(up - middle, across - middle) * SIDE / CELL


def luma(colour) -> float:
    return float(np.dot(colour, (0.299, 0.587, 0.114)))


def test_the_outline_lies_on_the_mask_and_has_no_steps():
    volume, mask = ball(22.0)
    shown = panel(qc_picture(volume, mask, TEMPLATE), 1, 1)
    radius = drawn_line(shown, pictures.MASK_COLOUR)
    cut = abs(round(0.47 * (SIDE - 1)) - (SIDE - 1) / 2)
    assert len(radius) > CELL
    assert radius.mean() == pytest.approx(np.sqrt(22.0**2 - cut**2), abs=0.4)
    assert radius.std() < 0.25  # of a voxel, the line's own width included; 0.28 with the voxels' steps
    assert np.ptp(radius) < 1.2


def test_the_template_is_drawn_where_the_template_is_and_not_where_the_volume_is():
    volume, mask = ball(25.0)
    template = np.where(RADIUS < 12, 0.9, 0.5)
    shown = panel(qc_picture(volume, mask, template), 1, 1)
    radius = drawn_line(shown, pictures.TEMPLATE_COLOUR)
    assert len(radius) > CELL / 2
    assert radius.mean() == pytest.approx(12, abs=0.8)


@pytest.mark.parametrize("side", [(1, 1, 1), (1, -1, 1), (-1, 1, -1), (-1, -1, -1)])
@pytest.mark.parametrize("kind", ["qc", "raw"])
def test_right_is_right_front_is_right_or_up_and_top_is_up(side, kind):
    marker = np.ones((SIDE,) * 3, bool)
    for axis, sign in enumerate(side):
        marker &= PLACE[axis] * sign > 4
    marker &= RADIUS < 27
    if kind == "qc":
        picture = qc_picture(np.where(marker, 0.9, -1.0), np.ones_like(marker), TEMPLATE)
    else:
        picture = raw_picture(Image(marker.astype(np.float32), np.eye(4)))
    seen = 0
    for row, (across, up) in enumerate(((1, 2), (0, 2), (0, 1))):
        for column in range(3):
            # Letters are darker than this, lines are coloured.
            bright = (panel(picture, row, column) > 200).all(axis=-1)
            halves = bright[:, CELL // 2 :].sum(), bright[:, : CELL // 2].sum()
            assert (halves[0] - halves[1]) * side[across] >= 0
            halves = bright[: CELL // 2].sum(), bright[CELL // 2 :].sum()
            assert (halves[0] - halves[1]) * side[up] >= 0
            seen += bright.sum()
    assert seen > 0


def test_change_is_blue_where_darker_and_yellow_where_brighter_and_grey_elsewhere():
    first, mask = ball(25.0)
    later = first.copy()
    later[10:25, 20:40, 20:40] -= 0.5  # the person's left
    later[35:50, 20:40, 20:40] += 0.5
    alone, followup = qc_picture(first, mask, TEMPLATE), qc_picture(later, mask, TEMPLATE, first)
    assert alone.size == (PANE_PIXELS, 3 * CELL) and followup.size == (PANE_PIXELS, 4 * CELL)
    coronal = panel(followup, 3, 1)
    left, right = coronal[:, : CELL // 2], coronal[:, CELL // 2 :]
    for half, there, elsewhere in (
        (left, pictures.DARKER, pictures.BRIGHTER),
        (right, pictures.BRIGHTER, pictures.DARKER),
    ):
        assert near(half, there).sum() > 100 and not near(half, elsewhere).any()
        assert near(half, pictures.UNCHANGED).sum() > 100
    still = panel(qc_picture(first, mask, TEMPLATE, first), 3, 1)
    coloured = np.ptp(still, axis=-1) > 10
    assert not coloured.any()


def test_a_ball_of_thick_slices_is_round():
    voxel_mm = np.array([1.0, 1.0, 4.0])
    place = (np.indices((80, 80, 20)).reshape(3, -1).T + 0.5) * voxel_mm - 40
    data = (np.linalg.norm(place, axis=1) < 25).reshape(80, 80, 20)
    picture = raw_picture(Image(data.astype(np.float32), np.diag([*voxel_mm, 1])))
    up, across = np.nonzero((panel(picture, 1, 1) > 128).all(axis=-1))
    assert np.ptp(up) == pytest.approx(np.ptp(across), abs=0.1 * CELL)


@pytest.mark.parametrize("shape", [(8, 8, 8), (30, 12, 50), (2, 40, 40)])
def test_empty_and_odd_heads_can_be_drawn(shape):
    picture = raw_picture(Image(np.zeros(shape, np.float32), np.eye(4)))
    assert picture.width == PANE_PIXELS and picture.mode == "P"


def test_an_empty_mask_can_be_drawn():
    volume, _ = ball(20.0)
    assert qc_picture(volume, np.zeros_like(volume, bool), TEMPLATE).width == PANE_PIXELS


def test_colours_differ_in_grey_too():
    levels = [luma(colour) for colour in (pictures.DARKER, pictures.UNCHANGED, pictures.BRIGHTER)]
    assert min(np.diff(levels)) > 50
    assert luma(pictures.MASK_COLOUR) - luma(pictures.TEMPLATE_COLOUR) > 50


def test_a_picture_of_the_whole_grid_is_small_and_always_the_same():
    grid, rng = Grid(), np.random.default_rng(0)
    maps = atlas.maps(grid.shape, grid.affine)
    t1, mask = maps["t1"] * maps["brain"], maps["brain"] > 0.5
    noise = [ndimage.gaussian_filter(rng.normal(size=t1.shape), 0.6) for _ in range(2)]
    first, later = (np.where(mask, 2 * np.clip(t1 + 0.05 * n, 0.01, 1) - 1, -1) for n in noise)
    for inputs in ((first, mask, t1), (later, mask, t1, first)):
        drawn = png(qc_picture(*inputs))
        assert len(drawn) <= 60_000
        assert drawn == png(qc_picture(*inputs))
