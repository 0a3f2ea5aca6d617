"""Stage 1: a study's own tables, images and archives → scans.tsv, rejected.tsv and funnel.tsv."""

import logging
from collections import Counter
from pathlib import Path

import pandas as pd

from brainlapse import tables
from brainlapse.errors import Refused
from brainlapse.folders import SIDE_FILES, TABLES
from brainlapse.manifest import adni, aibl, bids, oasis3
from brainlapse.manifest.choosing import choose
from brainlapse.manifest.inventory import Download
from brainlapse.manifest.oddities import settle_oddities
from brainlapse.manifest.selection import STEP_OF, UNSAFE, funnel
from brainlapse.writing import write_text

# A reader takes the download and the cohort's settings, and returns every row and file of it (a frame
# with COLUMNS, in which what cannot be used has a reason of selection.STEPS) and the images by scan id.
# A study is added with one file and one line here; docs/data.md says how.
COHORTS = {
    "adni": adni.read,
    "aibl": aibl.read,
    "oasis3": oasis3.read,
    "bids": bids.read,
    "phantom": adni.read,  # the phantom study is written as an ADNI download
}
COLUMNS = (
    "subject",  # the study's own id
    "visit",  # the study's name of the visit
    "scan",  # unique in the cohort
    "acquired",  # YYYY-MM-DD, or None
    "day",  # days on the study's own clock, where it gives no dates
    "age_years",  # at the scan
    "sex",
    "diagnosis",  # at the scan
    "diagnosis_source",
    "field_strength_t",
    "manufacturer",
    "description",
    "repeat",  # whether it is a second attempt of the same session
    "image",  # where it lies, for a person to find
    "table_rows",  # how many table rows speak of it
    "reason",  # why it cannot be used, or None
    "detail",  # what was seen
)
# What a command by hand may leave out: the defaults of the config's schema (a test compares).
DEFAULTS = {
    "role": "study",
    "columns": {},
    "selection": {"images": "original", "same_visit_days": 45, "diagnosis_window_days": 183},
}
LOOKED_AT = (*TABLES, *SIDE_FILES, ".nii", ".nii.gz", ".dcm")
FEWEST_PEOPLE = 3  # with fewer a study cannot be split into training and test

log = logging.getLogger(__name__)


def run(options) -> None:
    """Read one cohort, choose its scans, and write the three tables and the list of image ids."""
    settings = _completed(options.settings) | {"cohort": options.cohort}
    download = Download(settings["root"], options.out / "files")
    _tell_others(download)
    rows, images = COHORTS[settings["reader"]](download, settings)
    rows = pd.concat([_whole(rows), _unsafe(download)], ignore_index=True).assign(cohort=options.cohort)
    rows = choose(rows, images, download, settings["selection"]["same_visit_days"], options.threads)
    steps = funnel(rows, options.cohort)
    _tell(steps)
    scans = rows[rows["reason"].isna()]
    _refuse_too_few(scans, steps, settings)
    _write(rows, settle_oddities(scans), steps, options.out)


def _completed(settings: dict) -> dict:
    selection = DEFAULTS["selection"] | settings.get("selection", {})
    return DEFAULTS | settings | {"selection": selection}


def _whole(rows: pd.DataFrame) -> pd.DataFrame:
    rows = rows.reindex(columns=list(COLUMNS)).astype({"reason": object, "detail": object})
    return rows.assign(table_rows=rows["table_rows"].fillna(0).astype(int))


def _unsafe(download: Download) -> pd.DataFrame:
    """A row for each member of an archive that was left where it is."""
    found = pd.DataFrame(download.unsafe, columns=["image", "detail"], dtype=object)
    return _whole(found.assign(reason=UNSAFE))


def _tell_others(download: Download) -> None:
    """Say what kinds of files no reader looks at: Analyze images, documents, archives in archives."""
    others = [item.path for item in download.items if not item.path.lower().endswith(LOOKED_AT)]
    kinds = Counter(Path(path).suffix.lower() or "no suffix" for path in others)
    if kinds:
        told = ", ".join(f"{kind}: {count}" for kind, count in kinds.most_common(10))
        log.info("manifest: %d files are neither tables nor images that can be read (%s)", len(others), told)


def _tell(steps: pd.DataFrame) -> None:
    for step in steps.itertuples():
        log.info("manifest %s: %6d of %5d people: %s", step.cohort, step.rows, step.subjects, step.step)


def _write(rows: pd.DataFrame, scans: pd.DataFrame, steps: pd.DataFrame, out: Path) -> None:
    rejected = rows[rows["reason"].notna()]
    rejected = rejected.assign(step=rejected["reason"].map(STEP_OF))
    scans = scans.sort_values(["subject", "days", "scan"])
    tables.write(rejected, out / "rejected.tsv", tables.REJECTED)
    tables.write(steps, out / "funnel.tsv", tables.FUNNEL)
    write_text(out / "image_ids.txt", ",".join(scans["scan"]) + "\n")
    tables.write(scans, out / "scans.tsv", tables.SCANS)


def _refuse_too_few(scans: pd.DataFrame, steps: pd.DataFrame, settings: dict) -> None:
    people = scans["subject"].nunique()
    if scans.empty:
        raise Refused(_nothing_left(settings["root"], steps))
    if settings["role"] == "study" and people < FEWEST_PEOPLE:
        raise Refused(
            f"{people} people under {settings['root']} have two usable scans; a study needs at least "
            f"{FEWEST_PEOPLE} (left: {_left(steps)}). Download more, or give the cohort the role `external`."
        )


def _nothing_left(root: str, steps: pd.DataFrame) -> str:
    lost_at = steps.loc[steps["rows"].eq(0).idxmax(), "step"]
    return (
        f"no scan under {root} can be used; the last were lost at the step `{lost_at}` ({_left(steps)}). "
        f"{_CHECK.get(lost_at, 'Look at the download.')}"
    )


# What to look at when a step leaves nothing.
_CHECK = {
    "images, each with one valid row": "Do the tables and the images belong to one download? Tables name "
    "images by ids such as I118673, and so do the names of image files.",
    "image file found": "The tables name images that do not lie there: unzip or copy all parts of the "
    "download below this folder, or download the images (NIfTI or DICOM) of this collection.",
    "MRI": "The collection holds other modalities only: choose MRI in the search.",
    "T1-weighted": "No description says MPRAGE or SPGR: search for T1-weighted structural scans.",
    "original (or processed, as asked)": "Download the images of type Original, or set "
    "`selection: {images: processed}` of the cohort.",
    "dated": "No image has a date in its side file, its folder or the tables, or the dates disagree.",
    "at least two visits": "Each person has one usable visit: download the follow-ups too; "
    "`selection: {same_visit_days: 0}` of the cohort counts every date as a visit.",
}


def _left(steps: pd.DataFrame) -> str:
    return ", ".join(f"{step.step}: {step.rows}" for step in steps.itertuples())
