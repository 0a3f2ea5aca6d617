"""A made-up study that is open to all: two people, three scans and a table, and the list of its files."""

import hashlib
import random
from pathlib import Path

from brainlapse.fetch import Study

README = "README"
TABLE = "participants.tsv"
SCAN = "sub-1/ses-wave1/anat/sub-1_ses-wave1_T1w.nii.gz"
LATER = "sub-1/ses-wave2/anat/sub-1_ses-wave2_T1w.nii.gz"
OTHER = "sub-20/ses-wave1/anat/sub-20_ses-wave1_T1w.nii.gz"
SCAN_BYTES = 300_000


def contents() -> dict[str, bytes]:
    """What each file holds."""
    noise = random.Random(0)
    scans = {path: noise.randbytes(SCAN_BYTES + n) for n, path in enumerate((SCAN, LATER, OTHER))}
    return {README: b"Made up.\n", TABLE: b"participant_id\tage\nsub-1\t60\nsub-20\t70\n", **scans}


def study(table: Path, address: str) -> Study:
    """Write the list to `table`; the study lies at the address."""
    rows = [
        f"{path}\t{len(data)}\t{hashlib.sha256(data).hexdigest()}\tV.{number}"
        for number, (path, data) in enumerate(contents().items())
    ]
    table.write_text("\n".join(["path\tsize\tsha256\tversion", *rows, ""]))
    return Study("A made-up study", "nowhere, version 1", "CC0", address, table, "snakemake")


def tree(root: Path) -> dict[str, bytes]:
    """Every file below the folder, by its path."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
