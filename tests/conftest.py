"""Where two processes share the tests, one has all of a folder: what its tests share is made once."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parent
# The longest first. Those of the cluster mostly wait for it, which leaves the machine to the other process.
FIRST = ("slurm", "workflow")


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups in a hook of the same name
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Group the tests by their folder below tests/, for `--dist loadgroup` of pytest-xdist."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_folder(item)))
    items.sort(key=lambda item: FIRST.index(_folder(item)) if _folder(item) in FIRST else len(FIRST))


def _folder(item: pytest.Item) -> str:
    return item.path.relative_to(TESTS).parts[0]
