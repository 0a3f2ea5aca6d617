"""From rows to scans that lie on disk: choose, fetch what was chosen, and choose again where that failed.

Only chosen images are unpacked and converted: a download is a few thousand
used scans among ten times as many files.
"""

import logging
from datetime import date

import pandas as pd

from brainlapse.manifest.images import Brought, Image, bring
from brainlapse.manifest.inventory import Download
from brainlapse.manifest.selection import DATES_DISAGREE, FAR_APART_DAYS, UNREADABLE, select

log = logging.getLogger(__name__)


def choose(
    rows: pd.DataFrame, images: dict[str, Image], download: Download, same_visit_days: int, threads: int
) -> pd.DataFrame:
    """Return the rows as selection.select does, with `image` of each chosen one a NIfTI file on disk.

    A scan that cannot be unpacked or converted, or whose DICOM header gives
    a date more than 30 days from the one chosen by, gets its reason and the
    next best scan of its date is taken.
    """
    brought: dict[str, Brought] = {}
    while True:
        chosen = select(rows, same_visit_days)
        wanted = [scan for scan in chosen.loc[chosen["reason"].isna(), "scan"] if scan not in brought]
        if not wanted:
            break
        new = bring({scan: images[scan] for scan in wanted}, download, threads)
        brought |= new
        if not any(map(_tells, new.values())):
            break
        rows = _learnt(rows, new)
    paths = {scan: str(one.path) for scan, one in brought.items() if one.path}
    kept = chosen["reason"].isna()
    return chosen.assign(image=chosen["image"].where(~kept, chosen["scan"].map(paths)))


def _tells(one: Brought) -> bool:
    """Whether fetching told anything that could change the choice."""
    return any((one.problem, one.acquired, one.field_strength_t, one.manufacturer))


def _learnt(rows: pd.DataFrame, brought: dict[str, Brought]) -> pd.DataFrame:
    """The rows with what fetching told: failures, and what the DICOM header says."""
    rows = rows.copy()
    usable = rows[rows["reason"].isna()]
    places = dict(zip(usable["scan"], usable.index, strict=True))
    for scan, one in brought.items():
        place = places[scan]
        if one.problem:
            rows.loc[place, ["reason", "detail"]] = UNREADABLE, one.problem
        elif one.acquired is not None:
            _compare(rows, place, one.acquired)
        for name in ("field_strength_t", "manufacturer"):
            if getattr(one, name) is not None and pd.isna(rows.at[place, name]):
                rows.at[place, name] = getattr(one, name)
    return rows


def _compare(rows: pd.DataFrame, place, in_header: date) -> None:
    known = rows.at[place, "acquired"]
    if not isinstance(known, str):
        return
    apart = abs((date.fromisoformat(known) - in_header).days)
    said = f"{rows.at[place, 'scan']}: the DICOM header says {in_header}, table or folder {known}"
    if apart > FAR_APART_DAYS:
        rows.loc[place, ["reason", "detail"]] = DATES_DISAGREE, said
    elif apart > 1:
        log.warning("manifest: %s", said)
