"""How a volume is read onto another grid, once: preprocessing's way there, which the way back undoes."""

import numpy as np
from scipy import ndimage


def read_once(
    data: np.ndarray, to_data: np.ndarray, shape: tuple[int, int, int], mode: str = "constant"
) -> np.ndarray:
    """Return float32 `shape`, read linearly from `data`; `to_data` (4, 4) takes new voxels to its voxels.

    Where the new voxels are larger than the old ones a Gaussian first removes
    what the new grid cannot hold. Outside `data` lies 0, or its edge for `mode="nearest"`.
    """
    to_data = np.round(to_data, 9)  # a point 1e-15 outside the outermost slice would be read as 0
    ratio = np.abs(to_data[:3, :3]).max(axis=1)
    sigma = 0.4 * np.sqrt(np.maximum(ratio**2 - 1, 0))
    data = ndimage.gaussian_filter(data, sigma) if sigma.max() > 0.2 else data
    read = ndimage.affine_transform(data, to_data[:3, :3], to_data[:3, 3], shape, order=1, mode=mode)
    return read.astype(np.float32)
