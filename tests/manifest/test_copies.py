"""Of copies of one file the open one is used, unless unpacking broke off; files that differ are no copies."""

import itertools

import pytest

from brainlapse.manifest.copies import one_of_copies
from brainlapse.manifest.inventory import Item

OPEN, PART = Item("root/a/x_I1.nii", 100), Item("root/a/x_I1.nii", 60)
PACKED = Item("root/all.zip/a/x_I1.nii", 100, "root/all.zip")
OTHER = Item("root/b/x_I1.nii", 90)
GZIPPED = Item("root/a/x_I1.nii.gz", 40)

CASES = [
    ([OPEN], OPEN),
    ([OPEN, PACKED], OPEN),
    ([PART, PACKED], PACKED),
    ([OPEN, GZIPPED], OPEN),
    ([GZIPPED, PACKED], PACKED),
]


@pytest.mark.parametrize(("items", "chosen"), CASES)
def test_one_is_chosen_in_any_order(items, chosen):
    for order in itertools.permutations(items):
        assert one_of_copies(list(order)) == (chosen, None)


def test_two_that_differ_in_size_are_told():
    chosen, problem = one_of_copies([OTHER, OPEN])
    assert chosen in (OPEN, OTHER) and OPEN.path in problem and OTHER.path in problem


def test_unpacking_that_broke_off_is_told(caplog):
    one_of_copies([PART, PACKED])
    assert PART.path in caplog.text
