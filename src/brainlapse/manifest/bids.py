"""Any BIDS dataset: names of files say what an image is, side files how it was made, and tables when.

The order of session labels is not that of time (`M12` sorts before `M6`), so a
scan's day comes from a time in a table and from nothing else: `acq_time` of
scans.tsv or of sessions.tsv, or the columns that the config names for a
dataset without it. Dates that BIDS asks to be shifted before 1925 still tell
the days between scans.
"""

from collections import Counter

import pandas as pd

from brainlapse.manifest.bids_columns import asked_columns
from brainlapse.manifest.bids_files import dataset_files
from brainlapse.manifest.bids_images import image_rows, missing_images
from brainlapse.manifest.bids_people import about_people
from brainlapse.manifest.bids_sidecars import side_facts
from brainlapse.manifest.bids_tables import dataset_tables
from brainlapse.manifest.bids_times import settle_timeless, times_of
from brainlapse.manifest.images import Image
from brainlapse.manifest.inventory import Download

OUR_OWN = ["folders", "stem", "item", "is_t1", "when"]  # columns that are of no use to the stage


def read(download: Download, settings: dict) -> tuple[pd.DataFrame, dict[str, Image]]:
    """Return a row a NIfTI file (and one a file that scans.tsv misses), and the T1 images by scan id.

    Columns: those of manifest.COLUMNS that a BIDS dataset can fill. An age in
    participants.tsv is used for people with one session; where the config
    names it, it is taken as the age at the first scan. Raises Refused where
    there is no dataset or more than one, where people have several sessions
    and nothing tells their times, and for a header of the config that is not there.
    """
    files = dataset_files(download)
    said = dataset_tables(download, files)
    rows = image_rows(files)
    images = {row.scan: Image(row.image, (row.item,)) for row in rows.itertuples() if row.is_t1}

    usable, unusable = rows[rows["reason"].isna()], rows[rows["reason"].notna()]
    asked = asked_columns(settings, said, set(usable["visit"]))
    usable = usable.assign(**side_facts(download, files, usable))
    usable = usable.assign(**times_of(usable, said, asked))
    usable = settle_timeless(usable, said, download, settings)
    usable = usable.assign(**about_people(usable, said, asked))

    # Every file, and every row of scans.tsv, is counted once.
    rows = pd.concat([usable, unusable])
    counted = Counter(said.scans.index.get_level_values("stem"))
    rows = rows.assign(table_rows=[max(1, counted[stem]) for stem in rows["stem"]])
    rows = pd.concat([rows, missing_images(said.scans, set(rows["stem"]))], ignore_index=True)
    return rows.drop(columns=OUR_OWN), images
