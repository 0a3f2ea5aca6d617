"""The flow's figure holds its text, however long, and tells in words what it shows."""

import base64
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainlapse.report.figures import consort
from brainlapse.report.people import Flow, Step

REASONS = [(f"reason {n}", 10 - n) for n in range(8)]


def flow(reasons=REASONS, name="dated") -> Flow:
    steps = [
        Step("rows of the tables", "row", 1200, 40, 0, "row", 0, []),
        Step("images", "scan", 1100, 40, 100, "row", 0, [("further row about the same image", 100)]),
        Step("MRI", "scan", 1100, 40, 0, "scan", 0, []),
        Step(name, "scan", 900, 30, 200, "scan", 10, list(reasons)),
        Step("pairs", "pair", 1500, 30, 0, "scan", 0, []),
    ]
    return Flow("toy", steps, [("train", 20, 1000), ("validation", 1, 50), ("test", 9, 450)])


def test_it_is_an_svg_narrow_enough_for_a_telephone():
    uri = consort.draw(flow())
    assert uri.startswith("data:image/svg+xml;base64,")
    svg = base64.b64decode(uri.partition(",")[2]).decode()
    assert 'width="362pt"' in svg
    assert consort.draw(flow()) == uri


def test_a_step_without_losses_has_no_box_and_rare_reasons_are_put_together():
    assert "MRI" not in consort.describe(flow())
    lost = consort._lost(flow().steps[3])
    assert lost[0] == "lost: 200 scans, 10 people" and len(lost) == 7
    assert lost[-1].replace("\u00a0", " ") == "– 3 other reasons: 12"


def test_the_words_tell_every_count():
    told = consort.describe(flow())
    assert "rows of the tables: 1,200 rows of 40 people; images: 1,100 scans of 40 people" in told
    assert told.endswith(
        "train: 20 people, 1,000 pairs; validation: 1 person, 50 pairs; test: 9 people, 450 pairs."
    )


WORDS = st.text(st.characters(categories=["L", "N", "P"], max_codepoint=0x17F), min_size=1, max_size=60)
TEXT = st.lists(WORDS, min_size=1, max_size=12).map(" ".join)


@settings(max_examples=40, deadline=None)
@given(TEXT, st.integers(40, 200))
def test_no_line_is_wider_than_its_box_and_no_word_is_lost(text, width):
    lines = consort._wrapped(text, width)
    assert all(consort._wide(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize("seed", range(3))
def test_boxes_never_overlap(seed):
    many = [
        Step(
            f"step {n}",
            "scan",
            100 - n,
            50,
            1,
            "scan",
            1,
            [("a rather long reason that wraps", 1)] * (n * seed % 6),
        )
        for n in range(12)
    ]
    kept, lost = consort._placed(many)
    for boxes in (kept, lost):
        for above, below in pairwise(boxes):
            assert below.top > above.bottom
    assert kept[0].top >= 0 and lost[0].top >= 0


@pytest.mark.parametrize("odd", ["a price of $5 and $6", r"a\b $\frac$", "<b>bold</b> & more", "x" * 300])
def test_odd_text_is_drawn_as_it_is(odd):
    assert consort.draw(flow([(odd, 3)], name=odd)).startswith("data:image/svg")
