"""The volumes of the viewer are those of the study, a byte a voxel, and so are the colours of a change."""

import base64
import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from brainlapse.report.examples import Example
from brainlapse.report.pixels import change_levels, change_picture, colour_bar, grey_levels, grey_picture
from brainlapse.report.viewer import columns_of, mosaic, viewer

LIMIT = 0.1


def decoded(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


@given(st.tuples(*[st.integers(1, 9)] * 3), st.integers(0, 99))
def test_each_slice_of_a_mosaic_has_its_front_on_top_and_right_on_the_right(shape, seed):
    levels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    right, front, top = shape
    tiles, columns = mosaic(levels), columns_of(top)
    for z in range(top):
        row, column = divmod(z, columns)
        tile = tiles[row * front : (row + 1) * front, column * right : (column + 1) * right]
        assert (tile == levels[:, ::-1, z].T).all()


def test_a_mosaic_stays_within_what_browsers_hold():
    assert max(mosaic(np.zeros((128, 160, 128), np.uint8)).shape) < 4096


def test_no_change_is_the_middle_of_the_scale_and_its_ends_are_clipped():
    change = np.array([-1, -LIMIT, 0, LIMIT, 1, np.nan])
    assert change_levels(change, LIMIT).tolist() == [1, 1, 128, 255, 255, 0]


def test_more_change_never_has_a_lower_level():
    assert (np.diff(change_levels(np.linspace(-0.2, 0.2, 999), LIMIT).astype(int)) >= 0).all()


def test_opposite_changes_are_told_apart_by_hue_and_their_size_by_lightness():
    red, _, blue = (np.asarray(decoded(colour_bar()).convert("RGB"), float)[0, :, n] for n in range(3))
    light = np.asarray(decoded(colour_bar()).convert("L"), float)[0]
    assert (blue[10:100] > red[10:100]).all() and (red[155:245] > blue[155:245]).all()
    assert (np.diff(light[:127]) > -2).all() and (np.diff(light[127:]) < 2).all()  # readable in grey
    assert light[127] > 240


def test_pictures_hold_the_very_bytes():
    levels = np.arange(256, dtype=np.uint8).reshape(8, 32)
    assert (np.asarray(decoded(grey_picture(levels))) == levels).all()
    assert (np.asarray(decoded(change_picture(levels))) == levels).all()
    assert decoded(change_picture(levels)).convert("RGB").getpixel((0, 0)) == (255, 255, 255)


@pytest.fixture
def example():
    rng = np.random.default_rng(0)
    brain = np.zeros((12, 14, 10), bool)
    brain[2:9, 3:12, 1:8] = True
    source, sample = (np.where(brain, rng.uniform(-0.9, 0.9, brain.shape), -1) for _ in range(2))
    truth = source.copy()
    truth[5, 5, 5] -= 0.5
    return Example(pd.Series(dtype=object), "", 0.0, source, truth, brain, {"ours": sample, "other": source})


def test_the_viewer_shows_the_first_model_beside_source_and_truth(example):
    shown = viewer(example, LIMIT, "toy-0")
    assert shown["shape"] == [7, 9, 7]
    titles = ["source", "true follow-up", "ours", "true change", "predicted change"]
    assert [panel["title"] for panel in shown["panels"]] == titles
    box = (slice(2, 9), slice(3, 12), slice(1, 8))
    truth = np.asarray(decoded(shown["panels"][1]["image"]))
    assert (truth == mosaic(grey_levels(example.truth[box]))).all()


def test_it_begins_where_most_changed(example):
    assert viewer(example, LIMIT, "toy-0")["begin"] == [5 - 2, 5 - 3, 5 - 1]


def test_without_samples_there_is_nothing_to_look_through(example):
    assert viewer(Example(**{**vars(example), "samples": {}}), LIMIT, "toy-0") is None
