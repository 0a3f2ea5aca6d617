"""The cohort's derivatives once more as a valid BIDS dataset: hard links under names that BIDS allows.

BIDS derivatives: https://bids-specification.readthedocs.io/en/stable/derivatives/introduction.html.
The tree is made anew each time, beside the old one, and takes its place in the end.
"""

import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path, PurePath

import pandas as pd

from brainlapse.errors import Refused
from brainlapse.preprocess import bids_metadata as metadata
from brainlapse.preprocess.bids_labels import session_labels, subject_labels
from brainlapse.preprocess.derivatives import ScanFiles, sidecar_of
from brainlapse.tables import MISSING
from brainlapse.writing import whole_folder

FOLDER = "bids"


def write_bids(quality: pd.DataFrame, scans: pd.DataFrame, out: Path) -> None:
    """Write `out/bids` with all accepted scans of one cohort and nothing else.

    `quality` and `scans` have the columns of tables.QUALITY and tables.SCANS.
    Files are hard links, or copies where the disk has none. Raises Refused if a
    derivative of an accepted scan is not there.
    """
    visits = visits_of(quality, scans)
    with whole_folder(out / FOLDER) as folder:
        _write_json(folder / "dataset_description.json", metadata.description(scans["cohort"].iloc[0]))
        _write_text(folder / "README", metadata.README)
        _write_text(folder / ".bidsignore", metadata.IGNORED)
        _write_json(folder / "participants.json", metadata.PARTICIPANT_COLUMNS)
        _write_json(folder / "sessions.json", metadata.SESSION_COLUMNS)
        _write_table(folder / "participants.tsv", _participants(visits), metadata.PARTICIPANT_COLUMNS)
        for participant, of_person in visits.groupby("participant_id"):
            for visit in of_person.itertuples():
                _write_visit(visit, of_person.iloc[0]["source"], out, folder)
            table = folder / participant / f"{participant}_sessions.tsv"
            _write_table(table, of_person, metadata.SESSION_COLUMNS)


def visits_of(quality: pd.DataFrame, scans: pd.DataFrame) -> pd.DataFrame:
    """Return the accepted scans by person and day, with their labels and `source`, a URI of the raw image.

    Columns are those of tables.SCANS without `image`, of tables.QUALITY the
    files, and `participant_id`, `session_id` and `source`. Labels take all scans
    into account, so that no scan's acceptance changes another's name.
    """
    subjects = subject_labels(scans["subject"])
    sessions = {}
    for subject, of_person in scans.groupby("subject"):
        sessions |= session_labels(subject, of_person["scan"])
    visits = scans.assign(
        participant_id=[f"sub-{subjects[subject]}" for subject in scans["subject"]],
        session_id=[f"ses-{sessions[scan]}" for scan in scans["scan"]],
        source=_uris(scans["image"]),
    )
    accepted = quality.loc[quality["status"] == "accepted", ["scan", "image", "mask", "picture"]]
    visits = visits.drop(columns="image").merge(accepted, on="scan")
    return visits.sort_values(["participant_id", "days", "scan"], kind="stable")


def _uris(images: pd.Series) -> list[str]:
    """BIDS URIs of the raw images, as seen from the folder that holds all of them."""
    paths = [PurePath(image) for image in images]
    shared = os.path.commonpath([path.parent for path in paths])
    return [metadata.study_uri(path.relative_to(shared)) for path in paths]


def _participants(visits: pd.DataFrame) -> pd.DataFrame:
    first = visits.drop_duplicates("participant_id")
    return first.assign(age=first["age_years"].clip(upper=metadata.OLDEST_TOLD_YEARS).round(1))


def _write_visit(visit, first_source: str, out: Path, folder: Path) -> None:
    """Link one scan's files and write their sidecars."""
    name = f"{visit.participant_id}_{visit.session_id}"
    anat = folder / visit.participant_id / visit.session_id / "anat"
    image = anat / f"{name}_space-{metadata.SPACE}_desc-preproc_T1w.nii.gz"
    mask = anat / f"{name}_space-{metadata.SPACE}_desc-brain_mask.nii.gz"
    transform = anat / f"{name}_from-T1w_to-{metadata.SPACE}_mode-image_xfm.txt"
    picture = folder / visit.participant_id / "figures" / f"{name}_desc-preproc_T1w.png"
    own = ScanFiles(out, visit.subject, visit.scan)
    linked = {
        image: out / visit.image,
        mask: out / visit.mask,
        transform: own.transform,
        picture: out / visit.picture,
    }
    for target, source in linked.items():
        _link(source, target)
    told = _read_json(sidecar_of(out / visit.image))
    sources = list(dict.fromkeys([visit.source, first_source]))
    _write_json(sidecar_of(image), metadata.image_sidecar(told, sources))
    _write_json(sidecar_of(mask), metadata.mask_sidecar(told, [first_source]))


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise Refused(f"{source} is not there. Preprocess the subject again.") from None
    except OSError:
        shutil.copyfile(source, target)


def _read_json(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Refused(f"{path} is not there. Preprocess the subject again.") from None


def _write_json(path: Path, content: dict) -> None:
    _write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _write_text(path: Path, text: str) -> None:
    """Not by itself safe on the disk: the whole folder is, once."""
    path.write_text(text, encoding="utf-8", newline="")


def _write_table(path: Path, frame: pd.DataFrame, columns: Iterable[str]) -> None:
    _write_text(path, frame[list(columns)].to_csv(sep="\t", index=False, na_rep=MISSING, lineterminator="\n"))
