"""Which columns of a BIDS dataset's tables mean what: those the config names, else the usual headers."""

import logging

import pandas as pd

from brainlapse.errors import Refused
from brainlapse.manifest.bids_tables import Said, told_of
from brainlapse.manifest.study_table import column

# Our words in `cohorts.NAME.columns`, and the headers that mean them without being told.
HEADERS = {
    "days": [],
    "years_since_first": [],
    "age_years": ["age", "age_years"],
    "sex": ["sex", "gender"],
    "diagnosis": ["diagnosis", "dx"],
}

Asked = dict[str, list[str] | dict[str, str]]  # our word → headers, or session → header

log = logging.getLogger(__name__)


def asked_columns(settings: dict, said: Said, visits: set[str]) -> Asked:
    """Return what the config says of the columns; `visits` are the sessions that have usable images.

    Raises Refused for a word that is not known, a header that is not there,
    and years that leave more than one session without a column.
    """
    asked = {}
    for word, spec in settings["columns"].items():
        key = f"cohorts.{settings.get('cohort', 'NAME')}.columns.{word}"
        if word not in HEADERS:
            raise Refused(f"{key}: the bids reader knows {', '.join(HEADERS)}.")
        if isinstance(spec, dict):
            asked[word] = {str(visit).removeprefix("ses-"): header for visit, header in spec.items()}
            headers, tables = list(spec.values()), [said.people]
        else:
            asked[word] = headers = [spec] if isinstance(spec, str) else list(spec)
            in_time = word in ("days", "years_since_first")
            tables = [said.sessions] if in_time else [said.sessions, said.people]
        absent = [header for header in headers if all(column(table, header) is None for table in tables)]
        if absent and (isinstance(spec, dict) or len(absent) == len(headers)):
            raise Refused(f"{key}: there is no column {', '.join(absent)}.\n{headers_there(said)}")
        if word == "years_since_first" and isinstance(spec, dict):
            _check_sessions(key, set(asked[word]), visits)
    return asked


def of_session(word: str, asked: Asked, rows: pd.DataFrame, said: Said) -> pd.DataFrame:
    """Return what is told of each row's own session, as told_of does."""
    spec = asked.get(word, HEADERS[word])
    if isinstance(spec, dict):
        return _by_session(spec, rows, said)
    return told_of(said.sessions, spec, rows)


def of_person(word: str, asked: Asked, rows: pd.DataFrame, said: Said) -> pd.DataFrame:
    """Return what is told of each row's person, once for all sessions, as told_of does."""
    spec = asked.get(word, HEADERS[word])
    return told_of(said.people, [] if isinstance(spec, dict) else spec, rows)


def headers_there(said: Said) -> str:
    """Return the headers of the tables in lines for a message."""
    tables = {"participants.tsv": said.people, "…_sessions.tsv": said.sessions}
    return "\n".join(
        f"  headers of {name}: {', '.join(table.columns) or 'there is no such table'}"
        for name, table in tables.items()
    )


def _check_sessions(key: str, named: set[str], visits: set[str]) -> None:
    """Two sessions without a column would both be called the first."""
    unnamed, elsewhere = sorted(visits - named), sorted(named - visits)
    if len(unnamed) > 1:
        raise Refused(
            f"{key}: the sessions {', '.join(unnamed)} have no column, and only the first needs none. "
            "Name a column of participants.tsv for each of the others."
        )
    if elsewhere:
        log.warning("manifest: %s: there is no T1w image of session %s", key, ", ".join(elsewhere))


def _by_session(spec: dict[str, str], rows: pd.DataFrame, said: Said) -> pd.DataFrame:
    """The cells of participants.tsv, where each session has a column of its own."""
    found = told_of(said.people, [], rows)
    for visit, header in spec.items():
        here = rows[rows["visit"] == visit]
        found.loc[here.index] = told_of(said.people, [header], here)
    return found
