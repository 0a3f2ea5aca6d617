"""What a model may be told: the source, the interval, earlier scans, and facts about the person.

Nothing here is known only later: a diagnosis is that of the source scan.
What is not known is NaN, and a network that is told NaN is told nothing.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch

from brainlapse.errors import Refused
from brainlapse.models.batch import Batch
from brainlapse.models.history import changes_before
from brainlapse.models.settings import one_of
from brainlapse.models.unet import YEARS
from brainlapse.tables import DIAGNOSES

Periods = tuple[float, float]  # the shortest and the longest of the waves that encode a number


@dataclass(frozen=True)
class Fact:
    """The column it stands in, its categories in order (none for a number), and the waves that encode it."""

    column: str
    categories: tuple[str, ...]
    periods: Periods


FACTS = {
    "age": Fact("age_years", (), (20.0, 400.0)),
    "sex": Fact("sex", ("F", "M"), (4.0, 40.0)),
    "diagnosis": Fact("diagnosis", DIAGNOSES, (8.0, 80.0)),
}
CONDITIONS = ("source", "interval")  # the paper's, and those of a row that names none
HISTORY = "history"  # scans before the source (history.py)


def check_conditions(conditions: tuple[str, ...]) -> None:
    """Refuse an unknown or a repeated condition."""
    for condition in conditions:
        one_of("conditions", condition, (*CONDITIONS, HISTORY, *FACTS))
    if len(set(conditions)) < len(conditions):
        raise Refused(f"conditions: each may stand there once, not {', '.join(conditions)}.")


def numbers_told(conditions: tuple[str, ...]) -> dict[str, Periods]:
    """The conditions that are numbers, with the waves that encode them."""
    interval = {"interval": YEARS} if "interval" in conditions else {}
    return interval | {name: fact.periods for name, fact in FACTS.items() if name in conditions}


def numbers_of(batch: Batch, conditions: tuple[str, ...]) -> dict[str, torch.Tensor]:
    """The same conditions' values (B,) for a batch."""
    values = {"interval": batch.interval_years} | {name: batch.fact(name) for name in FACTS}
    return {name: values[name] for name in numbers_told(conditions)}


def history_of(batch: Batch, conditions: tuple[str, ...]) -> tuple[torch.Tensor, torch.Tensor] | None:
    """The changes up to the source and their years (`history.changes_before`), if they are a condition."""
    return changes_before(batch) if HISTORY in conditions else None


def facts_of(rows: pd.DataFrame) -> dict[str, torch.Tensor]:
    """Every fact about the rows' people, (n,) float32 each: years, or the place among the categories."""
    return {name: torch.from_numpy(_as_numbers(rows[fact.column], fact)) for name, fact in FACTS.items()}


def forgotten(batch: Batch, share: float) -> Batch:
    """The batch with each fact, and each earlier scan, unknown of a random share of the people.

    Drawn by torch's global generator. The volume of an earlier scan stays: whose years are NaN is not heard.
    """

    def withheld(numbers: torch.Tensor) -> torch.Tensor:
        return torch.where(torch.rand(numbers.shape).to(numbers.device) < share, torch.nan, numbers)

    facts = {name: withheld(numbers) for name, numbers in batch.facts.items()}
    years = None if batch.history_years is None else withheld(batch.history_years)
    return replace(batch, facts=facts, history_years=years)


def _as_numbers(values: pd.Series, fact: Fact) -> np.ndarray:
    if fact.categories:
        values = values.map({category: place for place, category in enumerate(fact.categories)})
    return values.astype("Float64").to_numpy(dtype="float32", na_value=np.nan)
