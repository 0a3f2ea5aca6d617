"""Proof that nobody is in two splits; without it no table is written."""

import pandas as pd

from brainlapse.errors import Refused
from brainlapse.pairs.persons import persons

SHOWN = 10  # of the people whom the message names


def check_no_leakage(splits: pd.DataFrame, pairs: pd.DataFrame, people_of: dict[str, str]) -> None:
    """Raise Refused if a person is in two splits, or a pair in another split than its person.

    `people_of` gives each cohort's namespace of ids; a person is told across
    cohorts, phases and spellings (persons.person_of).
    """
    people = splits.assign(person=persons(splits, people_of))
    several = people.groupby("person")["split"].transform("nunique") > 1
    if several.any():
        raise Refused(_told(people[several]))
    of_subject = pairs[["cohort", "subject", "split"]].drop_duplicates()
    if len(of_subject.merge(splits)) != len(of_subject):
        raise Refused(
            "a pair is in another split than its person; this is a mistake in brainlapse, report it."
        )


def _told(people: pd.DataFrame) -> str:
    each = [
        ", ".join(f"{row.subject} of {row.cohort} in {row.split}" for row in same.itertuples())
        for _, same in people.groupby("person")
    ]
    more = f"; and {len(each) - SHOWN} more" if len(each) > SHOWN else ""
    return (
        f"the same person is in two splits: {'; '.join(each[:SHOWN])}{more}. Put them in test with "
        "splits.file, take them out of one cohort, or give both cohorts one role."
    )
