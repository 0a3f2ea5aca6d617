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
from brainlapse.preprocess.intensity import without_bias
from brainlapse.preprocess.quarantine import Quarantined
from brainlapse.preprocess.template import Template

WORK_MM = 2.0  # the outline is drawn on voxels no smaller than this
GROW_MM, KEEP_MM = 4.0, 6.0  # how far the outline may leave the template's; how deep inside all is brain
TISSUE = (0.35, 1.5)  # range of brain tissue, relative to the bright tissue around
BRIDGE_MM = 3.0  # bridges thinner than twice this (dura, vessels, nerves) are cut
SULCUS_MM = 8.0  # clefts up to twice this wide belong to the brain
SMOOTH_MM = 2.0  # Gaussian sigma that takes the steps and slivers off the outline

Method = Callable[[Image, Template, float], tuple[Image, np.ndarray]]


def by_registration(head: Image, template: Template, spacing_mm: float) -> tuple[Image, np.ndarray]:
    """Carry the template's outline into the head by an affine, then move it to the edge of the tissue."""
    to_head = head_to_template(head, template, spacing_mm)
    carried = resampled(template.mask, head.data.shape, head.affine, np.linalg.inv(to_head))
    even = coarser(without_bias(head, carried, spacing_mm), max(WORK_MM, head.voxel_mm.max()))
    prior = resampled(carried, even.data.shape, even.affine).data > 0.5
    if not prior.any():
        raise Quarantined("no brain found", "the template's brain was placed outside the image")
    outline = outlined(even, prior).astype(np.float32)
    return even.like(ndimage.gaussian_filter(outline, SMOOTH_MM / even.voxel_mm.mean())), to_head


def by_network(head: Image, template: Template, spacing_mm: float) -> tuple[Image, np.ndarray]:
    """Use deepbet's network (Fisch et al. 2024), an optional package."""
    try:
        from deepbet.bet import BrainExtraction
    except ImportError:
        raise Refused(
            "preprocess.brain: deepbet is not installed. Run `pip install deepbet connected-components-3d "
            "fill_voids fastremap` in the stage's environment, or write brain: ants."
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
    bright = local_brightness(head.data, core, size)
    tissue = (head.data > TISSUE[0] * bright) & (head.data < TISSUE[1] * bright) & reachable
    body = largest_part(ndimage.distance_transform_edt(tissue) * size > BRIDGE_MM, core)
    tissue &= ndimage.distance_transform_edt(~body) * size <= BRIDGE_MM + size / 2
    return closed(tissue | core, SULCUS_MM / size) & reachable


def signed_distance(mask: np.ndarray, size_mm: float) -> np.ndarray:
    """Millimetres to the mask's edge, positive inside."""
    return size_mm * (ndimage.distance_transform_edt(mask) - ndimage.distance_transform_edt(~mask))


def local_brightness(values: np.ndarray, core: np.ndarray, size_mm: float) -> np.ndarray:
    """The mean brightness of the brighter tissue within about 12 mm."""
    median = np.median(values[core])
    weight = (core & (values > 0.8 * median)).astype(np.float32)
    total = ndimage.gaussian_filter(weight, 12 / size_mm)
    summed = ndimage.gaussian_filter(values * weight, 12 / size_mm)
    return np.where(total > 0.01, summed / np.maximum(total, 0.01), median)


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
