"""Finding the brain in a head: three methods, one signature.

A method takes the head, the template and the registration's voxel size and
returns the brain mask, an Image with the part of each voxel that is brain, and
the affine from the template to the head.
"""

from collections.abc import Callable

import nibabel as nib
import numpy as np
from scipy import ndimage

from brainlapse.errors import Refused
from brainlapse.preprocess.alignment import brain_start, head_to_template
from brainlapse.preprocess.geometry import Image, coarser, resampled
from brainlapse.preprocess.head_warp import warped_brain
from brainlapse.preprocess.intensity import without_bias
from brainlapse.preprocess.quarantine import Quarantined
from brainlapse.preprocess.template import Template

WORK_MM = 2.0  # the outline is drawn on voxels no smaller than this
GROW_MM, KEEP_MM = 4.0, 6.0  # how far the outline may leave the template's; how deep inside all is brain
EDGE_MM = 6.0  # how far from the template's outline the scan's dark level is read
DARK_PERCENT = 10.0  # the darkest tenth there is bone, air and fluid
TISSUE_PART = 0.25  # of the way from the dark level to the bright tissue around: tissue begins
FAT = 1.5  # times the bright tissue around: brighter is no brain
BRIDGE_MM = 3.0  # bridges thinner than twice this (dura, vessels, nerves) are cut
SULCUS_MM = 8.0  # clefts up to twice this wide belong to the brain
SMOOTH_MM = 2.0  # Gaussian sigma that takes the steps and slivers off the outline

Method = Callable[[Image, Template, float], tuple[Image, np.ndarray]]


def by_registration(head: Image, template: Template, spacing_mm: float) -> tuple[Image, np.ndarray]:
    """Carry the template's outline into the head, then move it to the edge of the tissue.

    In the spirit of antsBrainExtraction (Tustison et al. 2014, doi
    10.1016/j.neuroimage.2014.05.044): N4, several starts, an affine, for a head
    template SyN too, and a segmentation of what lies near the outline.
    """
    to_head = head_to_template(head, template, spacing_mm)
    carried = resampled(template.mask, head.data.shape, head.affine, np.linalg.inv(to_head))
    flat = without_bias(head, carried, spacing_mm)
    if template.own is not None:
        carried = warped_brain(flat, to_head, template, spacing_mm)
    even = coarser(flat, max(WORK_MM, head.voxel_mm.max()))
    prior = resampled(carried, even.data.shape, even.affine).data > 0.5
    if not prior.any():
        raise Quarantined("no brain found", "the template's brain was placed outside the image")
    outline = outlined(even, prior).astype(np.float32)
    return even.like(ndimage.gaussian_filter(outline, SMOOTH_MM / even.voxel_mm.mean())), to_head


def by_network(head: Image, template: Template, spacing_mm: float) -> tuple[Image, np.ndarray]:
    """Use deepbet's network (Fisch et al. 2024), an optional package."""
    try:
        from deepbet.bet import BrainExtraction
    except ImportError as error:
        raise Refused(
            f"preprocess.brain: deepbet cannot be loaded ({error}). Add deepbet==1.0.2 and fastremap==1.21.0 "
            "to the pip part of envs/preprocess.yaml, or run `pip install deepbet==1.0.2 fastremap==1.21.0` "
            "in the stage's environment, or write brain: ants."
        ) from None
    import torch

    torch.set_num_threads(1)
    _, mask, _ = BrainExtraction(no_gpu=True).run(nib.Nifti1Image(head.data, head.affine))
    return _with_start(head.like(np.asarray(mask.dataobj)))


def already_stripped(head: Image, template: Template, spacing_mm: float) -> tuple[Image, np.ndarray]:
    """Take every voxel that is not zero, holes filled, as brain."""
    return _with_start(head.like(ndimage.binary_fill_holes(head.data > 0)))


METHODS: dict[str, Method] = {
    "ants": by_registration,
    "deepbet": by_network,
    "none": already_stripped,
}


def outlined(head: Image, prior: np.ndarray) -> np.ndarray:
    """Return the boolean brain mask: tissue joined to the prior's core, its sulci closed.

    `head` has isotropic voxels and no bias field; `prior` is boolean on its grid.
    """
    size = float(head.voxel_mm.mean())
    depth = signed_distance(prior, size)
    core = depth > KEEP_MM
    reachable = depth > -GROW_MM
    relative = head.data / local_brightness(head.data, core, size)
    tissue = (relative > tissue_level(relative, depth)) & (relative < FAT) & reachable
    body = largest_part(ndimage.distance_transform_edt(tissue) * size > BRIDGE_MM, core)
    tissue &= ndimage.distance_transform_edt(~body) * size <= BRIDGE_MM + size / 2
    return closed(tissue | core, SULCUS_MM / size) & reachable


def signed_distance(mask: np.ndarray, size_mm: float) -> np.ndarray:
    """Millimetres to the mask's edge, positive inside."""
    return size_mm * (ndimage.distance_transform_edt(mask) - ndimage.distance_transform_edt(~mask))


def local_brightness(values: np.ndarray, core: np.ndarray, size_mm: float) -> np.ndarray:
    """The mean brightness of the brighter tissue within about 12 mm; above 0."""
    median = np.median(values[core])
    weight = (core & (values > 0.8 * median)).astype(np.float32)
    total = ndimage.gaussian_filter(weight, 12 / size_mm)
    summed = ndimage.gaussian_filter(values * weight, 12 / size_mm)
    return np.where(total > 0.01, summed / np.maximum(total, 0.01), median)


def tissue_level(relative: np.ndarray, depth_mm: np.ndarray) -> float:
    """The relative brightness at which tissue begins, between the dark level at the brain's edge and 1.

    Bone and fluid are black at 3 T with an inversion pulse and a third as bright as
    tissue in older 2D scans: one level for all would cut the one brain and swell the other.
    """
    dark = np.percentile(relative[np.abs(depth_mm) < EDGE_MM], DARK_PERCENT)
    return float(dark + TISSUE_PART * (1 - dark))


def largest_part(mask: np.ndarray, core: np.ndarray) -> np.ndarray:
    """The connected part of the mask that shares most voxels with the core."""
    parts, count = ndimage.label(mask)
    if not count:
        return core
    return parts == 1 + np.argmax(ndimage.sum_labels(core, parts, range(1, count + 1)))


def closed(mask: np.ndarray, radius: float) -> np.ndarray:
    """Morphological closing by a ball of `radius` voxels, then holes filled."""
    border = int(np.ceil(radius)) + 1
    padded = np.pad(mask, border)
    grown = ndimage.distance_transform_edt(~padded) <= radius
    shrunk = (ndimage.distance_transform_edt(grown) > radius) | padded
    return ndimage.binary_fill_holes(shrunk)[(slice(border, -border),) * 3]


def _with_start(mask: Image) -> tuple[Image, np.ndarray]:
    if not (mask.data > 0.5).any():
        raise Quarantined("no brain found", "the brain mask is empty")
    return mask, brain_start(mask)
