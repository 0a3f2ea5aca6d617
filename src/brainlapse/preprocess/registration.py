"""Registration by ANTs: rigid and affine, two images in, one matrix out; and SyN for a mask that is carried.

ITK runs in one thread (see this package's `__init__`), since its sums over
threads differ from run to run; parallel work is over subjects.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import ants
import numpy as np

from brainlapse.preprocess.geometry import RAS_TO_LPS, Image
from brainlapse.preprocess.quarantine import Quarantined

NO_MEMORY = ("allocat", "temporarily unavailable")  # how ITK tells that it got none


@dataclass(frozen=True)
class Levels:
    """Coarse to fine: iterations at each shrink factor, and the part of the voxels that is sampled."""

    iterations: tuple[int, ...]
    shrink: tuple[int, ...]
    sampled: float = 0.5

    @property
    def sigmas(self) -> tuple[int, ...]:
        """Smoothing in voxels: none at full resolution."""
        return tuple(factor // 2 for factor in self.shrink)


def register(
    kind: str,
    fixed: Image,
    moving: Image,
    start: np.ndarray,
    levels: Levels,
    where: np.ndarray | None = None,
) -> np.ndarray:
    """Return the (4, 4) matrix from the fixed to the moving image's millimetres, RAS.

    `kind` is Rigid (6 degrees of freedom) or Affine (12); Mattes mutual
    information inside `where`, a boolean array on the fixed image. The same
    input gives the same matrix. Raises Quarantined where ANTs gives up.
    """
    with _found(
        kind,
        fixed,
        moving,
        start,
        where,
        aff_iterations=levels.iterations,
        aff_shrink_factors=levels.shrink,
        aff_smoothing_sigmas=levels.sigmas,
        aff_random_sampling_rate=levels.sampled,
    ) as files:
        return _from_itk(files)


def warped(
    fixed: Image,
    moving: Image,
    carried: Image,
    start: np.ndarray,
    iterations: tuple[int, ...],
    where: np.ndarray,
) -> Image:
    """Return `carried`, an image in the moving space, on the fixed grid, after SyN from an affine start.

    Mattes mutual information inside `where`, a boolean array on the fixed
    image; `iterations` at shrink factors 1, 2, 4 … from the last one backwards.
    The same input gives the same image. Raises Quarantined where ANTs gives up.
    """
    with _found("SyNOnly", fixed, moving, start, where, reg_iterations=iterations) as files:
        return fixed.like(ants.apply_transforms(to_ants(fixed), to_ants(carried), files).numpy())


@contextmanager
def _found(
    kind: str, fixed: Image, moving: Image, start: np.ndarray, where: np.ndarray | None, **how
) -> Iterator[list[str]]:
    """The files of the transforms that ANTs finds, in its order; they are gone afterwards.

    Want of memory is not the scan's fault and is not told as if it were.
    """
    with tempfile.TemporaryDirectory(prefix="brainlapse-") as folder:
        begin = f"{folder}/start.mat"
        ants.write_transform(_to_itk(start), begin)
        try:
            found = ants.registration(
                to_ants(fixed),
                to_ants(moving),
                kind,
                initial_transform=[begin],
                outprefix=f"{folder}/found",
                mask=None if where is None else to_ants(fixed.like(where)),
                **how,
            )
            yield found["fwdtransforms"]
        except (RuntimeError, ValueError) as error:
            said = " ".join(str(error).split())
            if any(words in said for words in NO_MEMORY):
                raise MemoryError(said) from None
            raise Quarantined("registration failed", said[:200]) from None


def to_ants(image: Image) -> ants.ANTsImage:
    """The image as ANTs holds it: LPS, axes and voxel sizes apart."""
    lps = RAS_TO_LPS @ image.affine
    return ants.from_numpy(
        np.ascontiguousarray(image.data, dtype=np.float32),
        origin=lps[:3, 3].tolist(),
        spacing=image.voxel_mm.tolist(),
        direction=lps[:3, :3] / image.voxel_mm,
    )


def _to_itk(transform: np.ndarray) -> ants.ANTsTransform:
    lps = RAS_TO_LPS @ transform @ RAS_TO_LPS
    return ants.create_ants_transform(
        transform_type="AffineTransform",
        dimension=3,
        precision="float",
        matrix=lps[:3, :3],
        translation=lps[:3, 3].tolist(),
        center=[0.0, 0.0, 0.0],
    )


def _from_itk(files: list[str | Path]) -> np.ndarray:
    """ITK's list is applied to a point from the last to the first."""
    total = np.eye(4)
    for file in reversed(files):
        found = ants.read_transform(str(file))
        matrix = np.reshape(found.parameters[:9], (3, 3))
        centre = np.asarray(found.fixed_parameters)
        lps = np.eye(4)
        lps[:3, :3] = matrix
        lps[:3, 3] = found.parameters[9:] + centre - matrix @ centre
        total = RAS_TO_LPS @ lps @ RAS_TO_LPS @ total
    return total
