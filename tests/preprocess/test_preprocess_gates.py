"""Each limit of a preprocessed scan has a figure that breaks it, its reason, and one that just keeps it."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from brainlapse.preprocess.gates import (
    broken_limits,
    check_figures,
    cut_cm2,
    edge_percent,
    likeness,
    missing_percent,
    turn_degrees,
)
from brainlapse.preprocess.geometry import Image
from brainlapse.preprocess.quarantine import Quarantined
from brainlapse.preprocess.subject import Ground
from toy_heads import SETTINGS

LIMITS = SETTINGS["limits"] | {
    "brain_ml": [900, 2000],
    "template_correlation": 0.7,
    "baseline_correlation": 0.8,
    "edge_percent": 0.1,
    "cut_cm2": 20,
    "missing_percent": 5,
    "turn_degrees": 45,
}
GOOD = {
    "brain_volume_ml": 1400.0,
    "template_correlation": 0.85,
    "baseline_correlation": 0.95,
    "edge_percent": 0.0,
    "cut_cm2": 0.0,
    "missing_percent": 0.0,
    "turn_degrees": 9.0,
    "gain": 1.0,
}
NAN = float("nan")
# The figure, a value that breaks its limit, what is told, and the value that just keeps the limit.
BROKEN = [
    ("brain_volume_ml", 899.0, "brain volume: 899 mL, allowed 900 to 2000", 900.0),
    ("brain_volume_ml", 2001.0, "brain volume: 2001 mL, allowed 900 to 2000", 2000.0),
    ("template_correlation", 0.571, "template correlation: 0.571, at least 0.7 needed", 0.7),
    ("baseline_correlation", 0.7, "baseline correlation: 0.700, at least 0.8 needed", 0.8),
    ("edge_percent", 0.25, "brain reaches the grid's edge: 0.25 % of its voxels, allowed 0.1", 0.1),
    ("cut_cm2", 82.9, "brain reaches the scan's edge: cut over 82.9 cm², allowed 20", 20.0),
    ("missing_percent", 7.25, "field of view: 7.2 % of the brain is outside, allowed 5", 5.0),
    ("turn_degrees", 91.0, "head is turned: by 91° from where its header says, allowed 45", 45.0),
    ("brain_volume_ml", NAN, "brain volume: nan mL", 1400.0),
    ("template_correlation", NAN, "template correlation: nan", 0.85),
    ("missing_percent", NAN, "field of view: nan %", 0.0),
]


@pytest.mark.parametrize(("name", "value", "told", "kept"), BROKEN)
def test_a_broken_limit_is_told_with_figure_and_limit(name, value, told, kept):
    with pytest.raises(Quarantined) as problem:
        check_figures(GOOD | {name: value}, LIMITS)
    assert str(problem.value).startswith(told)
    assert problem.value.figures.keys() == GOOD.keys()  # so that quality.tsv shows all of them
    assert not list(broken_limits(GOOD | {name: kept}, LIMITS))


def test_every_limit_of_a_figure_is_in_the_drawer():
    """A gate without its broken figure here would be a gate nobody has seen closed."""
    figures = {name for name, *_ in BROKEN}
    limits = {"brain_ml" if name == "brain_volume_ml" else name for name in figures}
    everything = GOOD | dict.fromkeys(figures, NAN)
    assert len(list(broken_limits(everything, LIMITS))) == len(figures)
    assert limits < set(SETTINGS["limits"])


def test_a_figure_that_was_not_measured_breaks_nothing():
    """The volume is known, and checked, before the rest is worth computing."""
    check_figures({"brain_volume_ml": 1400.0}, LIMITS)


@pytest.fixture(scope="module")
def template_t1() -> np.ndarray:
    """The template on the toy grid."""
    return Ground.of(SETTINGS).template_t1


def seen_as(template_t1: np.ndarray, flip: tuple[int, ...] = (), gain: float = 1.0) -> float:
    """The likeness of the template, mirrored and brightened, to itself."""
    volume = np.flip(template_t1, flip)
    return likeness(gain * volume - 1, volume > 0.1, template_t1, SETTINGS["grid"]["spacing_mm"])


def test_likeness_is_1_for_the_template_whatever_its_brightness(template_t1):
    assert seen_as(template_t1) == pytest.approx(1, abs=1e-3)
    assert seen_as(template_t1, gain=3.0) == pytest.approx(1, abs=1e-3)


def test_likeness_sees_front_and_top_and_not_left_and_right(template_t1):
    """A brain is nearly its own mirror image: only the header can say which side is left."""
    assert seen_as(template_t1, flip=(0,)) > 0.95
    assert seen_as(template_t1, flip=(1,)) < 0.8
    assert seen_as(template_t1, flip=(2,)) < 0.7


def test_likeness_falls_with_the_distance(template_t1):
    found = []
    for shift in range(4):
        moved = ndimage.shift(template_t1, (0, 0, shift), order=1)
        found.append(likeness(moved, moved > 0.1, template_t1, SETTINGS["grid"]["spacing_mm"]))
    assert all(np.diff(found) < 0)


def test_likeness_is_low_for_another_contrast(template_t1):
    dark = np.where(template_t1 > 0.1, 1.1 - template_t1, -1)
    assert likeness(dark, template_t1 > 0.1, template_t1, SETTINGS["grid"]["spacing_mm"]) < 0.5


def box(first: int, last: int) -> np.ndarray:
    """A cube of brain in a grid of 20³ voxels."""
    mask = np.zeros((20, 20, 20), bool)
    mask[(slice(first, last),) * 3] = True
    return mask


def test_edge_percent_counts_the_outermost_layer():
    assert edge_percent(box(1, 19)) == 0
    assert edge_percent(box(0, 10)) == pytest.approx(100 * (1 - 9**3 / 10**3))
    assert edge_percent(np.zeros((5, 5, 5), bool)) == 100  # no brain at all is no good brain


def cut_at_the_top(spacing_mm: float) -> np.ndarray:
    """A block of brain, 30 mm × 30 mm wide, that reaches the last slice."""
    size, rim = round(50 / spacing_mm), round(10 / spacing_mm)
    mask = np.zeros((size,) * 3, np.float32)
    mask[rim:-rim, rim:-rim, size // 2 :] = 1
    return mask


def air(mask: np.ndarray) -> np.ndarray:
    """Noise: no plane of it is empty."""
    return np.random.default_rng(0).uniform(1, 2, mask.shape).astype(np.float32)


@pytest.mark.parametrize("spacing_mm", [1.0, 2.5])
def test_the_cut_is_an_area_whatever_the_voxels(spacing_mm):
    mask, affine = cut_at_the_top(spacing_mm), np.diag([spacing_mm] * 3 + [1.0])
    head = air(mask)
    assert cut_cm2(Image(mask, affine), Image(head, affine)) == pytest.approx(9)
    thick = affine @ np.diag([1, 1, 3, 1.0])
    assert cut_cm2(Image(mask, thick), Image(head, thick)) == pytest.approx(9)
    whole = np.pad(mask, 1)
    assert cut_cm2(Image(whole, affine), Image(air(whole), affine)) == 0


def test_an_empty_rim_is_no_field_of_view():
    """A half-written file, filled up with zeros, cuts the brain as a small field of view does."""
    mask, affine = cut_at_the_top(1.0), np.eye(4)
    rim = ((0, 0), (0, 0), (0, 7))
    assert cut_cm2(Image(np.pad(mask, rim), affine), Image(np.pad(air(mask), rim), affine)) == pytest.approx(
        9
    )


def test_missing_percent_is_the_part_that_was_not_seen():
    seen = np.ones((20, 20, 20), bool)
    assert missing_percent(box(5, 15), seen) == 0
    seen[..., 12:] = False
    assert missing_percent(box(5, 15), seen) == pytest.approx(30)


@pytest.mark.parametrize("angle", [0.0, 10.0, 90.0, 170.0])
@pytest.mark.parametrize("axis", [(1, 0, 0), (0, 1, 0), (0.6, 0, 0.8)])
def test_the_turn_is_read_through_scaling_and_shear(angle, axis):
    transform = np.eye(4)
    transform[:3, :3] = Rotation.from_rotvec(np.deg2rad(angle) * np.array(axis)).as_matrix()
    assert turn_degrees(transform) == pytest.approx(angle, abs=1e-4)
    squeezed = transform @ np.diag([0.8, 1.1, 0.9, 1.0])
    squeezed[0, 1] += 0.02
    assert turn_degrees(squeezed) == pytest.approx(angle, abs=2)


def test_a_mirror_is_the_worst_turn():
    assert turn_degrees(np.diag([-1.0, 1, 1, 1])) == 180
