"""The way back: a volume on the common grid, real or generated, in the voxels of the scan it belongs to.

A scanner's voxels are what segmentation programs and viewers are fed with, and
what a person's other images lie on. Millimetres are RAS on both sides; voxels
keep the order and the direction in which the scan's file stores them.
"""

import numpy as np
from scipy import ndimage

from brainlapse.reading import read_once
from brainlapse.volumes import BACKGROUND, FAINTEST, brain_of

CORRECTIONS = 3
MARGIN = 4  # voxels around the brain that are worked on


def to_native(
    volume: np.ndarray,
    grid_affine: np.ndarray,
    grid_to_scan: np.ndarray,
    scan_shape: tuple[int, int, int],
    scan_affine: np.ndarray,
) -> np.ndarray:
    """Return the volume in a scan's own voxels, float32 of `scan_shape`: brain in (-1, 1], background -1.

    `volume` lies in [-1, 1] on the grid of `grid_affine`; `grid_to_scan` (4, 4)
    takes the grid's millimetres to the scan's, and `scan_affine` is that of the
    scan's file as stored. The brain's outline is read linearly. Its values are
    those which preprocessing, that reads a scan linearly, would turn into
    `volume`: a cubic reading of it, corrected three times by what preprocessing
    would then still miss (Van Cittert 1931, doi 10.1007/BF01391351).
    """
    brain = brain_of(volume)
    to_grid = np.linalg.inv(grid_affine) @ np.linalg.inv(grid_to_scan) @ scan_affine
    inside = read_once(brain.astype(np.float32), to_grid, tuple(scan_shape)) > 0.5
    native = np.full(scan_shape, BACKGROUND, dtype=np.float32)
    if inside.any():
        box, box_to_grid = _box_around(inside, to_grid)
        native[box] = _brain_in_scan(volume, brain, inside[box], box_to_grid)
    return native


def _brain_in_scan(
    volume: np.ndarray, brain: np.ndarray, inside: np.ndarray, to_grid: np.ndarray
) -> np.ndarray:
    """The brain's values at the scan's voxels that are `inside`, background elsewhere."""
    to_scan = np.linalg.inv(to_grid)
    places = to_grid[:3, :3] @ np.argwhere(inside).T + to_grid[:3, 3:]
    # The background must not bleed into the brain: before each reading the brain's edge is carried outwards.
    over_grid, over_scan = _nearest(brain), _nearest(inside)
    found = np.full(inside.shape, BACKGROUND, dtype=np.float32)
    values = ndimage.map_coordinates(volume[over_grid], places, order=3, mode="nearest")
    found[inside] = np.clip(values, FAINTEST, 1)
    for _ in range(CORRECTIONS):
        missed = volume - read_once(found[over_scan], to_scan, volume.shape, mode="nearest")
        values = found[inside] + ndimage.map_coordinates(missed[over_grid], places, order=1, mode="nearest")
        found[inside] = np.clip(values, FAINTEST, 1)
    return found


def _nearest(mask: np.ndarray) -> tuple[np.ndarray, ...]:
    """For every voxel the place of the nearest one in the mask."""
    return tuple(ndimage.distance_transform_edt(~mask, return_distances=False, return_indices=True))


def _box_around(mask: np.ndarray, to_grid: np.ndarray) -> tuple[tuple[slice, ...], np.ndarray]:
    """The mask's bounding box with a margin, and the matrix from its voxels to the grid's."""
    places = np.argwhere(mask)
    first = np.maximum(places.min(axis=0) - MARGIN, 0)
    last = places.max(axis=0) + MARGIN + 1
    shifted = to_grid.copy()
    shifted[:3, 3] += to_grid[:3, :3] @ first
    return tuple(slice(low, high) for low, high in zip(first, last, strict=True)), shifted
