"""How many people go to each split: counts, fractions or the rest, and what a user's table leaves of them."""

import logging
from collections import Counter

from brainlapse.errors import Refused

log = logging.getLogger(__name__)

SPLITS = ("train", "validation", "test")
# 1,239 people of the paper, 1,125 of them for training, and this split of the rest.
_PAPER_PARTS = {"train": 1125, "validation": 14, "test": 100}


def split_counts(total: int, amounts: dict) -> dict[str, int]:
    """How many of `total` people go to train, validation and test; they add up to `total`.

    If the study has too few people for the counts asked for, the proportions
    of the paper are used instead and a warning says so.
    """
    counts = {split: _count(amounts[split], total) for split in SPLITS if amounts[split] != "rest"}
    rest = [split for split in SPLITS if amounts[split] == "rest"]
    left = total - sum(counts.values())
    if len(rest) > 1 or (not rest and left != 0 and all(isinstance(amounts[s], int) for s in SPLITS)):
        raise Refused(f"splits: exactly one of train, validation and test must be `rest`, not {amounts}.")
    counts[rest[0] if rest else "train"] = left + (0 if rest else counts["train"])
    if min(counts["train"], counts["test"]) < 1 or counts["validation"] < 0:
        counts = _in_proportion(total)
        log.warning(
            "splits: %d people are too few for %s; as in the paper's proportions: %s", total, amounts, counts
        )
    return {split: counts[split] for split in SPLITS}


def places_left(counts: dict[str, int], decided: Counter, amounts: dict) -> dict[str, int]:
    """What is left of `counts` for the people whom the user's table does not name.

    Where the table gives a split more than its count, the table counts: the
    others get less, first the one that is the `rest`, and a warning says so.
    """
    places = {split: max(0, counts[split] - decided[split]) for split in SPLITS}
    excess = sum(max(0, decided[split] - counts[split]) for split in SPLITS)
    if excess:
        told = {split: decided[split] for split in SPLITS}
        log.warning("splits: the file decides for %s people where %s were asked for", told, counts)
    for split in sorted(SPLITS, key=lambda one: (amounts[one] != "rest", -places[one])):
        less = min(excess, places[split])
        places[split] -= less
        excess -= less
    return places


def _count(amount: int | float, total: int) -> int:
    return amount if isinstance(amount, int) else round(amount * total)


def _in_proportion(total: int) -> dict[str, int]:
    whole = sum(_PAPER_PARTS.values())
    test = max(1, round(total * _PAPER_PARTS["test"] / whole))
    validation = round(total * _PAPER_PARTS["validation"] / whole)
    return {"train": total - validation - test, "validation": validation, "test": test}
