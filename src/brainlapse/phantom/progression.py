"""Ageing and atrophy as a deformation: ventricles grow, hippocampi and cortex shrink, the skull stays.

The deformation lives in MNI152 millimetres. Three fields, each with a
divergence in one structure alone, are mixed so that the three volumes change
by what was asked for: a matrix of their responses gives the first mixture,
and Broyden's method on the measured volumes corrects it. The mixture fades to
zero at the inner skull, so that cerebrospinal fluid fills what tissue leaves.

`Progression.progress` applies it to any head whose affine to MNI152 is known.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from brainlapse import atlas
from brainlapse.phantom.fields import Lattice, divergence, divergence_field, exponential
from brainlapse.phantom.hull import hull_distance_mm

STRUCTURES = ("ventricles", "hippocampi", "cortex")

_FIELD_OF_VIEW_MM = ((-84, -119, -84), (84, 85, 94))
_SMOOTHING_MM = 3.0
_MEASURING_SPACING_MM = 2.0
_CORRECTIONS = 2
_FADE_INSIDE_MM, _FADE_OUTSIDE_MM = 5.0, 3.0  # from the brain's hull; the skull begins outside


@dataclass(frozen=True)
class Volumes:
    """Volumes in millilitres in the space of the head: ventricles, both hippocampi, grey and white matter."""

    ventricles_ml: float
    hippocampi_ml: float
    brain_ml: float


class Progression:
    """Fields, maps and calibration on a lattice around the MNI152 brain.

    `spacing_mm` is that of the fields, not of the images: 3 to 4 mm is fine
    enough for what is smooth over some millimetres.
    """

    def __init__(self, spacing_mm: float = 3.0):
        self.lattice = Lattice.around(*_FIELD_OF_VIEW_MM, spacing_mm)
        found = atlas.maps(self.lattice.shape, self.lattice.affine)
        self._structures = np.stack([found[name] for name in STRUCTURES])
        fade = _fade(hull_distance_mm(found["brain"], spacing_mm))
        self._units = np.stack([fade * _unit_field(map_, spacing_mm) for map_ in self._structures])
        self._response = self._responses()
        self._fine = Lattice.around(*_FIELD_OF_VIEW_MM, _MEASURING_SPACING_MM)
        fine = atlas.maps(self._fine.shape, self._fine.affine)
        self._measured = (fine["ventricles"], fine["hippocampi"], np.minimum(fine["grey"] + fine["white"], 1))

    def displacement(self, log_volumes: np.ndarray) -> np.ndarray:
        """Pull field (3, X, Y, Z) in mm on the lattice that changes STRUCTURES by these log volumes."""
        wanted = np.asarray(log_volumes, dtype=float)
        if not wanted.any():
            return np.zeros((3, *self.lattice.shape), np.float32)
        response, mixture, reached = self._response, np.zeros(len(STRUCTURES)), np.zeros(len(STRUCTURES))
        for _ in range(_CORRECTIONS):
            step = np.linalg.solve(response, wanted - reached)
            mixture, before = mixture + step, reached
            reached = self.log_volumes_of(self._flow(mixture))
            response = response + np.outer(reached - before - response @ step, step) / (step @ step)
        return self._flow(mixture + np.linalg.solve(response, wanted - reached))

    def log_volumes_of(self, displacement: np.ndarray) -> np.ndarray:
        """The log volume change of each of STRUCTURES under a pull field, (3,)."""
        warped = self.lattice.points() + displacement
        after = np.array([self.lattice.sample(map_, warped).sum() for map_ in self._structures])
        return np.log(after / self._structures.sum(axis=(1, 2, 3)))

    def volumes(self, points_mm: np.ndarray, voxel_ml: float) -> Volumes:
        """Volumes that voxels see whose places in MNI152, after all warps, are `points_mm` (3, ...)."""
        return Volumes(
            *(float(self._fine.sample(map_, points_mm).sum() * voxel_ml) for map_ in self._measured)
        )

    def progress(
        self, image: np.ndarray, affine: np.ndarray, head_to_mni: np.ndarray, log_volumes: np.ndarray
    ) -> tuple[np.ndarray, Volumes, Volumes]:
        """Let a head age: return the warped image (X, Y, Z) float32 and its volumes before and after.

        `affine` (4, 4) takes voxels to the head's millimetres and `head_to_mni`
        (4, 4) those to MNI152, both RAS; `log_volumes` (3,) are the wanted
        changes of STRUCTURES. The volumes are those of the average brain's
        maps as they lie in this head, not of a segmentation of it. Voxels that
        nothing moves keep their value exactly.
        """
        to_mni = head_to_mni @ affine
        voxels = np.indices(image.shape, dtype=np.float32)
        points = _apply(to_mni, voxels)
        moved = points + self.lattice.sample_field(self.displacement(log_volumes), points)
        source = voxels + np.tensordot(np.linalg.inv(to_mni)[:3, :3], moved - points, axes=1)
        warped = ndimage.map_coordinates(image.astype(np.float32), source, order=3, mode="nearest")
        still = np.all(moved == points, axis=0)
        voxel_ml = abs(np.linalg.det(affine[:3, :3])) / 1000
        warped = np.where(still, image, warped).astype(np.float32)
        return warped, self.volumes(points, voxel_ml), self.volumes(moved, voxel_ml)

    def _flow(self, mixture: np.ndarray) -> np.ndarray:
        velocity = -np.tensordot(mixture, self._units, axes=1).astype(np.float32)
        return exponential(velocity, self.lattice)

    def _responses(self) -> np.ndarray:
        """R[i, j]: relative growth of structure i for a unit of field j, to first order."""
        growth = np.stack([divergence(unit, self.lattice.spacing_mm) for unit in self._units])
        totals = self._structures.sum(axis=(1, 2, 3))
        return np.einsum("jxyz,ixyz->ij", growth, self._structures) / totals[:, None]


def _fade(distance_mm: np.ndarray) -> np.ndarray:
    """1 inside the brain, 0 from the inner skull outwards, a smooth step between."""
    t = np.clip((_FADE_OUTSIDE_MM - distance_mm) / (_FADE_OUTSIDE_MM + _FADE_INSIDE_MM), 0, 1)
    return t * t * (3 - 2 * t)


def _unit_field(map_: np.ndarray, spacing_mm: float) -> np.ndarray:
    source = map_ / map_.max()
    if spacing_mm < _SMOOTHING_MM:
        source = ndimage.gaussian_filter(source, _SMOOTHING_MM / spacing_mm)
    return divergence_field(source, spacing_mm)


def _apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """A (4, 4) matrix on points (3, ...)."""
    moved = np.tensordot(matrix[:3, :3], points, axes=1) + matrix[:3, 3].reshape(3, *[1] * (points.ndim - 1))
    return moved.astype(np.float32)
