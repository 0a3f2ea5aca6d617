"""A download from IDA (ADNI, AIBL): its image tables, side files and image tree, read and merged.

The archive has handed out four families of tables, and people keep them in
one folder with zips and trees of several years: whatever the mixture, one
image becomes one row.
"""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import pandas as pd

from brainlapse.errors import Refused
from brainlapse.manifest import ida_tables, ida_xml
from brainlapse.manifest.dates import DAY_FIRST, MONTH_FIRST, parse_dates
from brainlapse.manifest.ida_merge import one_row_an_image
from brainlapse.manifest.image_tree import find_images
from brainlapse.manifest.images import Image
from brainlapse.manifest.inventory import Download
from brainlapse.manifest.selection import NO_TABLE_ROW, SIDE_FILE
from brainlapse.manifest.study_table import column, is_table, read_table

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Archive:
    """What lies in a download: a row an image, the images by scan id, and the tables that name no image."""

    rows: pd.DataFrame
    images: dict[str, Image]
    others: dict[str, pd.DataFrame]


def read(
    download: Download,
    settings: dict,
    subject: re.Pattern,  # the form of the study's ids
    needs_row: bool = True,  # False: an image can be used that no table names, if its folders say enough
    extra_cells: bool = False,  # whether rows may have more cells than the header; they are dropped
) -> Archive:
    """Merge all that is said of each image and find its files.

    The rows have the columns of a reader (see manifest.COLUMNS), and `group`,
    `age_exact` and `age_whole`. Raises Refused where nothing speaks of images.
    """
    tree, images = find_images(download, subject)
    headers = ida_tables.headers_for(settings["columns"])
    tables = _tables(download, extra_cells, people=[*headers["subject"], "RID"])
    named = {name for name, table in tables.items() if ida_tables.is_image_table(table, headers)}
    others = {name: table for name, table in tables.items() if name not in named}
    side_files, broken = _side_files(download)
    if not named and side_files.empty and needs_row:
        raise Refused(_nothing_speaks(download, others, settings.get("cohort", "NAME")))
    settle = _settled_by(tree)
    said = [
        ida_tables.image_facts(name, tables[name], headers, settings.get("date_format"), settle)
        for name in sorted(named)
    ]
    facts = pd.concat([side_files, *said, _said_by_folders(tree)], ignore_index=True)
    rows = one_row_an_image(facts, tree, subject, needs_row, settings["selection"]["images"])
    return Archive(pd.concat([rows, _nameless(tree), broken], ignore_index=True), images, others)


def _tables(download: Download, extra_cells: bool, people: list[str]) -> dict[str, pd.DataFrame]:
    """Every table by its path but the phantom's truth.

    A file that is no whole table is refused if it could matter, which it can
    only if it has a column of people; a README has none.
    """
    tables, truth = {}, f"{download.root}/truth/"
    for item in download.items:
        if is_table(item.path) and not item.path.startswith(truth):
            data = download.read(item)
            try:
                tables[item.path] = read_table(data, item.path, extra_cells)
            except Refused as refusal:
                if _names_people(data, item.path, people):
                    raise
                log.warning("manifest: not used, and it names nobody: %s", refusal)
    return tables


def _names_people(data: bytes, name: str, people: list[str]) -> bool:
    """Whether the first line is a header with a column of people; yes where it cannot be told."""
    try:
        header = read_table(data.splitlines()[0] if data.strip() else data, name)
    except Refused:
        return not name.lower().endswith(".txt")
    return column(header, *people) is not None


def _settled_by(tree: pd.DataFrame) -> Callable:
    """A function that tells day from month by the dates of the folders in which the same images lie."""
    stamps = tree.dropna(subset=["scan", "stamp"]).drop_duplicates("scan").set_index("scan")["stamp"]

    def of(scans: pd.Series) -> Callable:
        known = scans.map(stamps)

        def settle(month_first: pd.Series, day_first: pd.Series) -> str | None:
            month, day = _hits(known, month_first), _hits(known, day_first)
            return None if month == day else MONTH_FIRST if month > day else DAY_FIRST

        return settle

    return of


def _hits(stamps: pd.Series, dates: pd.Series) -> int:
    """How many dates lie within a day of the folder's."""
    both = [(a, b) for a, b in zip(stamps, dates, strict=True) if isinstance(a, date) and isinstance(b, date)]
    return sum(abs((a - b).days) <= 1 for a, b in both)


def _side_files(download: Download) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What the XML files say of their images, and a row for each that cannot be read."""
    said, broken = [], []
    for item in download.items:
        if not item.path.lower().endswith(".xml"):
            continue
        try:
            said.append(ida_xml.image_facts(download.read(item)) | {"where": item.path})
        except (ida_xml.Unreadable, Refused) as problem:
            broken.append({"image": item.path, "reason": SIDE_FILE, "detail": str(problem)})
    facts = pd.DataFrame(said, columns=[*ida_tables.CELLS, "where"], dtype=object)
    dates = parse_dates(facts["date"].fillna(""), "the XML side files", "dateAcquired")
    facts = ida_tables.in_units(facts.assign(**dates, source="xml"))
    return facts, pd.DataFrame(broken, columns=["image", "reason", "detail"], dtype=object)


def _said_by_folders(tree: pd.DataFrame) -> pd.DataFrame:
    """The tree as the last to speak: whose folder it is, the description's folder, and its date."""
    found = tree[tree["scan"].notna()]
    described = found["folder"].astype("str").str.replace("_", " ")
    facts = found[["scan", "subject"]].assign(description=described, date=found["stamp"], source="folder")
    return facts.assign(where=found["image"])


def _nameless(tree: pd.DataFrame) -> pd.DataFrame:
    """The image files whose name and folders hold no image id, so that no row can be theirs."""
    found = tree.loc[tree["scan"].isna(), ["subject", "image"]]
    return found.assign(reason=NO_TABLE_ROW, detail="no image id (I123) in its name or its folder's")


def _nothing_speaks(download: Download, tables: dict[str, pd.DataFrame], cohort: str) -> str:
    seen = "".join(
        f"\n{name}\n{ida_tables.snippet(list(table.columns), cohort)}" for name, table in tables.items()
    )
    return (
        f"{download.root}: no image table, in CSV, TSV or Excel form with at least the columns "
        f"{', '.join(ida_tables.NEEDED)} under one of the names that IDA gives them, and no XML side files. "
        "Download the table from ida.loni.usc.edu: Data Collections → your collection → CSV; in a search "
        f"export tick `Image ID`. docs/data.md has the steps. {_found(seen)}"
    )


def _found(seen: str) -> str:
    return f"The tables there are others:{seen}" if seen else "No table lies there."


def tell_unused(tables: dict[str, pd.DataFrame], used: set[str], subject: re.Pattern, cohort: str) -> None:
    """Warn of tables with people in them that were of no use, with what to add to the config."""
    headers = ida_tables.headers_for({})["subject"]
    for name, table in tables.items():
        people = column(table, *headers)
        if name not in used and people is not None and people.str.fullmatch(subject.pattern).any():
            log.warning(
                "manifest: %s names people but no images or diagnoses that are known here; not used.\n%s",
                name,
                ida_tables.snippet(list(table.columns), cohort),
            )
