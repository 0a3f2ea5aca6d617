"""Where two processes share the tests, one has all of a folder: what its tests share is made once."""

import pytest
from xdist.scheduler import LoadScopeScheduling

# The longest first. Those of the cluster mostly wait for it, which leaves the machine to the other process.
FIRST = ("slurm", "workflow")


class FolderScheduling(LoadScopeScheduling):
    """Hands out whole folders below tests/; pytest-xdist 3.8 finds no groups of its own with pytest 9.2."""

    def _split_scope(self, nodeid: str) -> str:
        return _folder(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log) -> FolderScheduling:
    """Take the place of pytest-xdist's own."""
    return FolderScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the folders that take longest."""
    items.sort(key=lambda item: (*FIRST, _folder(item.nodeid)).index(_folder(item.nodeid)))


def _folder(nodeid: str) -> str:
    """`models` of tests/models/test_flow.py::test_…; a test beside the folders is one of its own."""
    return nodeid.split("::")[0].split("/")[1]
