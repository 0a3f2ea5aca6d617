"""The brain's hull, a smooth outline without sulci: the inside of the skull follows it."""

import numpy as np
from scipy import ndimage

_CLOSING_MM = 14.0
_SMOOTHING_MM = 2.5


def hull_distance_mm(brain: np.ndarray, spacing_mm: float) -> np.ndarray:
    """Signed distance (X, Y, Z) in mm to the hull of a brain map in [0, 1], negative inside."""
    grown = _signed_distance(brain > 0.5, spacing_mm) < _CLOSING_MM
    distance = _signed_distance(grown, spacing_mm) + _CLOSING_MM
    return ndimage.gaussian_filter(distance, _SMOOTHING_MM / spacing_mm)


def _signed_distance(inside: np.ndarray, spacing_mm: float) -> np.ndarray:
    """To the boundary between voxels, not to a voxel's centre; hence half a voxel."""
    distance = ndimage.distance_transform_edt(~inside) - ndimage.distance_transform_edt(inside)
    return ((distance - np.sign(distance) / 2) * spacing_mm).astype(np.float32)
