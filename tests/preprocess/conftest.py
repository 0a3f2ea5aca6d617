"""One made-up person with two visits."""

import nibabel as nib
import pytest

from brainlapse.phantom.study import Average, Participant
from toy_heads import SETTINGS


@pytest.fixture(scope="session")
def visits() -> list[nib.Nifti1Image]:
    """The heads of one phantom person at two visits, 4 mm voxels."""
    participant = Participant(Average.at(4.0), seed=0, number=0, voxel_mm=4.0)
    return [entry.image for entry in participant.entries() if entry.truth is not None][:2]


@pytest.fixture
def limits() -> dict:
    """The limits a scan must keep."""
    return SETTINGS["limits"]
