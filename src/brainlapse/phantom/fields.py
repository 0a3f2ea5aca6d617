"""Displacement fields: with a wanted divergence, random and smooth, exponentiated, sampled.

A field is a float32 array (3, X, Y, Z) of millimetres on a regular grid. It is
a pull field: the warped map at x is the map at x + u(x), so a positive
divergence makes a structure shrink and its negative makes it grow.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

_SQUARINGS = 4


@dataclass(frozen=True)
class Lattice:
    """A regular grid along the axes of the head: shape, isotropic spacing, centre of voxel 0 in mm."""

    shape: tuple[int, int, int]
    spacing_mm: float
    origin_mm: tuple[float, float, float]

    @classmethod
    def around(cls, low_mm: tuple, high_mm: tuple, spacing_mm: float) -> "Lattice":
        """The smallest lattice of this spacing that starts at one corner and reaches the other."""
        count = np.ceil((np.subtract(high_mm, low_mm)) / spacing_mm).astype(int) + 1
        return cls(tuple(int(n) for n in count), float(spacing_mm), tuple(float(v) for v in low_mm))

    @property
    def affine(self) -> np.ndarray:
        """(4, 4) voxel-to-millimetre matrix."""
        affine = np.diag([self.spacing_mm] * 3 + [1.0])
        affine[:3, 3] = self.origin_mm
        return affine

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return self.spacing_mm**3 / 1000

    def points(self) -> np.ndarray:
        """(3, X, Y, Z) float32 coordinates in millimetres of every voxel's centre."""
        axes = [
            (origin + self.spacing_mm * np.arange(n)).astype(np.float32)
            for origin, n in zip(self.origin_mm, self.shape, strict=True)
        ]
        return np.stack(np.meshgrid(*axes, indexing="ij"))

    def contains(self, points_mm: np.ndarray) -> np.ndarray:
        """Which points (3, ...) in mm lie between the lattice's first and last voxels."""
        low = np.reshape(self.origin_mm, (3, *[1] * (points_mm.ndim - 1)))
        high = low + self.spacing_mm * (np.reshape(self.shape, low.shape) - 1)
        return np.all((points_mm >= low) & (points_mm <= high), axis=0)

    def sample(self, values: np.ndarray, points_mm: np.ndarray) -> np.ndarray:
        """Linear interpolation of an array (X, Y, Z) at points (3, ...) in mm; edges are held."""
        return _interpolated(values, self._voxels(points_mm))

    def sample_field(self, field: np.ndarray, points_mm: np.ndarray) -> np.ndarray:
        """Linear interpolation of a field (3, X, Y, Z) at points (3, ...) in mm."""
        voxels = self._voxels(points_mm)
        return np.stack([_interpolated(component, voxels) for component in field])

    def _voxels(self, points_mm: np.ndarray) -> np.ndarray:
        origin = np.reshape(np.float32(self.origin_mm), (3, *[1] * (points_mm.ndim - 1)))
        return (points_mm - origin) / np.float32(self.spacing_mm)


def _interpolated(values: np.ndarray, voxels: np.ndarray) -> np.ndarray:
    return ndimage.map_coordinates(values, voxels, order=1, mode="nearest", output=np.float32)


def divergence_field(source: np.ndarray, spacing_mm: float) -> np.ndarray:
    """The curl-free periodic field whose divergence is `source` minus its mean.

    Solves the Poisson equation ∇²φ = f by FFT, φ̂ = −f̂/|k|², and returns u = ∇φ.
    """
    frequencies = [2 * np.pi * np.fft.fftfreq(n, spacing_mm) for n in source.shape[:2]]
    frequencies.append(2 * np.pi * np.fft.rfftfreq(source.shape[2], spacing_mm))
    k = np.meshgrid(*frequencies, indexing="ij")
    squared = sum(component**2 for component in k)
    squared[0, 0, 0] = 1
    potential = -np.fft.rfftn(source) / squared
    potential[0, 0, 0] = 0
    field = [np.fft.irfftn(1j * component * potential, s=source.shape, axes=(0, 1, 2)) for component in k]
    return np.stack(field).astype(np.float32)


def divergence(field: np.ndarray, spacing_mm: float) -> np.ndarray:
    """Divergence of a field (3, X, Y, Z) by central differences, (X, Y, Z) without unit."""
    return sum(np.gradient(field[axis], spacing_mm, axis=axis) for axis in range(3))


def exponential(velocity: np.ndarray, lattice: Lattice) -> np.ndarray:
    """The displacement that flowing along a stationary velocity for unit time makes.

    Scaling and squaring (Arsigny et al., MICCAI 2006): u ← u(x) + u(x + u(x)).
    What does not move at first never will, so it is left out of the work.
    """
    moving = velocity.any(axis=0)
    points = lattice.points()[:, moving]
    displacement = velocity / np.float32(2**_SQUARINGS)
    for _ in range(_SQUARINGS):
        step = displacement[:, moving]
        displacement[:, moving] = step + lattice.sample_field(displacement, points + step)
    return displacement


def random_velocity(
    lattice: Lattice, knot_mm: float, amplitude_mm: float, rng: np.random.Generator
) -> np.ndarray:
    """A smooth random velocity: normal knots `knot_mm` apart, cubic interpolation between them."""
    return np.stack([amplitude_mm * smooth_noise(lattice, knot_mm, rng) for _ in range(3)])


def smooth_noise(lattice: Lattice, knot_mm: float, rng: np.random.Generator) -> np.ndarray:
    """A smooth random map (X, Y, Z): standard normal knots `knot_mm` apart, cubic between them."""
    extent = np.array(lattice.shape) * lattice.spacing_mm
    knots = rng.standard_normal(tuple(np.ceil(extent / knot_mm).astype(int) + 3))
    step = np.diag([lattice.spacing_mm / knot_mm] * 3)
    return ndimage.affine_transform(
        knots, step, offset=1.0, output_shape=lattice.shape, order=3, mode="nearest", output=np.float32
    )


def jacobian(displacement: np.ndarray, spacing_mm: float) -> np.ndarray:
    """Jacobian determinant (X, Y, Z) of x + u(x); at or below zero the map folds."""
    gradient = np.stack([np.stack(np.gradient(component, spacing_mm)) for component in displacement])
    gradient = np.moveaxis(gradient, (0, 1), (-2, -1))
    return np.linalg.det(gradient + np.eye(3, dtype=np.float32))
