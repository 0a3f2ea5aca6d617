"""Another scan of the same person on the same day: what differs although nothing changed.

The noise floor of every score. It differs from the source by the noise of two
scans, by what is left of their misalignment, and by a little shading.
"""

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from brainlapse.volumes import BACKGROUND, FAINTEST, brain_of

# What our preprocessing leaves between two scans of one head: 0.02 mm unchanged, 0.05 mm after three years
# of atrophy (benchmarks/longitudinal.md). The larger, on each axis, and as much again at the brain's rim.
SHIFT_MM, TURN_DEGREES = 0.05, 0.05
SHADING, SHADING_MM = 0.01, 40.0  # standard deviation of what N4 leaves, as a part; how smooth it is
_FLAT_PERCENTILE = 5  # of the gradient: below it a voxel is well inside a tissue


def rescanned(volume: np.ndarray, spacing_mm: float, rng: np.random.Generator) -> np.ndarray:
    """A volume (X, Y, Z) in [-1, 1], background -1, scanned again; the brain is that of the first scan.

    The noise of the first scan stays in it, so √2 of its standard deviation is
    added: the difference of the two then has the variance of two scans' noise.
    """
    brain = brain_of(volume)
    noise = np.sqrt(2) * noise_sd(volume) * rng.standard_normal(volume.shape)
    shading = 1 + SHADING * _smooth(rng.standard_normal(volume.shape), SHADING_MM / spacing_mm)
    again = (_moved(volume, spacing_mm, rng) + 1) * shading - 1 + noise
    return np.where(brain, np.clip(again, FAINTEST, 1), BACKGROUND).astype(np.float32)


def noise_sd(volume: np.ndarray) -> float:
    """Standard deviation of the noise of a volume (X, Y, Z), from the flattest parts of its brain; else 0.

    A voxel against the mean of its six neighbours, times √(6/7), has the noise's variance where
    the signal is linear (Gasser et al. 1986); of these the median absolute deviation. At 1.4 mm it
    is right to some percent; at 4.5 mm no part of a brain is flat, and a noise of 0.05 is called 0.07.
    """
    brain = ndimage.binary_erosion(brain_of(volume))
    if not brain.any():
        return 0.0
    steep = ndimage.gaussian_gradient_magnitude(volume, 1.0)
    flat = brain & (steep <= np.percentile(steep[brain], _FLAT_PERCENTILE))
    neighbours = ndimage.generate_binary_structure(3, 1).astype(float)
    neighbours[1, 1, 1] = 0
    off = np.sqrt(6 / 7) * (volume - ndimage.convolve(volume, neighbours / 6))[flat]
    return float(1.4826 * np.median(np.abs(off - np.median(off))))


def _moved(volume: np.ndarray, spacing_mm: float, rng: np.random.Generator) -> np.ndarray:
    """Turned about the middle and shifted by a small part of a voxel."""
    turn = Rotation.from_rotvec(rng.normal(0, TURN_DEGREES, 3), degrees=True).as_matrix()
    middle = (np.array(volume.shape) - 1) / 2
    shift = rng.normal(0, SHIFT_MM / spacing_mm, 3)
    return ndimage.affine_transform(volume, turn, middle - turn @ middle + shift, order=3, mode="nearest")


def _smooth(noise: np.ndarray, sigma_voxels: float) -> np.ndarray:
    """Smoothed and brought to unit variance."""
    smooth = ndimage.gaussian_filter(noise, sigma_voxels)
    return smooth / smooth.std()
