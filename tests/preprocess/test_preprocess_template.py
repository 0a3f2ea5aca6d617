"""A head template in a folder lends its brain to a scan; a wrong folder is refused."""

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from brainlapse.errors import Refused
from brainlapse.preprocess import head_warp
from brainlapse.preprocess.brain import by_registration
from brainlapse.preprocess.geometry import Image, resampled
from brainlapse.preprocess.head_template import read_head_template
from brainlapse.preprocess.template import template_at

COARSE_MM, WARP_MM = 7.0, 6.0  # voxel sizes of the registrations, for speed
HEAD, BRAIN = "tpl-Own_res-2_T1w.nii.gz", "tpl-Own_res-2_label-brain_probseg.nii.gz"


def save(path, data, affine=None) -> None:
    nib.save(
        nib.Nifti1Image(data.astype(np.float32), np.diag([2.0, 2, 2, 1]) if affine is None else affine), path
    )


@pytest.fixture
def folder(tmp_path):
    """A folder with a ball for a head and a smaller ball for its brain, off the middle."""
    place = np.indices((40, 44, 36)) - np.array([18.0, 22, 19])[:, None, None, None]
    radius = np.sqrt((place**2).sum(axis=0))
    save(tmp_path / HEAD, 100.0 * (radius < 17))
    save(tmp_path / BRAIN, 1.0 * (radius < 11))
    return tmp_path


def test_a_folder_is_read_in_ras_whatever_order_it_is_stored_in(folder):
    plain = read_head_template(folder)
    for name in (HEAD, BRAIN):
        stored = nib.load(folder / name)
        turned = stored.as_reoriented(nib.orientations.axcodes2ornt("PSL"))
        nib.save(nib.Nifti1Image(np.array(turned.dataobj), turned.affine), folder / name)
    again = read_head_template(folder)
    for one, other in ((plain.head, again.head), (plain.brain, again.brain)):
        np.testing.assert_array_equal(one.data, other.data)
        np.testing.assert_allclose(one.affine, other.affine, atol=1e-5)


def test_a_probability_is_preferred_to_a_mask_and_a_bare_brain_is_not_taken_for_the_head(folder):
    save(folder / "tpl-Own_res-2_desc-brain_mask.nii.gz", np.zeros((2, 2, 2)))
    save(folder / "tpl-Own_res-2_desc-brain_T1w.nii.gz", np.zeros((2, 2, 2)))
    assert read_head_template(folder).brain.data.sum() > 1000


def no_head(folder):
    (folder / HEAD).unlink()


def two_heads(folder):
    save(folder / "tpl-Own_res-1_T1w.nii.gz", np.ones((4, 4, 4)))


def no_brain(folder):
    (folder / BRAIN).unlink()


def only_the_region_to_compare_in(folder):
    (folder / BRAIN).rename(folder / "tpl-Own_res-2_desc-BrainCerebellumExtraction_mask.nii.gz")


def other_shape(folder):
    save(folder / BRAIN, np.ones((40, 44, 30)))


def other_place(folder):
    save(folder / BRAIN, np.ones((40, 44, 36)), np.diag([1.0, 1, 1, 1]))


def per_cent(folder):
    save(folder / BRAIN, 100.0 * nib.load(folder / BRAIN).get_fdata())


def brain_everywhere(folder):
    save(folder / BRAIN, np.ones((40, 44, 36)))


def nothing_marked(folder):
    save(folder / BRAIN, np.zeros((40, 44, 36)))


def four_axes(folder):
    save(folder / HEAD, np.ones((40, 44, 36, 2)))


def cut_short(folder):
    (folder / HEAD).write_bytes((folder / HEAD).read_bytes()[:-200])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (no_head, "one file .*_T1w.nii.gz.*found none"),
        (two_heads, "one file .*found tpl-Own_res-1_T1w.nii.gz, tpl-Own_res-2_T1w.nii.gz"),
        (no_brain, "probseg.nii.gz or .*found none"),
        (only_the_region_to_compare_in, "probseg.nii.gz or .*found none"),
        (other_shape, "another grid"),
        (other_place, "another grid"),
        (per_cent, "between 0 and 1; they reach from 0 to 100"),
        (brain_everywhere, "100.0 % of the image is brain"),
        (nothing_marked, "0.0 % of the image is brain"),
        (four_axes, "one 3D volume"),
        (cut_short, "cannot be read"),
    ],
)
def test_a_wrong_folder_is_refused_with_what_is_wrong(folder, spoil, message):
    spoil(folder)
    with pytest.raises(Refused, match=message):
        read_head_template(folder)


@pytest.mark.parametrize("name", ["OASIS30ANTs", "no/such/folder"])
def test_a_name_that_is_no_folder_is_refused(name):
    with pytest.raises(Refused, match=f"preprocess.template: {name} is no folder. Write embedded"):
        template_at(name, 8.0)


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Dice of two masks."""
    first, second = first > 0.5, second > 0.5
    return 2 * (first & second).sum() / (first.sum() + second.sum())


@pytest.fixture
def coarse(monkeypatch):
    """SyN on larger voxels."""
    monkeypatch.setattr(head_warp, "WARP_MM", WARP_MM)


@pytest.fixture(scope="module")
def person(visits, tmp_path_factory) -> tuple[Image, Image, np.ndarray]:
    """A phantom head, its brain as the embedded template finds it, and the affine from MNI152 to it."""
    path = tmp_path_factory.mktemp("person") / "head.nii"
    visits[0].to_filename(path)
    image = nib.as_closest_canonical(nib.load(path))
    head = Image(np.maximum(np.asarray(image.dataobj, dtype=np.float32), 0), image.affine)
    mask, to_head = by_registration(head, template_at("embedded", COARSE_MM), COARSE_MM)
    return head, resampled(mask, head.data.shape, head.affine), to_head


@pytest.fixture(scope="module")
def of_the_person(person, tmp_path_factory):
    """The template that the person's own head makes, in a folder."""
    folder = tmp_path_factory.mktemp("template")
    for name, image in zip((HEAD, BRAIN), person[:2], strict=True):
        save(folder / name, image.data.clip(0, None), image.affine)
    return template_at(str(folder), COARSE_MM)


def test_the_brain_of_a_head_template_is_carried_into_another_position(person, of_the_person, coarse):
    head, brain, _ = person
    turn = Rotation.from_euler("xyz", (10, -6, 8), degrees=True).as_matrix()
    middle = (np.array(head.data.shape) - 1) / 2

    def moved(image: Image) -> np.ndarray:
        return ndimage.affine_transform(image.data, turn, middle - turn @ middle + 1.5, order=1)

    found, _ = by_registration(head.like(moved(head)), of_the_person, COARSE_MM)
    assert overlap(resampled(found, head.data.shape, head.affine).data, moved(brain)) > 0.96


def test_a_head_template_gives_the_same_brain_twice(person, of_the_person, coarse):
    head, brain, to_head = person
    first, second = (head_warp.warped_brain(head, to_head, of_the_person, COARSE_MM).data for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert overlap(first, brain.data) > 0.98
