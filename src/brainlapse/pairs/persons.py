"""Who is the same person: across cohorts, phases of a study and spellings of an id."""

import re

import pandas as pd

# A site and a RID, or a RID alone; a person who changes site or enrols again keeps the RID.
_ADNI = re.compile(r"(?:ADNI)?(?:\d{3}S(\d{4,5})|RID(\d{1,5}))|ADNI(\d{1,5})")
_OASIS3 = re.compile(r"OAS3\d{4}")


def person_of(subject: str, namespace: str) -> str:
    """Return a person's name that is one for all spellings: `adni:295`, `oasis3:OAS30001`, `mine:P7`.

    `namespace` says whose ids a cohort has. ADNI's and OASIS-3's own forms are
    known in every cohort: `002_S_0295`, `sub-ADNI002S0295`, `130_S_0295` and
    `RID 295` are `adni:295`. A bare number is a person of the namespace, since
    several studies number their people. Case, punctuation, a leading `sub-`
    and a number's leading zeros do not count.
    """
    plain = _plain(subject)
    if adni := _ADNI.fullmatch(plain):
        return f"adni:{int(next(filter(None, adni.groups())))}"
    if _OASIS3.fullmatch(plain):
        return f"oasis3:{plain}"
    return f"{namespace.lower()}:{int(plain) if plain.isdecimal() else plain or subject}"


def persons(rows: pd.DataFrame, people_of: dict[str, str]) -> pd.Series:
    """Return the person of each row with `cohort` and `subject`.

    `people_of` gives a cohort's namespace; a cohort that is not in it has its own.
    """
    found = [
        person_of(subject, people_of.get(cohort, cohort))
        for cohort, subject in zip(rows["cohort"], rows["subject"], strict=True)
    ]
    return pd.Series(found, index=rows.index, dtype=object)


def _plain(subject: str) -> str:
    """The letters and digits of an id; a spreadsheet may have made `295` into `295.0`."""
    label = re.sub(r"^sub[-_]", "", subject.strip(), flags=re.IGNORECASE)
    return re.sub(r"[\W_]", "", re.sub(r"^(\d+)\.0$", r"\1", label)).upper()
