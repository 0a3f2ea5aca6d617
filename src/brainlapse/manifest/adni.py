"""ADNI: the IDA collection CSV (one row an image) joined by image id with the extracted tree.

The header and the vocabulary are those of collections downloaded from
ida.loni.usc.edu. The diagnosis is the enrolment group of the collection, and
the age is in whole years: intervals come from acquisition dates only.
"""

import logging
import re
from datetime import date
from pathlib import Path

import pandas as pd

from brainlapse.errors import Refused
from brainlapse.manifest import selection
from brainlapse.manifest.image_tree import find_images
from brainlapse.manifest.study_table import read_table

REQUIRED = ("Image Data ID", "Subject", "Group", "Sex", "Age", "Visit", "Description", "Type", "Acq Date")
DIAGNOSIS = {
    "CN": "CN", "SMC": "CN", "MCI": "MCI", "EMCI": "MCI", "LMCI": "MCI", "AD": "AD", "Dementia": "AD",
}  # fmt: skip
T1 = re.compile(r"mp[ _-]*rage|f?spgr", re.IGNORECASE)
NO_T1 = re.compile(r"localizer|calibration|average dc|scout|b1[- ]|t1wa", re.IGNORECASE)
PROCESSED_T1 = re.compile(r"(MPR|MPR-R|MPR____|MT1);")
SUBJECT = re.compile(r"\d{3}_S_\d{4,5}")
IMAGE = re.compile(r"I?(\d+)")
FAR_APART_DAYS = 30

log = logging.getLogger(__name__)


def read(root: str | Path) -> pd.DataFrame:
    """Return a row for each table row and each image file without one.

    Columns: those of tables.SCANS but `cohort` and `days`, and `reason` and
    `detail`. Raises Refused if no collection CSV lies in `root`, or if one has
    dates that are not month/day/year.
    """
    rows = _collection_rows(Path(root))
    images = find_images(Path(root))
    rows = rows.assign(**_where_and_when(rows, images))
    rows["reason"] = _reasons(rows)
    return pd.concat([rows, _files_without_row(images, set(rows["scan"].dropna()))], ignore_index=True)


def _collection_rows(root: Path) -> pd.DataFrame:
    tables = {path: read_table(path) for path in sorted(root.rglob("*.csv")) if path.parent.name != "truth"}
    collections = {path: table for path, table in tables.items() if set(REQUIRED) <= set(table.columns)}
    if not collections:
        raise Refused(_no_collection(root, tables))
    return pd.concat([_rows_of(path, table) for path, table in collections.items()], ignore_index=True)


def _no_collection(root: Path, tables: dict[Path, pd.DataFrame]) -> str:
    seen = "".join(f"\n  {path}: {', '.join(table.columns)}" for path, table in tables.items())
    found = f"The CSV files there have other columns:{seen}" if tables else "No CSV file lies there."
    return (
        f"{root}: no ADNI collection table, a CSV with the columns {', '.join(REQUIRED)}. {found}\n"
        "Download it from ida.loni.usc.edu: Data Collections → your collection → CSV."
    )


def _rows_of(path: Path, table: pd.DataFrame) -> pd.DataFrame:
    """One collection CSV in our words; `table_date` is what the table says of the acquisition."""
    return pd.DataFrame(
        {
            "subject": table["Subject"].where(table["Subject"].str.fullmatch(SUBJECT.pattern)),
            "visit": table["Visit"].replace("", "n/a"),
            "scan": [_image_id(text) for text in table["Image Data ID"]],
            "table_date": [_date(text, path, line) for line, text in enumerate(table["Acq Date"], start=2)],
            "age_years": pd.to_numeric(table["Age"], errors="coerce").where(lambda age: age > 0),
            "sex": table["Sex"].str.upper().str[:1].where(lambda sex: sex.isin(["F", "M"])),
            "diagnosis": table["Group"].map(DIAGNOSIS),
            "field_strength_t": float("nan"),
            "manufacturer": None,
            "description": table["Description"],
            "type": table["Type"],
            "detail": [
                f"{path}, line {line}: {what}" for line, what in enumerate(table["Description"], start=2)
            ],
        }
    )


