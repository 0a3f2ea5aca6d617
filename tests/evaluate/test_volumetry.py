"""Regional volumes follow a known change, in direction and in size."""

import numpy as np
import pytest
from scipy import ndimage
from skimage.measure import block_reduce

from brainlapse import atlas
from brainlapse.evaluate.volumetry import Ruler
from brainlapse.volumes import Grid

GRID = Grid((40, 48, 40), 4.5)
FINE = Grid((80, 96, 80), 2.25)  # two of its voxels make one of the grid, along each axis
INTENSITY = {"csf": 0.15, "grey": 0.55, "white": 0.8}


@pytest.fixture(scope="module")
def template():
    return atlas.maps(FINE.shape, FINE.affine)


@pytest.fixture(scope="module")
def ruler():
    return Ruler(GRID.shape, GRID.affine)


def aged(template, growth, noise=0.0):
    """The template brain on [0, 1] with ventricles grown by warping, their true volume in ml, the mask."""
    slope = np.stack(np.gradient(ndimage.gaussian_filter(template["ventricles"], 2.0)))
    where = np.indices(FINE.shape) + growth * slope
    warped = {n: ndimage.map_coordinates(template[n], where, order=1) for n in (*INTENSITY, "ventricles")}
    brain = coarse(template["brain"]) > 0.5
    volume = coarse(sum(warped[name] * value for name, value in INTENSITY.items()))
    volume += np.random.default_rng(0).normal(0, noise, GRID.shape)
    return np.where(brain, volume, 0), warped["ventricles"].sum() * FINE.spacing_mm**3 / 1000, brain


def coarse(volume):
    """Mean over blocks of 2 × 2 × 2 voxels: from FINE to GRID."""
    return block_reduce(volume, (2, 2, 2), np.mean)


def measured(ruler, volume, source, brain):
    return ruler.at(source, brain).volumes_ml(volume)


def test_ventricles_are_measured_and_their_growth_too(template, ruler):
    source, true_before, brain = aged(template, 0.0)
    for growth in (2.0, 6.0, -2.0):
        later, true_after, _ = aged(template, growth)
        before, after = (measured(ruler, v, source, brain)["ventricles"] for v in (source, later))
        assert before == pytest.approx(true_before, rel=0.25)
        assert after - before == pytest.approx(true_after - true_before, rel=0.25)


def test_growing_ventricles_take_tissue_from_the_brain(template, ruler):
    source, _, brain = aged(template, 0.0)
    later, _, _ = aged(template, 6.0)
    before, after = (measured(ruler, volume, source, brain) for volume in (source, later))
    assert after["ventricles"] > before["ventricles"]
    assert after["brain"] < before["brain"]


def test_lost_grey_matter_shrinks_the_hippocampi(template, ruler):
    source, _, brain = aged(template, 0.0)
    lost = np.where(coarse(template["hippocampi"]) > 0.3, INTENSITY["csf"], source)
    before, after = (measured(ruler, volume, source, brain) for volume in (source, lost))
    assert after["hippocampi"] < 0.9 * before["hippocampi"]


def test_tissue_means_are_found_in_noise(template, ruler):
    source, _, brain = aged(template, 0.0, noise=0.02)
    tissues = ruler.at(source, brain).tissues
    assert tissues.csf == pytest.approx(INTENSITY["csf"], abs=0.1)
    assert tissues.grey == pytest.approx(INTENSITY["grey"], abs=0.05)
    assert tissues.white == pytest.approx(INTENSITY["white"], abs=0.08)


def test_a_source_without_tissues_gives_no_volumes(ruler):
    brain = np.ones(GRID.shape, bool)
    flat = np.full(GRID.shape, 0.5)
    personal = ruler.at(flat, brain)
    assert personal.tissues is None
    assert all(np.isnan(value) for value in personal.volumes_ml(flat).values())
