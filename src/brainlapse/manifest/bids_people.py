"""Age, sex and diagnosis at each scan of a BIDS dataset, of the session where told, else of the person."""

import logging

import pandas as pd

from brainlapse.manifest.bids_columns import Asked, of_person, of_session
from brainlapse.manifest.bids_tables import Said, numbers
from brainlapse.manifest.study_table import plain
from brainlapse.manifest.units import DAYS_PER_YEAR

OLDEST_YEARS = 120
SHOWN = 30  # of the words that are not known
SEX = {"f": "F", "female": "F", "woman": "F", "m": "M", "male": "M", "man": "M", "o": "O", "other": "O"}
DIAGNOSIS = {
    "CN": "CN, NC, HC, NL, CU, SMC, control, controls, healthy, healthy control, healthy controls, normal, "
    "normal control, cognitively normal, cognitively unimpaired, no dementia",
    "MCI": "MCI, EMCI, LMCI, aMCI, mild cognitive impairment",
    "AD": "AD, DAT, dementia, AD dementia, Alzheimer, Alzheimer's, Alzheimer's disease, Alzheimer disease, "
    "Alzheimer's dementia",
}
DIAGNOSIS_WORDS = {plain(word): meaning for meaning, words in DIAGNOSIS.items() for word in words.split(", ")}

log = logging.getLogger(__name__)


def about_people(rows: pd.DataFrame, said: Said, asked: Asked) -> dict[str, pd.Series]:
    """Return `age_years` at the scan, `sex`, `diagnosis` and `diagnosis_source` of each row, in our words.

    The rows need `when`: where the config names the age of a person, it is
    that at the first scan, and later ones are older by the days between.
    """
    sex = of_person("sex", asked, rows, said)["text"].fillna(of_session("sex", asked, rows, said)["text"])
    diagnosis, source = _diagnosis(rows, said, asked)
    return {
        "age_years": _ages(rows, said, asked),
        "sex": _in_our_words(sex, SEX, "sex"),
        "diagnosis": diagnosis,
        "diagnosis_source": source,
    }


def _ages(rows: pd.DataFrame, said: Said, asked: Asked) -> pd.Series:
    """Years at each scan: the session's, else the person's where it is known which scan it is about."""
    at_scan = numbers(of_session("age_years", asked, rows, said)["text"])
    once = numbers(of_person("age_years", asked, rows, said)["text"])
    several = rows.groupby("subject")["visit"].transform("nunique") > 1
    passed = rows["when"] - rows["when"].groupby(rows["subject"]).transform("min")
    later = (once + passed / DAYS_PER_YEAR) if "age_years" in asked else once.mask(several)
    ages = at_scan.fillna(once.where(~several, later))
    return ages.where((ages > 0) & (ages < OLDEST_YEARS)).round(2)


def _diagnosis(rows: pd.DataFrame, said: Said, asked: Asked) -> tuple[pd.Series, pd.Series]:
    """The session's diagnosis; where no session has any, that with which the person entered."""
    told, source = of_session("diagnosis", asked, rows, said)["text"], "visit"
    if told.isna().all():
        told, source = of_person("diagnosis", asked, rows, said)["text"], "enrolment"
    diagnosis = _in_our_words(told, DIAGNOSIS_WORDS, "diagnosis")
    return diagnosis, diagnosis.map(lambda _: source, na_action="ignore").astype(object)


def _in_our_words(texts: pd.Series, words: dict[str, str], what: str) -> pd.Series:
    found = texts.map(plain, na_action="ignore").map(words).astype(object)
    unknown = sorted(set(texts[found.isna()].dropna()))
    if unknown:
        log.warning("manifest: %s is taken as missing where it is %s", what, ", ".join(unknown[:SHOWN]))
    return found.where(found.notna(), None)
