"""The toy study, once for all tests of training."""

import pytest
from toy_training import write_study


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("study"))
