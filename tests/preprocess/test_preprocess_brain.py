"""The outline follows the tissue: bridges are cut, clefts are closed, the scalp stays out."""

import numpy as np
import pytest

from brainlapse.errors import Refused
from brainlapse.preprocess.brain import METHODS, closed, outlined
from brainlapse.preprocess.geometry import Image
from brainlapse.preprocess.quarantine import Quarantined


@pytest.fixture
def ball():
    """A ball of tissue (radius 50 mm) with a cleft; a dark gap; a bright scalp, joined by a thin bridge."""
    x, y, z = (np.indices((80, 80, 80)) - 39.5) * 2
    radius = np.sqrt(x**2 + y**2 + z**2)
    brain = radius < 50
    values = np.where(brain, 1.0, 0.05)
    values[(np.abs(x) < 4) & (y > 30) & brain] = 0.1
    values[(radius > 56) & (radius < 66)] = 1.0
    values[(np.abs(x) < 3) & (np.abs(z) < 3) & (y < 0) & (radius < 60) & ~brain] = 1.0
    return Image(values.astype(np.float32), np.diag([2.0, 2.0, 2.0, 1.0])), radius


@pytest.mark.parametrize("template_radius", [47, 50, 53])
def test_a_template_too_small_or_too_large_is_corrected(ball, template_radius):
    image, radius = ball
    found, true = outlined(image, radius < template_radius), radius < 50
    assert 2 * (found & true).sum() / (found.sum() + true.sum()) > 0.985


@pytest.mark.parametrize("dark", [0.0, 0.2, 0.4])
def test_the_outline_is_the_same_whether_bone_and_fluid_are_black_or_grey(ball, dark):
    image, radius = ball
    found, true = outlined(image.like(dark + (1 - dark) * image.data), radius < 48), radius < 50
    assert 2 * (found & true).sum() / (found.sum() + true.sum()) > 0.985


def test_the_scanners_gain_moves_no_outline(ball):
    image, radius = ball
    brighter = outlined(image.like(1024 * image.data), radius < 48)
    np.testing.assert_array_equal(brighter, outlined(image, radius < 48))


def test_closing_fills_a_cleft_and_moves_no_edge():
    mask = np.zeros((40, 40, 40), bool)
    mask[10:30, 10:30, 10:30] = True
    with_cleft = mask.copy()
    with_cleft[19:21, 15:30] = False
    filled = closed(with_cleft, 4)
    assert filled[11:29, 11:29, 11:29].all()  # a ball rounds the cleft's mouth, one layer deep
    assert not filled[~mask].any()
    assert (closed(mask, 4) == mask).all()


def test_stripped_input_is_taken_as_it_is(ball):
    image, radius = ball
    stripped = image.like(np.where(radius < 50, image.data, 0))
    mask, _ = METHODS["none"](stripped, None, 4.0)
    np.testing.assert_array_equal(mask.data > 0.5, radius < 50)


def test_dark_fluid_inside_a_stripped_brain_is_brain(ball):
    image, radius = ball
    stripped = image.like(np.where((radius < 50) & (radius > 15), image.data, 0))
    mask, _ = METHODS["none"](stripped, None, 4.0)
    np.testing.assert_array_equal(mask.data > 0.5, radius < 50)


def test_an_empty_scan_has_no_brain(ball):
    with pytest.raises(Quarantined, match="no brain found"):
        METHODS["none"](ball[0].like(np.zeros(ball[1].shape)), None, 4.0)


def test_an_absent_network_is_named_with_what_to_install(ball, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "deepbet.bet", None)
    with pytest.raises(Refused, match="pip install deepbet"):
        METHODS["deepbet"](ball[0], None, 4.0)
