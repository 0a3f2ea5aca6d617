"""A head template in a folder, named as TemplateFlow names it: a T1 with its head, and where its brain is."""

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from brainlapse.errors import Refused
from brainlapse.preprocess.geometry import Image
from brainlapse.volumes import read_volume

HEAD = "*_T1w.nii.gz"
# The better first. `desc-BrainCerebellumExtraction_mask` is none of them: it says where to compare two heads.
BRAINS = (
    "*_label-brain_probseg.nii.gz",
    "*_desc-BrainCerebellumProbability*.nii.gz",
    "*_desc-brain_mask.nii.gz",
)
BRAIN_PERCENT = (2.0, 60.0)  # of the image: less is no brain's mask, more is no head around it


@dataclass(frozen=True, eq=False)
class HeadTemplate:
    """A whole head and the part of each voxel, 0 to 1, that is brain, both in RAS order on one grid."""

    head: Image
    brain: Image


def read_head_template(folder: Path) -> HeadTemplate:
    """Read the head template of a folder. Raises Refused with the file and what to do."""
    if not folder.is_dir():
        raise Refused(
            f"preprocess.template: {folder} is no folder. Write embedded, a folder with {HEAD} and "
            f"{BRAINS[0]}, or a TemplateFlow name, which the workflow fetches into a folder."
        )
    head = _only(folder, [path for path in folder.glob(HEAD) if "_desc-" not in path.name], HEAD)
    found = next((paths for paths in (sorted(folder.glob(name)) for name in BRAINS) if paths), [])
    brain = _only(folder, found, " or ".join(BRAINS))
    head_image, brain_image = _ras(head), _ras(brain)
    _compare(head, head_image, brain, brain_image)
    return HeadTemplate(head_image.like(np.maximum(head_image.data, 0)), _probability(brain, brain_image))


def _only(folder: Path, found: list[Path], wanted: str) -> Path:
    if len(found) != 1:
        seen = ", ".join(sorted(path.name for path in found)) or "none"
        raise Refused(
            f"preprocess.template: {folder} must hold one file {wanted}, without the others; found {seen}."
        )
    return found[0]


def _ras(path: Path) -> Image:
    data, affine = read_volume(path)
    if data.ndim != 3 or not np.isfinite(data).all():
        raise Refused(f"{path}: a head template is one 3D volume without NaN; this one is {data.shape}.")
    image = nib.as_closest_canonical(nib.Nifti1Image(data, affine))
    return Image(np.ascontiguousarray(image.dataobj, dtype=np.float32), image.affine)


def _compare(head: Path, head_image: Image, brain: Path, brain_image: Image) -> None:
    same_grid = head_image.data.shape == brain_image.data.shape
    if not same_grid or not np.allclose(head_image.affine, brain_image.affine, atol=0.01):
        raise Refused(f"{brain} lies on another grid than {head}; take both at one resolution (res-).")


def _probability(path: Path, image: Image) -> Image:
    if image.data.min() < -0.01 or image.data.max() > 1.01:
        raise Refused(
            f"{path}: its values must lie between 0 and 1; they reach from {image.data.min():g} "
            f"to {image.data.max():g}."
        )
    percent = 100 * float((image.data > 0.5).mean())
    if not BRAIN_PERCENT[0] <= percent <= BRAIN_PERCENT[1]:
        raise Refused(
            f"{path}: {percent:.1f} % of the image is brain, allowed {BRAIN_PERCENT[0]:g} to "
            f"{BRAIN_PERCENT[1]:g} %; the template must be a whole head, with its brain marked."
        )
    return image.like(image.data.clip(0, 1))
