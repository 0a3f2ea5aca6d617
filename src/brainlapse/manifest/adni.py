"""ADNI: everything its archive (IDA) hands out, in any mixture, with the diagnosis at each scan.

Image tables of all four families, XML side files, NIfTI and DICOM trees and
zips are merged by image id (ida.py); clinical tables give the diagnosis at
the scan, the birth date and the sex (adni_clinical.py).
"""

import re

import pandas as pd

from brainlapse.manifest import adni_clinical, ida
from brainlapse.manifest.ida_people import with_people
from brainlapse.manifest.images import Image
from brainlapse.manifest.inventory import Download

SUBJECT = re.compile(r"\d{3}_S_\d{4,5}")


def read(download: Download, settings: dict) -> tuple[pd.DataFrame, dict[str, Image]]:
    """Return a row an image (and a row for each table row or file that is none), and the images by scan id.

    Columns: manifest.COLUMNS. Raises Refused where nothing speaks of images,
    for dates that could be read two ways, and for two states of one table.
    """
    archive = ida.read(download, settings, SUBJECT)
    people = adni_clinical.read(archive.others, settings.get("date_format"))
    ida.tell_unused(archive.others, people.used, SUBJECT, settings["cohort"])
    person = adni_clinical.rid_of(archive.rows["subject"])
    window = settings["selection"]["diagnosis_window_days"]
    return with_people(archive.rows, person, people, window), archive.images
