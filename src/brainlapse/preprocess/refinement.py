"""The last half millimetre between two scans of one person.

The coil's shading differs from visit to visit, and registration takes part of
it for motion: 0.3 to 0.9 mm at 10 % of shading, with any of ANTs' metrics. Two
scans of one person differ by little else, so here six rigid parameters, a
smooth shading and a drift of the edges, which is what shrinking tissue looks
like, are fitted together, by iterated least squares on the linearised
difference. Change that is left is local and pulls little at robust weights.
"""

import numpy as np
from scipy.spatial.transform import Rotation

from brainlapse.preprocess.geometry import Image, coarser, resampled

FINEST_MM, COARSEST_MM = 2.0, 3.0
OF_SPACING = 0.8  # voxel size here, relative to that of the registrations
STEPS, REWEIGHTINGS = 6, 3
REACH_MM = 80.0  # scale of the shading's polynomial
LINEAR_TERMS = 4  # of it, constant and linear, hold for the drift of the edges


def refined(
    followup: Image, baseline: Image, mask: Image, start: np.ndarray, spacing_mm: float
) -> np.ndarray:
    """Baseline → follow-up (4, 4), rigid, from a start that is right to about 2 mm.

    `mask` is the baseline's brain. Only voxels well inside it are compared.
    """
    size_mm = float(np.clip(OF_SPACING * spacing_mm, FINEST_MM, COARSEST_MM))
    fixed, moving = coarser(baseline, size_mm), coarser(followup, size_mm)
    inside = resampled(mask, fixed.data.shape, fixed.affine).data > 0.9
    if not inside.any():
        return start
    points = fixed.millimetres(np.argwhere(inside))
    centre = points.mean(axis=0)
    shading = _shading_terms((points - centre) / REACH_MM)
    wanted = fixed.data[inside].astype(float)
    found = start
    for _ in range(STEPS):
        read = resampled(moving, fixed.data.shape, fixed.affine, found).data
        # Another scanner gain would make every step too long or too short.
        read = read * (wanted @ read[inside] / np.sum(read[inside] ** 2, dtype=float))
        slope = np.stack(np.gradient(read), axis=-1)[inside] @ np.linalg.inv(fixed.affine[:3, :3])
        values = read[inside].astype(float)
        edges = np.linalg.norm(slope, axis=1)[:, None] * shading[:, :LINEAR_TERMS]
        effects = np.hstack([slope, np.cross(points - centre, slope), shading * values[:, None], edges])
        shift_turn = robust_least_squares(effects, wanted - values)[:6]
        found = found @ _motion(shift_turn, centre)
    return found


def _shading_terms(place: np.ndarray) -> np.ndarray:
    """(n, 10) polynomials of second order of (n, 3) positions."""
    x, y, z = place.T
    return np.stack([np.ones(len(place)), x, y, z, x * x, y * y, z * z, x * y, x * z, y * z], axis=1)


def robust_least_squares(effects: np.ndarray, difference: np.ndarray) -> np.ndarray:
    """Return the (m,) solution of (n, m) `effects` for `difference`, with Cauchy's weights.

    A row that misfits by far counts for little.
    """
    weight = np.ones(len(difference))
    for _ in range(REWEIGHTINGS):
        weighted = effects * weight[:, None]
        # Normal equations: many rows, few unknowns.
        solution = np.linalg.lstsq(weighted.T @ weighted, weighted.T @ (difference * weight), rcond=None)[0]
        misfit = np.abs(difference - effects @ solution)
        scale = 2 * 1.4826 * np.median(misfit) + 1e-12
        weight = 1 / np.sqrt(1 + (misfit / scale) ** 2)
    return solution


def _motion(shift_turn: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """The (4, 4) rigid motion: turned about the centre by a rotation vector, then shifted, mm."""
    motion = np.eye(4)
    motion[:3, :3] = Rotation.from_rotvec(shift_turn[3:]).as_matrix()
    motion[:3, 3] = centre - motion[:3, :3] @ centre + shift_turn[:3]
    return motion
