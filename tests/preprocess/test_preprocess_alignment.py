"""A known motion is undone, and a head is found in MNI152 from any ordinary position."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from brainlapse.preprocess.alignment import followup_to_baseline, head_to_template
from brainlapse.preprocess.brain import by_registration
from brainlapse.preprocess.geometry import Image
from brainlapse.preprocess.inputs import read_scan
from brainlapse.preprocess.template import template_at


@pytest.fixture(scope="module")
def template():
    return template_at("embedded", 4.5)


@pytest.fixture
def head(visits, tmp_path, limits) -> Image:
    visits[0].to_filename(tmp_path / "head.nii")
    return read_scan(tmp_path / "head.nii", limits)


def moved(head: Image, degrees, shift) -> tuple[Image, np.ndarray]:
    """The head in another position, and the matrix from the head to it."""
    middle = head.millimetres((np.array(head.data.shape)[None] - 1) / 2)[0]
    motion = np.eye(4)
    motion[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    motion[:3, 3] = middle - motion[:3, :3] @ middle + shift
    step = np.linalg.inv(head.affine) @ np.linalg.inv(motion) @ head.affine
    return head.like(ndimage.affine_transform(head.data, step[:3, :3], step[:3, 3], order=3).clip(0)), motion


def test_a_rigid_motion_is_undone_within_a_third_of_a_voxel(head, template):
    brain, _ = by_registration(head, template, 4.5)
    after, motion = moved(head, (8, -6, 7), (6, -9, 5))
    found = followup_to_baseline(after, head, brain, 4.5)
    points = brain.millimetres(np.argwhere(brain.data > 0.5))
    wrong = points @ (found - motion)[:3, :3].T + (found - motion)[:3, 3]
    assert np.linalg.norm(wrong, axis=1).mean() < 0.3 * 4.0


def test_the_brain_is_found_wherever_the_head_lies(head, template):
    brain, to_head = by_registration(head, template, 4.5)
    elsewhere, motion = moved(head, (18, 5, -8), (15, 20, -10))
    again = head_to_template(elsewhere, template, 4.5)
    places = template.brain.millimetres(np.argwhere(template.mask.data > 0.5))
    apart = places @ (again - motion @ to_head)[:3, :3].T + (again - motion @ to_head)[:3, 3]
    assert np.linalg.norm(apart, axis=1).mean() < 4.0  # one voxel, after a nod of 18 degrees
    assert 900 < (brain.data > 0.5).sum() * np.prod(brain.voxel_mm) / 1000 < 2100
