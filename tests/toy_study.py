"""A study small enough for a test: ellipsoid brains whose ventricles grow with the years.

It writes what `manifest`, `preprocess` and `pairs` would have written, so that
the later stages can be tested alone, with a truth that is known.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from brainlapse import tables
from brainlapse.pairs.pairing import pair_up
from brainlapse.volumes import BACKGROUND, Grid, to_bytes, write_volume

GRID = Grid(shape=(16, 20, 16), spacing_mm=11.0)
COHORT = "toy"
DAYS = (0, 400, 1100)


def write_toy_study(results: Path, subjects: int = 12, seed: int = 0) -> Path:
    """Write the tables and volumes of `subjects` people with three visits each; return `results`."""
    rng = np.random.default_rng(seed)
    scans, quality, packed = [], [], []
    folder = results / "2_preprocess" / COHORT
    for number in range(subjects):
        subject, size, rate = f"{number:03d}_S_0001", rng.uniform(0.22, 0.28), rng.uniform(0.02, 0.06)
        for visit, days in enumerate(DAYS):
            scan = f"I{number * 10 + visit}"
            volume = toy_brain(size + rate * days / 365.25, rng)
            image = f"sub-{subject}/{scan}_T1w.nii.gz"
            mask = f"sub-{subject}/{scan}_mask.nii.gz"
            write_volume(folder / image, volume, GRID.affine)
            write_volume(folder / mask, (volume > BACKGROUND).astype(np.uint8), GRID.affine)
            scans.append(_scan_row(subject, visit, scan, days, number))
            quality.append(_quality_row(subject, scan, image, mask, len(packed)))
            packed.append(to_bytes(volume))
    tables.write(pd.DataFrame(scans), results / "1_manifest" / COHORT / "scans.tsv", tables.SCANS)
    tables.write(
        pd.DataFrame(quality).reindex(columns=tables.QUALITY.names), folder / "quality.tsv", tables.QUALITY
    )
    np.save(folder / "volumes.npy", np.stack(packed))
    splits = pd.DataFrame(scans).drop_duplicates("subject")[["cohort", "subject"]]
    splits["split"] = ["test" if n % 4 == 3 else "train" for n in range(subjects)]
    tables.write(splits, results / "3_pairs" / "splits.tsv", tables.SPLITS)
    tables.write(_pairs(pd.DataFrame(scans), splits), results / "3_pairs" / "pairs.tsv", tables.PAIRS)
    return results


def toy_brain(ventricle: float, rng: np.random.Generator) -> np.ndarray:
    """One volume in [-1, 1] with a dark ventricle of the given relative radius."""
    axes = [np.linspace(-1, 1, n) for n in GRID.shape]
    radius = np.sqrt(sum(a**2 for a in np.meshgrid(*axes, indexing="ij")))
    inside = np.clip((radius - ventricle) / 0.15, 0, 1)
    intensity = 0.2 + 0.5 * inside + rng.normal(0, 0.01, GRID.shape)
    return np.where(radius < 0.8, np.clip(2 * intensity - 1, -0.99, 1), BACKGROUND).astype(np.float32)


def _scan_row(subject: str, visit: int, scan: str, days: int, number: int) -> dict:
    return {
        "cohort": COHORT, "subject": subject, "visit": f"v{visit}", "scan": scan, "acquired": None,
        "days": days, "age_years": 70 + days / 365.25, "sex": "FM"[number % 2],
        "diagnosis": tables.DIAGNOSES[number % 3], "diagnosis_source": "visit", "field_strength_t": 3.0,
        "manufacturer": None, "description": "MPRAGE", "image": f"{scan}.nii",
    }  # fmt: skip


def _quality_row(subject: str, scan: str, image: str, mask: str, row: int) -> dict:
    return {
        "cohort": COHORT, "subject": subject, "scan": scan, "status": "accepted", "reason": None,
        "brain_volume_ml": 1200.0, "template_correlation": 0.9, "baseline_correlation": 0.9,
        "image": image, "mask": mask, "packed_row": row,
        "picture": f"sub-{subject}/ses-{scan}/anat/sub-{subject}_ses-{scan}_qc.png" if row == 0 else None,
    }  # fmt: skip


def _pairs(scans: pd.DataFrame, splits: pd.DataFrame) -> pd.DataFrame:
    pairs = pair_up(scans, min_interval_years=0, max_interval_years=100, history=3)
    return pairs.merge(splits, on=["cohort", "subject"])
