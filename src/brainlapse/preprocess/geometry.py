"""An image and where it lies: reading points through an affine, coarser copies, one interpolation.

Every affine here is (4, 4) in millimetres, RAS. A transform is always a pull:
it takes a point of the fixed space to the point of the moving space at which
the value is read, as ITK and `antsApplyTransforms` have it. So the transform
grid → baseline → follow-up is the matrix product `to_followup @ to_baseline`.
"""

from dataclasses import dataclass

import numpy as np

from brainlapse.reading import read_once

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Image:
    """A float32 array (X, Y, Z) and its (4, 4) voxel-to-millimetre affine, RAS."""

    data: np.ndarray
    affine: np.ndarray

    @property
    def voxel_mm(self) -> np.ndarray:
        """(3,) voxel size along each axis."""
        return np.linalg.norm(self.affine[:3, :3], axis=0)

    def millimetres(self, voxels: np.ndarray) -> np.ndarray:
        """(n, 3) millimetres of (n, 3) voxel positions."""
        return voxels @ self.affine[:3, :3].T + self.affine[:3, 3]

    def like(self, data: np.ndarray) -> "Image":
        """The same place with other values."""
        return Image(np.asarray(data, dtype=np.float32), self.affine)


def coarser(image: Image, spacing_mm: float) -> Image:
    """The image on an isotropic grid of its own orientation and field of view, blurred to suit."""
    voxels = np.maximum(1, np.ceil(image.data.shape * image.voxel_mm / spacing_mm)).astype(int)
    affine = image.affine.copy()
    affine[:3, :3] *= spacing_mm / image.voxel_mm
    middle = image.millimetres((np.array(image.data.shape)[None] - 1) / 2)[0]
    affine[:3, 3] = middle - affine[:3, :3] @ ((voxels - 1) / 2)
    return resampled(image, tuple(voxels), affine)


def resampled(
    image: Image,
    shape: tuple[int, int, int],
    affine: np.ndarray,
    transform: np.ndarray | None = None,
    outside: str = "constant",
) -> Image:
    """The image on another grid, as `read_once` reads it.

    `transform` takes the new grid's millimetres to the image's. Outside the
    image's field of view lies 0, or its edge for `outside="nearest"`.
    """
    pull = np.eye(4) if transform is None else transform
    to_image = np.linalg.inv(image.affine) @ pull @ affine
    return Image(read_once(image.data, to_image, shape, outside), affine)


def cropped(image: Image, mask: np.ndarray, margin: int) -> tuple[Image, np.ndarray]:
    """The image and the mask within the mask's bounding box and `margin` voxels around it."""
    places = np.argwhere(mask)
    first = np.maximum(places.min(axis=0) - margin, 0)
    last = places.max(axis=0) + margin + 1
    box = tuple(slice(low, high) for low, high in zip(first, last, strict=True))
    affine = image.affine.copy()
    affine[:3, 3] = image.millimetres(first[None])[0]
    return Image(np.ascontiguousarray(image.data[box]), affine), mask[box]


def covered(image: Image, shape: tuple[int, int, int], affine: np.ndarray, pull: np.ndarray) -> np.ndarray:
    """Boolean (X, Y, Z): which voxels of another grid lie inside the image's field of view."""
    step = np.linalg.inv(image.affine) @ pull @ affine
    where = np.indices(shape, dtype=np.float32).reshape(3, -1)
    where = step[:3, :3].astype(np.float32) @ where + step[:3, 3:].astype(np.float32)
    last = np.array(image.data.shape)[:, None] - 0.5
    return ((where >= -0.5) & (where <= last)).all(axis=0).reshape(shape)


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Pearson's r of two arrays; 0 where one of them is constant."""
    first, second = first - first.mean(dtype=float), second - second.mean(dtype=float)
    norm = np.sqrt(np.sum(first**2) * np.sum(second**2))
    return float(np.sum(first * second) / norm) if norm > 0 else 0.0


def itk_text(transform: np.ndarray) -> str:
    """The transform as ITK's text file (LPS), for antsApplyTransforms and its kin."""
    lps = RAS_TO_LPS @ transform @ RAS_TO_LPS
    numbers = " ".join(f"{value:.12g}" for value in [*lps[:3, :3].ravel(), *lps[:3, 3]])
    return (
        "#Insight Transform File V1.0\n#Transform 0\n"
        "Transform: AffineTransform_double_3_3\n"
        f"Parameters: {numbers}\nFixedParameters: 0 0 0\n"
    )
