"""OASIS-3: days since a person entered the study instead of dates, and clinical tables of two generations.

The days are kept as they are; no bins, in which two visits would become one.
Tables are known by their headers: demographics, UDSb4_cdr and MR_json of 2024,
and the ADRC clinical data from before.
"""

import logging

import pandas as pd

from brainlapse.errors import Refused
from brainlapse.manifest.images import Image
from brainlapse.manifest.inventory import Download
from brainlapse.manifest.oasis3_images import find_images
from brainlapse.manifest.oasis3_people import about_people
from brainlapse.manifest.oasis3_sessions import mr_sessions, sessions_without_image, with_scanner
from brainlapse.manifest.oasis3_tables import is_of_use, study_tables

log = logging.getLogger(__name__)


def read(download: Download, settings: dict) -> tuple[pd.DataFrame, dict[str, Image]]:
    """Return a row a NIfTI file (and one a session of MR_json without any), and the T1 images by scan id.

    `day` is the day since entry; `age_years` the age at entry and that day.
    The diagnosis is that of the person's nearest clinical day within the
    window. Raises Refused where nothing of OASIS-3 is there, and for two
    states of one clinical table.
    """
    tables = study_tables(download, settings)
    rows, images = find_images(download)
    sessions = mr_sessions(tables)
    if rows["subject"].isna().all() and sessions.empty:
        raise Refused(_nothing(download, tables))
    unused = [name for name, table in tables.items() if not is_of_use(table)]
    if unused:
        log.info("manifest: tables of no use here: %s", ", ".join(unused))
    rows = pd.concat(
        [with_scanner(rows, sessions), sessions_without_image(sessions, rows)], ignore_index=True
    )
    window = settings["selection"]["diagnosis_window_days"]
    return rows.assign(**about_people(rows, tables, window)), images


def _nothing(download: Download, tables: dict[str, pd.DataFrame]) -> str:
    seen = "".join(f"\n  {name}: {', '.join(table.columns[:20])}" for name, table in tables.items())
    return (
        f"{download.root}: nothing of OASIS-3: no image in a folder such as OAS30001_MR_d0129, and no table "
        f"that names MR sessions. Put the sessions as downloaded below this folder, zipped or not."
        + (f" The tables there:{seen}" if seen else "")
    )
