"""A whole head in MNI152 space: what fills each voxel, and the T1 image of it.

Tissues inside the skull are the average brain's; everything else is painted
(`surround`). The image is linear in the tissues' brightness, so one head
serves every scanner.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from brainlapse import atlas
from brainlapse.phantom.fields import Lattice
from brainlapse.phantom.hull import hull_distance_mm
from brainlapse.phantom.surround import CSF_LAYER_MM, FAT, surround

FIELD_OF_VIEW_MM = ((-104, -140, -160), (104, 122, 108))
_TEMPLATE_SHARE = 0.45
_SHARPENING = 1.6


@dataclass(frozen=True)
class Contrast:
    """How bright a scanner shows the tissues; white matter is about 1."""

    csf: float = 0.22
    grey: float = 0.70
    white: float = 1.0
    fat: float = 1.0


class Head:
    """The average head on a lattice somewhat finer than the images made of it."""

    def __init__(self, voxel_mm: float):
        self.lattice = Lattice.around(*FIELD_OF_VIEW_MM, max(1.0, voxel_mm / 1.5))
        found = atlas.maps(self.lattice.shape, self.lattice.affine)
        hull_mm = hull_distance_mm(found["brain"], self.lattice.spacing_mm)
        grey, white, csf = _sharpened(found["grey"], found["white"], found["csf"])
        around = surround(self.lattice, hull_mm)
        inside = _soft_step(CSF_LAYER_MM - hull_mm, self.lattice.spacing_mm)
        brain = np.clip(grey + white + csf, 0, 1)
        # The average T1 keeps a texture that tissue maps lack.
        texture = _TEMPLATE_SHARE * brain
        template = found["t1"] * found["brain"]
        template /= np.median(template[found["white"] > 0.9])
        by_tissue = inside * (1 - texture)
        self._part_of = {
            "csf": by_tissue * (csf + 1 - brain),
            "grey": by_tissue * grey,
            "white": by_tissue * white + inside * texture * template,
            "fat": (1 - inside) * around.fat,
        }
        self._rest = (1 - inside) * (around.brightness - FAT * around.fat)

    def image(self, contrast: Contrast) -> np.ndarray:
        """The T1 image (X, Y, Z) float32, without noise or shading: white matter about 1, air 0."""
        image = self._rest.copy()
        for tissue, part in self._part_of.items():
            image += np.float32(getattr(contrast, tissue)) * part
        return image


def _sharpened(*tissues: np.ndarray) -> list[np.ndarray]:
    """Give each voxel more of its main tissue: an average of many brains is blurred, one brain is not."""
    total = sum(tissues)
    powers = [tissue**_SHARPENING for tissue in tissues]
    scale = total / np.maximum(sum(powers), 1e-6)
    return [power * scale for power in powers]


def _soft_step(distance_mm: np.ndarray, spacing_mm: float) -> np.ndarray:
    """0 to 1 over about a voxel around distance zero."""
    return ndimage.gaussian_filter(
        np.clip(0.5 + distance_mm / spacing_mm, 0, 1).astype(np.float32), 0.4, truncate=2
    )
