"""Dealing people into splits so that each has the study's mix of diagnosis, sex and age."""

import hashlib
from collections import Counter

import pandas as pd

AGE_BAND_YEARS = 10


def stratified(people: pd.DataFrame, seed: int) -> dict[str, tuple[str, str, str]]:
    """Return person (the index) → stratum, those of one stratum together, in an order of chance.

    A stratum is the `diagnosis`, the `sex` and the decade of `age_years`; what
    is not known is a stratum of its own. A person's place in the order depends
    on nothing but the seed and what is known of that person.
    """
    strata = dict(zip(people.index, _strata(people), strict=True))
    return dict(sorted(strata.items(), key=lambda item: _key(seed, *item)))


def deal(
    strata: dict[str, tuple[str, str, str]], places: dict[str, int], known: dict[str, str]
) -> dict[str, str]:
    """Return a split for each person; `known` keep theirs and the others fill the places exactly.

    Each in turn gets the split that is furthest behind its share of those who
    have one already, in the person's diagnosis, sex and decade and in the
    study. A split is then about one person from its share of every stratum, or
    as near as those who are known allow. `places` add up to the number of
    persons; a split in which more are known than it has places gets nobody new.
    """
    size, given, dealt = Counter(), Counter(), {}
    room = Counter(places)
    for person in sorted(strata, key=lambda one: one not in known):  # the known first, each in order
        groups = [strata[person][:depth] for depth in range(4)]
        behind = {
            split: sum(places[split] * (size[g] + 1) - len(strata) * given[g, split] for g in groups)
            for split in places
            if room[split] > 0
        }
        split = known[person] if person in known else max(behind, key=behind.get)
        dealt[person] = split
        room[split] -= 1
        size.update(groups)
        given.update((group, split) for group in groups)
    return dealt


def _strata(people: pd.DataFrame) -> list[tuple[str, ...]]:
    decade = people["age_years"].astype("float64") // AGE_BAND_YEARS
    columns = (people["diagnosis"], people["sex"], decade)
    words = [column.astype(object).where(column.notna(), "unknown").map(str) for column in columns]
    return list(zip(*words, strict=True))


def _key(seed: int, person: str, stratum: tuple[str, ...]) -> tuple[str, ...]:
    """Where a person stands: a chance each for diagnosis, sex and decade, then the person's own."""
    return *(_chance(seed, *stratum[:depth]) for depth in (1, 2, 3)), _chance(seed, person)


def _chance(seed: int, *words: str) -> str:
    return hashlib.sha256("\t".join([str(seed), *words]).encode()).hexdigest()
