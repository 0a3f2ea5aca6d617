"""The phantom study: a made-up ADNI download, of people who never lived, with a known progression."""

import logging
import shutil
from pathlib import Path

import pandas as pd

from brainlapse import tables
from brainlapse.errors import Refused
from brainlapse.phantom import download
from brainlapse.phantom.study import Average, Participant
from brainlapse.writing import write_text

README = """\
A made-up study. Nobody was scanned: every head in this folder was computed, by
`python -m brainlapse phantom`, from the average brain (ICBM152) and random numbers.

{collection}   the collection table, in the form of ADNI's archive
ADNI/      the images, in its folders
truth/truth.tsv   the volumes of every usable scan, as they were made

A few rows are there to be turned down: localizers, repeats, processed images,
rows without a file, people with one visit. The ids are invented; ADNI has no sites 970 to 989.
The maps of the average brain are those of MNI/McGill, as nilearn ships them.
"""

log = logging.getLogger(__name__)


def run(options) -> None:
    """Write the download below `options.out`: seed, subjects and voxel_mm are its settings."""
    settings, out = options.settings, options.out
    _remove_earlier_study(out)
    write_text(out / "README.txt", README.format(collection=download.COLLECTION))
    average = Average.at(settings["voxel_mm"])
    rows, truth = [], []
    for number in range(settings["subjects"]):
        participant = Participant(average, settings["seed"], number, settings["voxel_mm"])
        for entry in participant.entries():
            rows.append(entry.series)
            if entry.image is not None:
                download.write_image(out, entry.series, entry.image)
            if entry.truth is not None:
                truth.append(entry.truth)
        subject = participant.subject
        log.info("%s %s, visits: %d", subject.ptid, subject.diagnosis, len(subject.visits))
    tables.write(pd.DataFrame(truth), out / "truth" / "truth.tsv", tables.TRUTH)
    # The table last: with it the download is complete.
    download.write_collection(out, rows)
    log.info("%d rows, %d usable scans in %s", len(rows), len(truth), out)


def _remove_earlier_study(out: Path) -> None:
    """Take away the images of an earlier phantom study, which other settings may have made.

    Raises Refused if the folder holds anything that is not one: real data are never deleted.
    """
    if not out.exists() or not any(path.is_file() for path in out.rglob("*")):
        return
    readme = out / "README.txt"
    if not readme.exists() or readme.read_text(encoding="utf-8") != README.format(
        collection=download.COLLECTION
    ):
        raise Refused(f"{out} holds something that is no phantom study. Name an empty folder, or empty it.")
    shutil.rmtree(out / "ADNI", ignore_errors=True)
