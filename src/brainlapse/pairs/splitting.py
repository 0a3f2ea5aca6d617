"""Who is training, validation and test: exact, stratified, and steady while a study grows.

No rule that looks at the people alone can give exact counts and move nobody
when somebody is added. So each run is told where people were after the last
one (memory.py), and only changes what must change:

- whoever was there keeps their split; newcomers fill what the counts lack;
- where somebody left and nobody new fills the place, a person of a later split
  moves up: from test or validation into training, or from test into
  validation. Never the other way round: a person who was trained on is not
  tested afterwards, except that
- where one who had left comes back, and keeps the split they had, the one who
  moved up for them moves back: an edit that is undone is undone altogether.

Without a memory the splits depend on the people, the seed and the counts alone.
"""

import logging
from collections import Counter
from dataclasses import dataclass, replace

import pandas as pd

from brainlapse.pairs.amounts import SPLITS
from brainlapse.pairs.dealing import deal, stratified

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Place:
    """A person's split, the one they were dealt if they moved up since, and whether the last run had them."""

    split: str
    was: str | None = None
    here: bool = True


def split_people(
    people: pd.DataFrame, places: dict[str, int], seed: int, remembered: dict[str, Place]
) -> dict[str, Place]:
    """Return everybody's place after this run: those of `people`, and those remembered who are not `here`.

    `people` has a row a person: the person as index, `diagnosis`, `sex` and
    `age_years` at the first scan, each of which may be missing. `places` says
    how many of them each split takes and adds up to their number. The order of
    the rows does not matter.
    """
    strata = stratified(people, seed)
    now = {person: remembered[person] for person in strata if person in remembered}
    now |= _moved_back(now, places)
    dealt = deal(strata, places, {person: place.split for person, place in now.items()})
    now = {person: now.get(person, Place(dealt[person])) for person in strata}
    left = Counter(place.split for person, place in remembered.items() if place.here and person not in now)
    for split in SPLITS[:-1]:
        now |= _moved_up(now, strata, places, split, left[split])
    _tell(now, places)
    away = {person: replace(place, here=False) for person, place in remembered.items() if person not in now}
    return away | {person: replace(place, here=True) for person, place in now.items()}


def _moved_back(now: dict[str, Place], places: dict[str, int]) -> dict[str, Place]:
    """Those who had moved up into a split that is too full, one for each who came back to it."""
    back = {}
    for split in SPLITS[:-1]:
        returned = sum(place.split == split and not place.here for place in now.values())
        moved_up = [person for person, place in now.items() if place.split == split and place.was]
        number = max(0, min(returned, _filled(now)[split] - places[split]))
        back |= {person: Place(now[person].was) for person in moved_up[:number]}
    return back


def _moved_up(
    now: dict[str, Place], strata: dict[str, tuple], places: dict[str, int], split: str, left: int
) -> dict[str, Place]:
    """As many as the split lacks, but no more than left it, from later splits that have too many."""
    moved = {}
    for donor in reversed(SPLITS[SPLITS.index(split) + 1 :]):
        filled = _filled(now | moved)
        number = min(places[split] - filled[split], left - len(moved), filled[donor] - places[donor])
        if number > 0:
            members = {person: strata[person] for person, place in now.items() if place.split == donor}
            chosen = deal(members, {split: number, donor: len(members) - number}, {})
            up = [person for person in members if chosen[person] == split]
            moved |= {person: Place(split, was=now[person].was or donor) for person in up}
    return moved


def _filled(now: dict[str, Place]) -> Counter:
    return Counter(place.split for place in now.values())


def _tell(now: dict[str, Place], places: dict[str, int]) -> None:
    filled = {split: _filled(now)[split] for split in places}
    if filled != places:
        log.warning(
            "splits: %s people, where the config asks for %s: those who were there keep their split. "
            "Remove splits_memory.tsv and splits.tsv to deal everybody anew",
            filled,
            places,
        )
