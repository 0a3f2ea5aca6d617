"""Collecting what the subjects' runs left: one quality table, one packed store."""

import logging
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from brainlapse import tables
from brainlapse.errors import Refused
from brainlapse.preprocess.derivatives import subject_folder
from brainlapse.volumes import read_volume, to_bytes
from brainlapse.writing import whole_file

log = logging.getLogger(__name__)
# From a volume in [-1, 1] to what a store holds. Half precision keeps -1, the background, exactly.
_PACKED = {"uint8": to_bytes, "float16": lambda volume: np.clip(volume, -1, 1).astype(np.float16)}


def gather(scans: pd.DataFrame, settings: dict, out: Path) -> None:
    """Write volumes.npy and, last, quality.tsv in the order of scans.tsv.

    Raises Refused if a subject's table is absent, tells of other scans than
    scans.tsv does, or if no scan at all was accepted.
    """
    # The old table must not stand beside the new store, should this process be killed between the two.
    (out / "quality.tsv").unlink(missing_ok=True)
    quality = collected(scans, out)
    accepted = quality["status"] == "accepted"
    log.info(summary(quality))
    if not accepted.any():
        raise Refused(f"{out}: no scan was accepted ({reasons(quality)}). Look at preprocess.limits.")
    quality["packed_row"] = pd.array([pd.NA] * len(quality), dtype="Int64")
    quality.loc[accepted, "packed_row"] = np.arange(accepted.sum())
    images = [out / image for image in quality.loc[accepted, "image"]]
    pack(images, tuple(settings["grid"]["shape"]), out, settings.get("store", "uint8"))
    tables.write(quality, out / "quality.tsv", tables.QUALITY)


def collected(scans: pd.DataFrame, out: Path) -> pd.DataFrame:
    """Return the subjects' quality rows, one a scan, in the order of `scans`."""
    subjects = dict.fromkeys(scans["subject"])
    paths = [subject_folder(out, subject) / "quality.tsv" for subject in subjects]
    rows = tables.read_all(paths, tables.QUALITY)
    wanted, found = set(scans["scan"]), set(rows["scan"])
    if wanted != found:
        odd = ", ".join(sorted(wanted ^ found)[:5])
        raise Refused(
            f"{out}: the subjects' quality.tsv and scans.tsv differ in {odd}. Preprocess these again."
        )
    order = {scan: number for number, scan in enumerate(scans["scan"])}
    return rows.sort_values("scan", key=lambda column: column.map(order)).reset_index(drop=True)


def pack(images: list[Path], shape: tuple[int, int, int], out: Path, kind: str) -> None:
    """Write volumes.npy: (N, X, Y, Z) of `kind`, uint8 or float16, one volume in memory at a time."""
    packed = _PACKED[kind]
    with whole_file(out / "volumes.npy") as beside:
        store = np.lib.format.open_memmap(beside, mode="w+", dtype=kind, shape=(len(images), *shape))
        for row, image in enumerate(images):
            volume, _ = read_volume(image)
            if volume.shape != shape:
                raise Refused(
                    f"{image} is {volume.shape}, the grid is {shape}. Preprocess the subject again."
                )
            store[row] = packed(volume)
        store.flush()
        del store


def summary(quality: pd.DataFrame) -> str:
    """One line: how many scans of how many people were accepted, how many quarantined and why."""
    accepted = quality[quality["status"] == "accepted"]
    lost = len(quality) - len(accepted)
    text = f"{len(accepted)} scans of {accepted['subject'].nunique()} subjects accepted, {lost} quarantined"
    return f"{text}: {reasons(quality)}" if lost else text


def reasons(quality: pd.DataFrame) -> str:
    """The reasons and how often each occurred, the most frequent first."""
    told = quality.loc[quality["status"] == "quarantined", "reason"]
    counts = Counter(reason.split(":")[0] for reason in told)
    return ", ".join(
        f"{reason} ×{count}" for reason, count in sorted(counts.items(), key=lambda i: (-i[1], i[0]))
    )
