"""When each scan of a BIDS dataset was made, by dates, days or years: whichever clock its tables keep."""

from datetime import datetime

import numpy as np
import pandas as pd

from brainlapse.errors import Refused
from brainlapse.manifest import selection
from brainlapse.manifest.bids_columns import Asked, headers_there, of_session
from brainlapse.manifest.bids_images import ONE_SESSION
from brainlapse.manifest.bids_tables import Said, numbers, told_of
from brainlapse.manifest.inventory import Download
from brainlapse.manifest.units import DAYS_PER_YEAR

YEARS = range(1600, 2080)  # BIDS shifts dates before 1925; what lies outside is a slip
MOST_YEARS = 100


def times_of(rows: pd.DataFrame, said: Said, asked: Asked) -> dict[str, pd.Series]:
    """Return `acquired`, `day`, `when` (days on the clock of either), and what is wrong with the time told.

    A person's times are all of one clock, for no two have a zero in common:
    dates, days or years, the one that tells most of the person's scans.
    `reason` and `detail` say what is wrong. All are on the index of `rows`.
    """
    told = [_dates(rows, said), _days(rows, said, asked), _years(rows, said, asked)]
    clocks = pd.concat([times["when"] for times in told], axis=1, keys=range(len(told))).astype("float64")
    covered = clocks.notna().groupby(rows["subject"]).transform("sum").to_numpy().reshape(-1, len(told))
    chosen = covered.argmax(axis=1)
    when = pd.Series(clocks.to_numpy()[np.arange(len(rows)), chosen], index=rows.index)
    problem = told[0]["problem"].fillna(told[1]["problem"]).fillna(told[2]["problem"])
    dated = pd.Series(chosen == 0, index=rows.index) & when.notna()
    acquired = [datetime.fromordinal(int(day)).date().isoformat() for day in when[dated]]
    return {
        "when": when,
        "acquired": pd.Series(acquired, index=when[dated].index, dtype=object).reindex(rows.index),
        "day": when.mask(dated),
        "reason": pd.Series(selection.IMPOSSIBLE_DATE, rows.index).where(when.isna() & problem.notna(), None),
        "detail": rows["detail"].where(when.notna() | problem.isna(), problem),
    }


def settle_timeless(rows: pd.DataFrame, said: Said, download: Download, settings: dict) -> pd.DataFrame:
    """Return the rows with a reason where no time is known; with day 0 where nobody has a second session.

    Raises Refused where people have several sessions and nothing tells any time.
    """
    timeless = rows["when"].isna() & rows["reason"].isna()
    sessions = rows.groupby("subject")["visit"].transform("nunique")
    if not (sessions > 1).any():
        alone = timeless & rows["when"].isna().groupby(rows["subject"]).transform("all")
        rows = rows.assign(when=rows["when"].mask(alone, 0.0), day=rows["day"].mask(alone, 0.0))
        timeless &= ~alone
    elif timeless.all():
        raise Refused(_nothing_tells(said, download, settings.get("cohort", "NAME")))
    lost = timeless & (rows["visit"] == ONE_SESSION) & (sessions > 1)
    rows.loc[timeless, ["reason", "detail"]] = selection.NO_DATE, "no table tells its time"
    rows.loc[lost, ["reason", "detail"]] = selection.NO_SESSION, "in no session, unlike the person's others"
    return rows


def _dates(rows: pd.DataFrame, said: Said) -> pd.DataFrame:
    told = told_of(said.scans, ["acq_time"], rows)
    told = told.fillna(told_of(said.sessions, ["acq_time"], rows))
    when = told["text"].map(_ordinal, na_action="ignore")
    return _judged(told, when, f"no ISO 8601 date (YYYY-MM-DD) of {YEARS[0]} to {YEARS[-1]}")


def _ordinal(text: str) -> float | None:
    try:
        day = datetime.fromisoformat(text)
    except ValueError:
        return None
    return float(day.toordinal()) if day.year in YEARS else None


def _days(rows: pd.DataFrame, said: Said, asked: Asked) -> pd.DataFrame:
    told = of_session("days", asked, rows, said)
    return _judged(told, numbers(told["text"]).round(), "no number of days")


def _years(rows: pd.DataFrame, said: Said, asked: Asked) -> pd.DataFrame:
    told = of_session("years_since_first", asked, rows, said)
    spec = asked.get("years_since_first")
    if isinstance(spec, dict):
        told.loc[~rows["visit"].isin(list(spec)), "text"] = "0"
    years = numbers(told["text"])
    years = years.where(years.between(0, MOST_YEARS))
    return _judged(told, (years * DAYS_PER_YEAR).round(), f"no number of years from 0 to {MOST_YEARS}")


def _judged(told: pd.DataFrame, when: pd.Series, fault: str) -> pd.DataFrame:
    said = told["where"].astype(object) + ": " + told["text"].map(repr, na_action="ignore") + f" is {fault}"
    problem = said.where(told["text"].notna() & when.isna())
    return pd.DataFrame({"when": when, "problem": problem}, dtype=object)


def _nothing_tells(said: Said, download: Download, cohort: str) -> str:
    return (
        f"{download.root}: people have several sessions and nothing tells when they were: no acq_time stands "
        "in scans.tsv or sessions.tsv. The labels of sessions are no times. Say which columns tell them:\n"
        f"{headers_there(said)}\n"
        "  In the config, with one of `days` (a column of sessions.tsv) and `years_since_first` (columns of "
        "participants.tsv, one for each session but the first). A row of sessions.tsv is about the folder "
        "whose label is its session_id:\n"
        f"    cohorts:\n      {cohort}:\n        columns:\n          days: HEADER\n"
        "          years_since_first: {SESSION: HEADER, SESSION: HEADER}"
    )
