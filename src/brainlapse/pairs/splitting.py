"""Training, validation and test people: stratified by diagnosis, from the seed alone."""

import hashlib
import logging

import pandas as pd

from brainlapse.errors import Refused

log = logging.getLogger(__name__)

# 1,239 people of the paper, 1,125 of them for training, and this split of the rest.
_PAPER_PARTS = {"train": 1125, "validation": 14, "test": 100}


def split_subjects(people: pd.DataFrame, amounts: dict, seed: int) -> pd.DataFrame:
    """Return cohort, subject, split for every person; people of external cohorts are all in test.

    `people` has cohort, subject, diagnosis (may be missing) and external.
    `amounts` says for each split a count, a fraction or `rest`. Each split has
    the mix of diagnoses of the whole study as nearly as counts allow, and the
    order of the rows does not matter.
    """
    study = people[~people["external"]]
    ordered = study.loc[_stratified_order(study, seed)]
    counts = split_counts(len(study), amounts)
    splits = [split for split, count in counts.items() for _ in range(count)]
    external = people[people["external"]].assign(split="test")
    both = pd.concat([ordered.assign(split=splits), external])
    return both.sort_values(["cohort", "subject"])[["cohort", "subject", "split"]].reset_index(drop=True)


def split_counts(total: int, amounts: dict) -> dict[str, int]:
    """How many of `total` people go to train, validation and test; they add up to `total`.

    If the study has too few people for the counts asked for, the proportions
    of the paper are used instead and a warning says so.
    """
    counts = {split: _count(amount, total) for split, amount in amounts.items() if amount != "rest"}
    rest = [split for split, amount in amounts.items() if amount == "rest"]
    left = total - sum(counts.values())
    if len(rest) > 1 or (not rest and left != 0 and all(isinstance(a, int) for a in amounts.values())):
        raise Refused(f"splits: exactly one of train, validation and test must be `rest`, not {amounts}.")
    counts[rest[0] if rest else "train"] = left + (0 if rest else counts["train"])
    if min(counts["train"], counts["test"]) < 1 or counts["validation"] < 0:
        counts = _in_proportion(total)
        log.warning(
            "splits: %d people are too few for %s; as in the paper's proportions: %s", total, amounts, counts
        )
    return {split: counts[split] for split in ("train", "validation", "test")}


def _count(amount: int | float, total: int) -> int:
    return amount if isinstance(amount, int) else round(amount * total)


def _in_proportion(total: int) -> dict[str, int]:
    whole = sum(_PAPER_PARTS.values())
    test = max(1, round(total * _PAPER_PARTS["test"] / whole))
    validation = round(total * _PAPER_PARTS["validation"] / whole)
    return {"train": total - validation - test, "validation": validation, "test": test}


def _stratified_order(people: pd.DataFrame, seed: int) -> pd.Index:
    """Shuffled inside each diagnosis, then dealt so that any prefix has the whole's mix."""
    chance = people.apply(lambda row: _chance(seed, row["cohort"], row["subject"]), axis=1)
    stratum = people["diagnosis"].fillna("unknown")
    place = chance.groupby(stratum).rank() - 0.5
    share = place / stratum.map(stratum.value_counts())
    return pd.DataFrame({"share": share, "chance": chance}).sort_values(["share", "chance"]).index


def _chance(seed: int, cohort: str, subject: str) -> float:
    """A number in [0, 1) that depends on nothing but the seed and the person."""
    digest = hashlib.sha256(f"{seed}/{cohort}/{subject}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / 256**7