def _image_id(text: str) -> str | None:
    """`I118673` for `I118673` and `118673`; derived images (`D…`) and anything else have none."""
    found = IMAGE.fullmatch(text.strip())
    return f"I{int(found[1])}" if found else None


def _date(text: str, path: Path, line: int) -> date | None:
    """Month/day/year as IDA writes it, or year-month-day as a spreadsheet leaves it."""
    if text in ("", "-4", "-1", "NA"):
        return None
    parts = re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{4})", text)
    try:
        return date(int(parts[3]), int(parts[1]), int(parts[2])) if parts else date.fromisoformat(text[:10])
    except ValueError:
        raise Refused(
            f"{path}, line {line}, column Acq Date: {text!r} is not month/day/year as ADNI writes it. "
            "If a spreadsheet has rewritten the file, download it again."
        ) from None


def _where_and_when(rows: pd.DataFrame, images: pd.DataFrame) -> dict[str, pd.Series]:
    """The image of each row and its date: the folder's where there is one, else the table's."""
    found = images.drop_duplicates("scan").set_index("scan")
    image = rows["scan"].map(found["image"])
    stamp = rows["scan"].map(found["stamp"])
    apart = [abs((a - b).days) if _both(a, b) else 0 for a, b in zip(stamp, rows["table_date"], strict=True)]
    for scan, days in zip(rows["scan"], apart, strict=True):
        if 1 < days <= FAR_APART_DAYS:
            log.warning(
                "manifest: %s: folder and table date are %d days apart; the folder's is used", scan, days
            )
    acquired = stamp.where(stamp.notna(), rows["table_date"])
    return {
        "image": image,
        "acquired": pd.Series([day.isoformat() if isinstance(day, date) else None for day in acquired]),
        "apart": pd.Series(apart),
    }


def _both(first, second) -> bool:
    return isinstance(first, date) and isinstance(second, date)


def _reasons(rows: pd.DataFrame) -> pd.Series:
    """The first reason against each row, or None."""
    processed = rows["type"].str.strip().str.lower().ne("original") | rows["description"].str.contains(
        "; |<-"
    )
    same = rows.duplicated(["scan", "subject", "table_date"])
    several = rows.groupby("scan")["subject"].transform("nunique").gt(1) | (
        rows.groupby("scan")["table_date"].transform("nunique").gt(1)
    )
    # A derived image's id begins with D; it is told as processed, not as nameless.
    derived = rows["scan"].isna() & processed
    against = {
        selection.NO_IDENTIFIER: rows["subject"].isna() | (rows["scan"].isna() & ~derived),
        selection.CONFLICT: several,
        selection.REPEATED_ROW: same & rows["scan"].notna(),
        selection.NO_FILE: rows["image"].isna() & ~derived,
        selection.DICOM: rows["image"].map(lambda image: isinstance(image, str) and Path(image).is_dir()),
        selection.NOT_T1: ~derived & ~rows["description"].map(_is_t1),
        selection.NOT_ORIGINAL: processed,
        selection.NO_DATE: rows["acquired"].isna(),
        selection.DATES_DISAGREE: rows["apart"] > FAR_APART_DAYS,
    }
    reason = pd.Series(None, index=rows.index, dtype=object)
    for name, applies in against.items():
        reason[reason.isna() & applies.fillna(False).astype(bool)] = name
    return reason


def _is_t1(description: str) -> bool:
    """An MPRAGE or an SPGR, or what was processed from one (`MPR; GradWarp; …`, `MT1; …`)."""
    if PROCESSED_T1.match(description):
        return True
    return bool(T1.search(description)) and not NO_T1.search(description)


def _files_without_row(images: pd.DataFrame, known: set[str]) -> pd.DataFrame:
    extra = images[~images["scan"].isin(known)]
    return extra[["subject", "scan", "image"]].assign(reason=selection.NO_TABLE_ROW)
