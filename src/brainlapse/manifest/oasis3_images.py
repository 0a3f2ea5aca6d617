"""A row an image of OASIS-3, with what its side file says, and why it cannot be used if so."""

from collections import defaultdict

import pandas as pd

from brainlapse.manifest import selection
from brainlapse.manifest.bids_names import NIFTI, is_repeat, is_t1w, scan_id
from brainlapse.manifest.bids_sidecars import side_file, tell_broken, told_by_scanner
from brainlapse.manifest.copies import one_of_copies
from brainlapse.manifest.images import Image
from brainlapse.manifest.inventory import Download, Item
from brainlapse.manifest.oasis3_names import Place, place_of

_COLUMNS = [
    "subject", "visit", "scan", "day", "repeat", "image", "table_rows", "reason", "detail", "place", "item"
]  # fmt: skip


def find_images(download: Download) -> tuple[pd.DataFrame, dict[str, Image]]:
    """Return a row an image, with a reason if it cannot be used, and the usable ones by scan id.

    Columns: those of manifest.COLUMNS that names, folders and side files tell;
    `day` counts from the person's entry, and `visit` is that day as `d0129`.
    """
    copies, side_files = defaultdict(list), {}
    for item in download.items:
        *folders, name = item.path.removeprefix(f"{download.root}/").split("/")
        if NIFTI.search(name):
            place, problem = place_of(folders, NIFTI.sub("", name))
            known = not problem and place.subject is not None and place.day is not None
            copies[place, problem, None if known else item.path].append(item)
        elif name.lower().endswith(".json"):
            side_files[place_of(folders, name[: -len(".json")])[0]] = item
    rows = [
        _row(place, items, problem) for (place, problem, _), items in sorted(copies.items(), key=_in_order)
    ]
    frame = pd.DataFrame(rows, columns=_COLUMNS, dtype=object).astype({"day": "float64"})
    again = frame["scan"].notna() & frame.duplicated("scan", keep=False)
    frame["scan"] += frame["place"].map(lambda place: f"_{place.folder}").where(again, "")
    usable = frame[frame["reason"].isna()]
    images = {row.scan: Image(row.image, (row.item,)) for row in usable.itertuples()}
    return frame.assign(**_side_facts(download, side_files, usable)).drop(columns=["place", "item"]), images


def _in_order(copies: tuple) -> tuple:
    (place, problem, path), _ = copies
    day = -1 if place.day is None else place.day
    return place.subject or "", day, place.folder, place.rest, problem or "", path or ""


def _row(place: Place, items: list[Item], problem: str | None) -> dict:
    item, differing = one_of_copies(items)
    visit = None if place.day is None else f"d{place.day:04d}"
    stem = f"sub-{place.subject}_ses-{visit}_{place.rest}"
    against = (
        (place.subject is None, selection.NO_IDENTIFIER, "no OAS3… in its path"),
        (problem is not None, selection.CONFLICT, problem),
        (differing is not None, selection.TWO_FILES, differing),
        (not is_t1w(stem), selection.NOT_T1, place.rest),
        (place.day is None, selection.NO_SESSION, "no day (d0129) in its path"),
    )
    reason, detail = next(((reason, detail) for applies, reason, detail in against if applies), (None, None))
    known = not problem and place.subject is not None and place.day is not None
    return {
        "subject": place.subject,
        "visit": visit,
        "scan": scan_id(stem) if known else None,
        "day": place.day,
        "repeat": is_repeat(stem),
        "image": item.path,
        "table_rows": 1,
        "reason": reason,
        "detail": detail,
        "place": place,
        "item": item,
    }


def _side_facts(download: Download, side_files: dict[Place, Item], rows: pd.DataFrame) -> dict:
    """What the JSON files beside the images tell, in the simplified layout or in anat1/BIDS."""
    items = [side_files.get(place) for place in rows["place"]]
    told = [side_file(download.read(item)) if item else {} for item in items]
    tell_broken([item.path for item, facts in zip(items, told, strict=True) if facts is None])
    facts = [told_by_scanner(one or {}) for one in told]
    return dict(pd.DataFrame(facts, index=rows.index, columns=list(told_by_scanner({})), dtype=object))
