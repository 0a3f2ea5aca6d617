"""AIBL: an IDA download like ADNI's, whose people are plain numbers and whose clinical tables are its own.

The study's tables (`aibl_pdxconv_…`, `aibl_mrimeta_…`, `aibl_ptdemog_…`) tell a
visit by a code; the day of the visit stands in another table of the same code.
The image collection's CSV is not always there: folders then say whose image it
is, what it is and when it was made.
"""

import re

import pandas as pd

from brainlapse.manifest import ida
from brainlapse.manifest.dates import parse_dates
from brainlapse.manifest.ida_people import VISITS, People, with_people
from brainlapse.manifest.images import Image
from brainlapse.manifest.inventory import Download
from brainlapse.manifest.study_table import column

SUBJECT = re.compile(r"\d{1,4}")
DIAGNOSIS = {1: "CN", 2: "MCI", 3: "AD"}  # DXCURREN
SEX = {"1": "M", "2": "F"}  # PTGENDER


def read(download: Download, settings: dict) -> tuple[pd.DataFrame, dict[str, Image]]:
    """Return a row an image, with the columns manifest.COLUMNS, and the images by scan id.

    Raises Refused for dates that could be read two ways.
    """
    archive = ida.read(download, settings, SUBJECT, needs_row=False, extra_cells=True)
    people = _people(archive.others, settings.get("date_format"))
    window = settings["selection"]["diagnosis_window_days"]
    return with_people(archive.rows, archive.rows["subject"], people, window), archive.images


def _people(tables: dict[str, pd.DataFrame], date_format: str | None) -> People:
    visits, dates, sex = [], [], []
    for name in sorted(tables):
        table = tables[name]
        if column(table, "RID") is None:
            continue
        if column(table, "PTGENDER") is not None:
            sex.append(pd.Series(column(table, "PTGENDER").map(SEX).to_numpy(), index=column(table, "RID")))
        if column(table, "VISCODE") is not None:
            visits += [_coded(table, column(table, "DXCURREN"))]
            dates += [_days(name, table, date_format)]
    return People(visits=_dated(visits, dates), sex=_first(sex))


def _coded(table: pd.DataFrame, diagnosis: pd.Series | None) -> pd.DataFrame:
    """The diagnoses of a table by person and visit code."""
    keys = {"person": column(table, "RID"), "code": column(table, "VISCODE").str.lower()}
    said = None if diagnosis is None else pd.to_numeric(diagnosis, errors="coerce").map(DIAGNOSIS)
    return pd.DataFrame({**keys, "diagnosis": said}).dropna()


def _days(name: str, table: pd.DataFrame, date_format: str | None) -> pd.DataFrame:
    """The days of a table by person and visit code."""
    keys = {"person": column(table, "RID"), "code": column(table, "VISCODE").str.lower()}
    texts = column(table, "EXAMDATE")
    if texts is None:
        return pd.DataFrame(columns=[*keys, "when"])
    days = parse_dates(texts, name, "EXAMDATE", date_format)["date"]
    return pd.DataFrame({**keys, "when": days.map(lambda day: day.toordinal(), na_action="ignore")}).dropna()


def _dated(visits: list[pd.DataFrame], dates: list[pd.DataFrame]) -> pd.DataFrame:
    """Diagnoses with the earliest day that any table has for the same person and code."""
    if not visits or not dates:
        return pd.DataFrame(columns=VISITS)
    days = pd.concat(dates).groupby(["person", "code"], as_index=False)["when"].min()
    return pd.concat(visits).merge(days, on=["person", "code"])[VISITS].drop_duplicates()


def _first(parts: list[pd.Series]) -> pd.Series:
    together = pd.concat(parts).dropna() if parts else pd.Series(dtype=object)
    return together[~together.index.duplicated()]
