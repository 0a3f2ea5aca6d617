"""A folder of heads with its scans.tsv, and the settings of a small study, to try `preprocess` on."""

import argparse
import copy
from pathlib import Path

import nibabel as nib
import pandas as pd

from brainlapse import tables
from brainlapse.config import complete, preprocess_settings

# The defaults of the schema, on a small grid.
SETTINGS = preprocess_settings(
    complete(
        {
            "cohorts": {"toy": {"reader": "adni", "root": "toy"}},
            "models": {"regression": {"family": "regression"}},
            "grid": {"shape": [40, 48, 40], "spacing_mm": 4.5},
            "preprocess": {"registration_spacing_mm": 4.5},
        }
    )
)


class HeadFolder:
    """Scans of made-up people in one folder."""

    def __init__(self, root: Path):
        self.root, self.rows = root, []

    def add(self, subject: str, scan: str, days: int, image: nib.Nifti1Image) -> Path:
        """Write the image and note it as a scan; return its path."""
        path = self.root / f"{scan}.nii.gz"
        nib.save(image, path)
        row = {
            "cohort": "toy",
            "subject": subject,
            "visit": "v",
            "scan": scan,
            "days": days,
            "age_years": 70.0,
        }
        self.rows.append(row | {"image": str(path)})
        return path

    @property
    def scans(self) -> pd.DataFrame:
        """The rows of scans.tsv."""
        return pd.DataFrame(self.rows).reindex(columns=tables.SCANS.names)

    def options(self, out: Path, **asked) -> argparse.Namespace:
        """Write scans.tsv; return what the command line hands to the stage."""
        path = self.root / "scans.tsv"
        tables.write(self.scans, path, tables.SCANS)
        settings = copy.deepcopy(SETTINGS)
        asked = {"subject": None, "gather": False, "show": False, "template": None, "jobs": 1} | asked
        return argparse.Namespace(scans=path, settings=settings, out=out, **asked)
