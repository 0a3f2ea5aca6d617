"""A toy study, sampled and scored once for all tests that only read it or write its pages."""

import pytest

from toy_samples import write_toy_samples
from toy_scores import score_all
from toy_study import write_toy_study


@pytest.fixture(scope="session")
def scored(tmp_path_factory):
    """The results folder of eight people, two of them tested."""
    return score_all(write_toy_samples(write_toy_study(tmp_path_factory.mktemp("scored"), subjects=8)))
