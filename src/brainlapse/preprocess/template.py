"""The head to register to: the MNI152 brain that ships with nilearn, and a made-up head around it.

The space of all results is that brain's, whatever finds the brain in a scan: a
head template of the user's own only lends its outline (see `head_template`).

A whole head cannot be registered to a bare brain: the scalp, the brightest
thing in it, would be fitted to the cortex. No template with a head may be
shipped here, so one is drawn: around the brain mask a thin dark grey rim (CSF),
a dark shell (skull) and a bright one (scalp), by their distance to the mask.
Below the brain nothing is drawn and nothing is compared.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from brainlapse import atlas
from brainlapse.preprocess.geometry import Image, coarser
from brainlapse.preprocess.head_template import HeadTemplate, read_head_template
from brainlapse.volumes import Grid

FIELD_MM = (200, 240, 200)
RIM_MM, SKULL_MM, SCALP_MM = 1.5, 7.0, 15.0  # outer edge of each shell
RIM, SKULL, SCALP = 0.25, 0.08, 0.95  # brightness; white matter is about 1
SHELL_FLOOR_MM = -25.0  # below this height the face and the neck begin
COMPARED_MM = 18.0  # how far from the brain head and template are compared
NEAR_MM = 4.0


@dataclass(frozen=True, eq=False)
class Template:
    """The template on one grid: images in [0, 1], and where they are worth comparing.

    `brain` is the bare brain, `head` the brain in its drawn head, `mask` the
    part of each voxel inside the brain; `around` (head) and `near` (brain and a
    few millimetres) are boolean arrays on the same grid. `own` is the user's
    head template, where there is one.
    """

    brain: Image
    head: Image
    mask: Image
    around: np.ndarray
    near: np.ndarray
    own: HeadTemplate | None = None


def template_at(name: str, spacing_mm: float) -> Template:
    """Return the template at a voxel size: `embedded`, or with the head template that a folder holds.

    Raises Refused where `name` is neither, and where the folder lacks a file.
    """
    shape = tuple(int(np.ceil(extent / spacing_mm)) for extent in FIELD_MM)
    embedded = _drawn(Grid(shape, spacing_mm))
    return embedded if name == "embedded" else replace(embedded, own=read_head_template(Path(name)))


def _drawn(grid: Grid) -> Template:
    maps = atlas.maps(grid.shape, grid.affine)
    inside = maps["brain"] > 0.5
    distance_mm = ndimage.distance_transform_edt(~inside) * grid.spacing_mm
    shells = np.select(
        [distance_mm < RIM_MM, distance_mm < SKULL_MM, distance_mm < SCALP_MM], [RIM, SKULL, SCALP], 0.0
    )
    brain = maps["t1"] * maps["brain"]
    head = ndimage.gaussian_filter(np.where(inside, brain, shells), 0.5)
    height = atlas.millimetres(grid.shape, grid.affine)[2]
    near = distance_mm < NEAR_MM
    around = near | ((distance_mm < COMPARED_MM) & (height > SHELL_FLOOR_MM))
    place = Image(brain.astype(np.float32), grid.affine)
    return Template(place, place.like(head), place.like(maps["brain"]), around, near)


def coarser_template(template: Template, spacing_mm: float) -> Template:
    """The same template with larger voxels."""

    def small(values: np.ndarray) -> Image:
        return coarser(template.brain.like(values), spacing_mm)

    images = (small(image.data) for image in (template.brain, template.head, template.mask))
    return Template(*images, *(small(where).data > 0.5 for where in (template.around, template.near)))
