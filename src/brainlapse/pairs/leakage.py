"""The proof that nobody is in two splits; without it no table is written."""

import re

import pandas as pd

from brainlapse.errors import Refused


def check_no_leakage(splits: pd.DataFrame, pairs: pd.DataFrame) -> None:
    """Raise Refused if a person is in two splits, or a pair in another split than its person.

    A person is told across cohorts and spellings: see `person_of`.
    """
    people = splits.assign(person=splits["subject"].map(person_of))
    several = people.groupby("person")["split"].transform("nunique") > 1
    if several.any():
        shown = "; ".join(f"{r.subject} of {r.cohort} in {r.split}" for r in people[several].itertuples())
        raise Refused(
            f"the same person is in two splits: {shown}. Take the person out of one cohort, or give both "
            "cohorts the role `external`."
        )
    of_subject = pairs[["cohort", "subject", "split"]].drop_duplicates()
    if len(of_subject.merge(splits)) != len(of_subject):
        raise Refused(
            "a pair is in another split than its person; this is a mistake in brainlapse, report it."
        )


def person_of(subject: str) -> str:
    """One spelling for all spellings of a subject id: `sub-ADNI002S0295` and `002_S_0295` are `002S0295`."""
    plain = re.sub(r"[^0-9A-Za-z]", "", subject.removeprefix("sub-")).upper()
    return re.sub(r"^ADNI(?=\d{3}S\d{4,5}$)", "", plain)
