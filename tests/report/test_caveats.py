"""The one number that a caveat quotes from outside the study is measured here again."""

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from brainlapse import atlas
from brainlapse.report.caveats import EMPTY_SSIM, PAPER_SSIM
from brainlapse.volumes import Grid


def test_an_empty_volume_beats_the_papers_ssim_on_the_papers_grid():
    grid = Grid()
    template = atlas.maps(grid.shape, grid.affine)
    brain = np.where(template["brain"] > 0.5, template["t1"], 0)
    brain = np.clip(brain / np.percentile(brain[brain > 0], 99), 0, 1)
    empty = structural_similarity(
        brain, np.zeros_like(brain), data_range=1.0, gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False,
    )  # fmt: skip
    assert empty == pytest.approx(EMPTY_SSIM, abs=0.01)
    assert empty > PAPER_SSIM
