"""A row an image of a BIDS dataset: what its name and folders say, and why it cannot be used if so."""

import pandas as pd

from brainlapse.manifest import selection
from brainlapse.manifest.bids_files import Found
from brainlapse.manifest.bids_names import NIFTI, entities, entity, is_repeat, is_t1w, scan_id
from brainlapse.manifest.inventory import Item

ONE_SESSION = "single"  # the visit's name where a dataset has no sessions


def image_rows(files: list[Found]) -> pd.DataFrame:
    """Return a row a NIfTI file, with what its name and folders say and a reason if it cannot be used.

    Columns: subject, visit, scan, image, repeat, reason and detail, as in
    manifest.COLUMNS; is_t1, folders, stem and item say which file it is.
    """
    rows = [_image(file) for file in files if NIFTI.search(file.item.path)]
    frame = pd.DataFrame(rows, columns=list(_image(_NO_FILE)), dtype=object)
    again = frame["is_t1"].astype(bool) & frame.duplicated("scan", keep=False) & frame["reason"].isna()
    frame.loc[again, ["reason", "detail"]] = selection.CONFLICT, "another image has this scan id too"
    return frame


def missing_images(scans: pd.DataFrame, there: set[str]) -> pd.DataFrame:
    """Return a row for each image that scans.tsv names and whose name is not among those `there`."""
    named = scans.index.to_frame(index=False).sort_values(["stem", "where"]).drop_duplicates("stem")
    absent = named[~named["stem"].isin(there)]
    pairs = [entities(stem)[0] for stem in absent["stem"]]
    return pd.DataFrame(
        {
            "subject": [entity(one, "sub") for one in pairs],
            "visit": [entity(one, "ses") or ONE_SESSION for one in pairs],
            "scan": [scan_id(stem) for stem in absent["stem"]],
            "table_rows": 1,
            "reason": selection.NO_FILE,
            "detail": absent["where"].tolist(),
        },
        dtype=object,
    )


def _image(file: Found) -> dict:
    pairs, suffix = entities(file.stem)
    subject, visit = entity(file.folders, "sub"), entity(file.folders, "ses")
    named = entity(pairs, "sub"), entity(pairs, "ses")
    t1 = subject is not None and is_t1w(file.stem) and file.folders[-1] == "anat"
    against = (
        (not t1, selection.NOT_T1, f"{suffix} in {'/'.join(file.folders) or 'no folder'}"),
        (
            named != (subject, visit),
            selection.CONFLICT,
            f"the file's name says {_session(*named)}, its folder {_session(subject, visit)}",
        ),
        (file.problem is not None, selection.TWO_FILES, file.problem),
    )
    applying = ((reason, detail) for applies, reason, detail in against if applies)
    reason, detail = next(applying, (None, ", ".join(p for p in pairs if p.startswith("rec-")) or None))
    return {
        "subject": subject,
        "visit": visit or (subject and ONE_SESSION),
        "scan": scan_id(file.stem),
        "image": file.item.path,
        "repeat": is_repeat(file.stem),
        "reason": reason,
        "detail": detail,
        "is_t1": t1,
        "folders": file.folders,
        "stem": file.stem,
        "item": file.item,
    }


_NO_FILE = Found((), "", Item("", 0))


def _session(subject: str | None, visit: str | None) -> str:
    return f"sub-{subject}, " + (f"ses-{visit}" if visit else "no session")
