"""Made-up people to be split, and the steps of a study that grows and shrinks."""

import random

import pandas as pd

from brainlapse.pairs.amounts import split_counts
from brainlapse.pairs.splitting import Place, split_people

AMOUNTS = {"train": 0.7, "validation": 0.1, "test": "rest"}


def people(numbers) -> pd.DataFrame:
    """A row a person, who is the same in every study with that number."""
    rows = []
    for number in numbers:
        draw = random.Random(number)
        about = (
            draw.choices(["CN", "MCI", "AD", None], [5, 3, 2, 1])[0],
            draw.choice("FM"),
            draw.gauss(73, 8),
        )
        rows.append((f"adni:{number}", *about))
    frame = pd.DataFrame(rows, columns=["person", "diagnosis", "sex", "age_years"])
    return frame.set_index("person")


def split(study: pd.DataFrame, amounts: dict, seed: int = 0, remembered=None) -> dict[str, Place]:
    """Everybody's place, as the stage computes it."""
    return split_people(study, split_counts(len(study), amounts), seed, remembered or {})


def present(places: dict[str, Place]) -> dict[str, str]:
    """Person → split of those who are there."""
    return {person: place.split for person, place in places.items() if place.here}
