"""Volumes survive the disk, the byte store and a damaged file is noticed."""

import nibabel as nib
import numpy as np
import pytest

from brainlapse.errors import Refused
from brainlapse.volumes import BACKGROUND, Grid, from_bytes, read_volume, to_bytes, write_volume


@pytest.fixture
def volume():
    return np.random.default_rng(0).uniform(-1, 1, (8, 9, 10)).astype(np.float32)


def test_what_is_written_is_read_back_in_the_right_place(tmp_path, volume):
    grid = Grid((8, 9, 10), 2.0)
    write_volume(tmp_path / "v.nii.gz", volume, grid.affine)
    again, affine = read_volume(tmp_path / "v.nii.gz")
    np.testing.assert_array_equal(again, volume)
    np.testing.assert_allclose(affine, grid.affine)
    assert nib.aff2axcodes(affine) == ("R", "A", "S")


def test_the_same_volume_gives_the_same_bytes(tmp_path, volume):
    for name in ("a.nii.gz", "b.nii.gz"):
        write_volume(tmp_path / name, volume, np.eye(4))
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_the_grid_is_centred_on_the_brain():
    grid = Grid((128, 160, 128), 1.4)
    centre = grid.affine @ [*(np.array(grid.shape) - 1) / 2, 1]
    np.testing.assert_allclose(centre[:3], (0, -17, 5))


@pytest.mark.parametrize("lost", [1, 8, 200])
@pytest.mark.parametrize("name", ["v.nii.gz", "v.nii"])
def test_a_file_cut_short_is_refused(tmp_path, volume, name, lost):
    path = tmp_path / name
    nib.save(nib.Nifti1Image(volume, np.eye(4)), path)
    np.testing.assert_array_equal(read_volume(path)[0], volume)
    path.write_bytes(path.read_bytes()[:-lost])
    with pytest.raises(Refused, match=rf"{name} cannot be read as NIfTI"):
        read_volume(path)


def test_a_flipped_bit_is_refused(tmp_path, volume):
    path = tmp_path / "v.nii.gz"
    write_volume(path, volume, np.eye(4))
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(Refused):
        read_volume(path)


@pytest.mark.parametrize("content", [b"", b"<html>403</html>", b"\x1f\x8b nonsense"])
def test_what_is_no_image_is_refused(tmp_path, content):
    path = tmp_path / "v.nii.gz"
    path.write_bytes(content)
    with pytest.raises(Refused, match="cannot be read as NIfTI"):
        read_volume(path)


def test_bytes_keep_the_background_and_round_by_half_a_step(volume):
    volume[0] = BACKGROUND
    again = from_bytes(to_bytes(volume))
    assert (again[0] == BACKGROUND).all()
    assert np.abs(again - volume).max() <= 1 / 255 + 1e-6
