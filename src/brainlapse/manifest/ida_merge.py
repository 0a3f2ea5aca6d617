"""All that a download says of each IDA image → one row an image, with what speaks against using it.

Who is believed: the side file before the tables before the folders; for the
date the side file before the folder's stamp before the tables, since tables
of one study differ by a day. Intervals come from these dates alone: a visit's
code and a whole-year age never count.
"""

import logging
import re

import pandas as pd

from brainlapse.manifest import selection
from brainlapse.manifest.ida_descriptions import ends_the_chain, is_processed, is_repeat, is_t1

NAMED = 5  # of those that a warning counts

BELIEVED = {"xml": 0, "table": 1, "folder": 2}
BELIEVED_DATE = {"xml": 0, "folder": 1, "table": 2}
_FACTS = [
    "subject", "visit", "description", "type", "modality", "group", "sex", "field_strength_t",
    "manufacturer", "age", "problem", "where",
]  # fmt: skip

log = logging.getLogger(__name__)


def one_row_an_image(
    facts: pd.DataFrame, tree: pd.DataFrame, subject: re.Pattern, needs_row: bool, wanted: str
) -> pd.DataFrame:
    """Return a row a scan, and a row each for table rows that name no valid image.

    `facts` are the rows of ida_tables.image_facts, of the side files and of
    the folders; `wanted` is original or processed. The order of the rows does
    not matter.
    """
    facts = facts.astype({"subject": "str", "description": "str", "problem": "str"})
    facts["subject"] = facts["subject"].where(_matches(facts["subject"], subject))
    named = facts[facts["scan"].notna()]
    files = tree[tree["scan"].notna()].set_index("scan")[["image", "problem"]]
    rows = _merged(named).join(files.rename(columns={"problem": "two_files"})).reset_index(names="scan")
    rows["repeat"] = is_repeat(rows["description"].fillna(""))
    rows["acquired"] = rows["date"].map(lambda day: day.isoformat(), na_action="ignore")
    rows["reason"] = _reasons(rows, needs_row, wanted)
    rows["detail"] = _details(rows, named)
    rows["sex"] = rows["sex"].mask(rows["sexes"] > 1)
    usable = rows[rows["reason"].isna()]
    _warn(usable[usable["sexes"] > 1], "two sexes are told of one image; it is taken as missing")
    _warn(
        usable[usable["apart_days"] > 1],
        "the dates in side file, folder and tables differ by 2 to 30 days; the first of these counts",
    )
    return pd.concat([rows, _nameless(facts[facts["scan"].isna()])], ignore_index=True)


def _matches(ids: pd.Series, form: re.Pattern) -> pd.Series:
    return ids.str.fullmatch(form.pattern).fillna(False).astype(bool)


def _merged(facts: pd.DataFrame) -> pd.DataFrame:
    """Of each scan every fact as the most believed source has it, and what the sources disagree on."""
    facts = facts.assign(rank=facts["source"].map(BELIEVED), date_rank=facts["source"].map(BELIEVED_DATE))
    facts = facts.sort_values(["scan", "rank", *_FACTS], kind="stable")
    by_scan = facts.groupby("scan", sort=True)
    exact = facts["age"].where(facts["age"] % 1 != 0)
    days = facts["date"].map(lambda day: day.toordinal(), na_action="ignore").astype("float64")
    spread = days.groupby(facts["scan"])
    dated = facts.dropna(subset=["date"]).sort_values(["scan", "date_rank", "date"], kind="stable")
    source = facts["source"]
    return (
        by_scan[_FACTS]
        .first()
        .assign(
            age_exact=exact.groupby(facts["scan"]).first(),
            age_whole=by_scan["age"].first(),
            date=dated.groupby("scan")["date"].first(),
            apart_days=(spread.max() - spread.min()).fillna(0),
            subjects=by_scan["subject"].nunique(),
            sexes=by_scan["sex"].nunique(),
            types=_is_original(facts["type"]).groupby(facts["scan"]).nunique(),
            table_rows=source.eq("table").groupby(facts["scan"]).sum(),
            only_folders=source.eq("folder").groupby(facts["scan"]).all(),
        )
    )


def _is_original(types: pd.Series) -> pd.Series:
    """Whether an image is as the scanner made it, where that is told; for the rest IDA has several words."""
    return types.str.strip().str.lower().eq("original").where(types.notna())


def _reasons(rows: pd.DataFrame, needs_row: bool, wanted: str) -> pd.Series:
    """The first reason against each row in the order of the funnel, or None."""
    description = rows["description"].fillna("")
    processed = _is_original(rows["type"]).eq(False) | is_processed(description)
    asked = pd.Series(wanted == "processed", index=rows.index)
    against = {
        selection.NO_TABLE_ROW: rows["only_folders"].astype(bool) & needs_row,
        selection.NO_IDENTIFIER: rows["subject"].isna(),
        selection.CONFLICT: (rows["subjects"] > 1) | (rows["types"] > 1),
        selection.NO_FILE: rows["image"].isna(),
        selection.TWO_FILES: rows["two_files"].notna(),
        selection.NOT_MRI: ~rows["modality"].fillna("MRI").str.upper().isin(["MRI", "MR"]),
        selection.NOT_T1: ~is_t1(description) | (processed & asked & ~ends_the_chain(description)),
        selection.NOT_ORIGINAL: processed & ~asked,
        selection.NOT_PROCESSED: ~processed & asked,
        selection.IMPOSSIBLE_DATE: rows["date"].isna() & rows["problem"].notna(),
        selection.NO_DATE: rows["date"].isna(),
        selection.DATES_DISAGREE: rows["apart_days"] > selection.FAR_APART_DAYS,
    }
    reason = pd.Series(None, index=rows.index, dtype=object)
    for name, applies in against.items():
        reason[reason.isna() & applies] = name
    return reason


def _details(rows: pd.DataFrame, facts: pd.DataFrame) -> pd.Series:
    """Where a scan is spoken of and how; of a scan with a reason against it, what that rests on."""
    details = rows["where"] + ": " + rows["description"].fillna("")
    rests_on = {
        selection.CONFLICT: lambda row: _said_differently(facts[facts["scan"] == row.scan]),
        selection.TWO_FILES: lambda row: row.two_files,
        selection.IMPOSSIBLE_DATE: lambda row: f"{row.where}: {row.problem}",
        selection.DATES_DISAGREE: lambda row: f"{row.apart_days:.0f} days between {row.where} and others",
    }
    for row in rows[rows["reason"].isin(rests_on)].itertuples():
        details[row.Index] = rests_on[row.reason](row)
    return details


def _said_differently(facts: pd.DataFrame) -> str:
    """Whose image it is and of which type, by all that say so."""
    said = facts[["subject", "type", "where"]].drop_duplicates(["subject", "type"]).fillna("n/a")
    return "; ".join(f"{one.where}: {one.subject}, type {one.type}" for one in said.itertuples())


def _warn(rows: pd.DataFrame, what: str) -> None:
    if len(rows):
        log.warning("manifest: %d images: %s: %s", len(rows), what, ", ".join(rows["scan"].head(NAMED)))


def _nameless(facts: pd.DataFrame) -> pd.DataFrame:
    """Table rows without a valid image id, each as it is."""
    kept = facts[["subject", "visit", "description", "where"]]
    return kept.assign(table_rows=1, reason=selection.NO_IDENTIFIER, detail=facts["where"])
