"""Maps of the average brain in MNI152 space, on any grid: T1, tissues, ventricles, hippocampi.

T1, grey and white matter and the brain mask are those of ICBM152 2009a that
ship with nilearn, so nothing is downloaded. Ventricles and hippocampi are
drawn here, as a box and two capsules in millimetres, so that no atlas with a
restrictive licence is needed; they are regions to measure in, not a
segmentation anybody drew by hand.
"""

import numpy as np
from nilearn import datasets
from scipy import ndimage

LABELS = ("t1", "grey", "white", "csf", "brain", "ventricles", "hippocampi", "cortex")
_CAPSULE_ENDS_MM = np.array([[24.0, -12.0, -20.0], [29.0, -38.0, -3.0]])
_CAPSULE_RADIUS_MM = 6.0
_CAPSULE_EDGE_MM = 0.8


def maps(shape: tuple[int, int, int], affine: np.ndarray) -> dict[str, np.ndarray]:
    """Return a float32 array (X, Y, Z) in [0, 1] for each of LABELS.

    `affine` is the (4, 4) voxel-to-millimetre matrix of the wanted grid, MNI152
    RAS. The tissue maps are the part of each voxel that the tissue fills.
    """
    found = {
        "t1": datasets.load_mni152_template(resolution=1),
        "grey": datasets.load_mni152_gm_template(resolution=1),
        "white": datasets.load_mni152_wm_template(resolution=1),
        "brain": datasets.load_mni152_brain_mask(resolution=1),
    }
    found = {name: _resampled(image, shape, affine) for name, image in found.items()}
    found["csf"] = np.clip(found["brain"] - found["grey"] - found["white"], 0, 1)
    x, y, z = millimetres(shape, affine)
    found["ventricles"] = _ventricles(found["csf"], x, y, z)
    found["hippocampi"] = found["grey"] * _inside_capsules(x, y, z)
    found["cortex"] = np.clip(found["grey"] - found["hippocampi"], 0, 1)
    return {name: found[name].astype(np.float32) for name in LABELS}


def millimetres(shape: tuple[int, int, int], affine: np.ndarray) -> np.ndarray:
    """(3, X, Y, Z) coordinates in millimetres of every voxel's centre."""
    voxels = np.indices(shape).reshape(3, -1)
    return (affine[:3, :3] @ voxels + affine[:3, 3:]).reshape(3, *shape)


def _resampled(image, shape: tuple[int, int, int], affine: np.ndarray) -> np.ndarray:
    """Linear, after a box blur to the target voxel so that a coarse grid does not alias."""
    step = np.linalg.inv(image.affine) @ affine
    data = np.asarray(image.dataobj, dtype=np.float32)
    width = np.maximum(1, np.rint(np.abs(step[:3, :3]).sum(axis=1))).astype(int)
    data = ndimage.uniform_filter(data, size=tuple(width))
    sampled = ndimage.affine_transform(data, step[:3, :3], step[:3, 3], output_shape=shape, order=1)
    return np.clip(sampled, 0, 1)


def _ventricles(csf: np.ndarray, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    body = (np.abs(x) < 34) & (y > -50) & (y < 38) & (z > -4) & (z < 32)
    between_hemispheres = (np.abs(x) < 2) & (z > 18)
    horns = (np.abs(np.abs(x) - 32) < 9) & (y > -45) & (y < 0) & (z > -24) & (z <= -4) & (csf > 0.6)
    return csf * ((body & ~between_hemispheres) | horns)


def _inside_capsules(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """1 inside a capsule around each hippocampus' axis, falling smoothly to 0 outside."""
    point = np.stack([np.abs(x), y, z], axis=-1)
    start, end = _CAPSULE_ENDS_MM
    along = np.clip((point - start) @ (end - start) / np.sum((end - start) ** 2), 0, 1)
    distance = np.linalg.norm(point - (start + along[..., None] * (end - start)), axis=-1)
    return 1 / (1 + np.exp((distance - _CAPSULE_RADIUS_MM) / _CAPSULE_EDGE_MM))
