"""Real heads with follow-ups whose change is known: the corridor tried on real anatomy.

Each head of a folder of T1 images (one visit a person) ages by the phantom study's diffeomorphic
fields, carried into it by its own affine to MNI152, and is scanned again: turned, shifted, shaded and
with new noise, the first visit too. The result is laid out as an ADNI download with its truth, beside
a configuration that runs the whole study on it.

    .venv/stages/bin/python benchmarks/known_atrophy.py --heads HEADS --people participants.tsv --folder OUT
"""

import argparse
import json
import subprocess
import sys
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import yaml
from scipy import ndimage
from scipy.spatial.transform import Rotation

PROJECT = Path(__file__).parents[1]
sys.path.insert(0, str(PROJECT / "src"))

from brainlapse import tables  # noqa: E402
from brainlapse.config import complete, preprocess_settings  # noqa: E402
from brainlapse.phantom import download  # noqa: E402
from brainlapse.phantom.fields import Lattice, smooth_noise  # noqa: E402
from brainlapse.phantom.progression import Progression  # noqa: E402

YEARS = (0.0, 1.2, 2.6, 4.3)
# Log volume a year of ventricles, hippocampi and cortex: from a healthy 40-year-old's to that of Alzheimer's.
SLOW, FAST = np.log1p([0.025, -0.0141, -0.003]), np.log1p([0.09, -0.0466, -0.013])
NOISE = 0.015  # of the brightest percentile
SHADING, SHADING_KNOT_MM = 0.08, 90.0
STUDY = {
    "grid": {"shape": [64, 80, 64], "spacing_mm": 2.8},
    "splits": {"train": 17, "validation": 1, "test": "rest"},
    "report": {"title": "brainlapse on real heads with known atrophy"},
}
TRAINED = ("brainlapse", "regression")  # the rows of config.yaml that are kept, beside the average, and how
ROW = {
    "network": {"patch": 2, "channels": [16, 32, 64], "attention_levels": [2]},
    "training": {"steps": 300, "batch": 4, "learning_rate": 5.0e-4, "warmup_steps": 20, "ema": 0.99,
                 "precision": "fp32"},
}  # fmt: skip

CONFIG = complete(yaml.safe_load((PROJECT / "config.yaml").read_text()))
# What config.yaml says, but coarse: only the affine is wanted.
AFFINE_SETTINGS = preprocess_settings(CONFIG) | {
    "grid": {"shape": [32, 40, 32], "spacing_mm": 5.6},
    "registration_spacing_mm": 4.0,
}


def main() -> None:
    """Write the download, its truth and the configuration."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--heads", type=Path, required=True, help="folder of NIfTI files, one a person")
    parser.add_argument("--people", type=Path, required=True, help="TSV with subject, age_years, sex")
    parser.add_argument("--folder", type=Path, required=True, help="where to write")
    options = parser.parse_args()
    people = pd.read_csv(options.people, sep="\t")
    heads = sorted(options.heads.glob("*.nii*"))
    if not heads:
        sys.exit(f"{options.heads}: no NIfTI files there")
    progression, rows, truth = Progression(3.0), [], []
    for number, head in enumerate(heads):
        age, sex = _person(people, head.name)
        to_mni = head_to_mni(head, options.folder / "affines", number)
        for series, image, volumes in aged_scans(head, number, age, sex, to_mni, progression):
            download.write_image(options.folder / "download", series, image)
            rows.append(series)
            truth.append(volumes)
        print(head.name, flush=True)
    download.write_collection(options.folder / "download", rows)
    tables.write(pd.DataFrame(truth), options.folder / "download" / "truth" / "truth.tsv", tables.TRUTH)
    _write_study(options.folder)


def head_to_mni(head: Path, folder: Path, number: int) -> np.ndarray:
    """The (4, 4) RAS affine from the head to MNI152 that preprocessing finds, quickly."""
    subject, scan = f"990_S_{number:04d}", f"I{number + 1}"
    row = dict.fromkeys(tables.SCANS.names) | {
        "cohort": "heads", "subject": subject, "visit": "sc", "scan": scan, "days": 0, "image": str(head),
    }  # fmt: skip
    tables.write(pd.DataFrame([row]), folder / f"{scan}.tsv", tables.SCANS)
    command = [
        sys.executable, "-m", "brainlapse", "preprocess", "--scans", folder / f"{scan}.tsv",
        "--subject", subject, "--settings", json.dumps(AFFINE_SETTINGS), "--out", folder,
    ]  # fmt: skip
    subprocess.run(command, check=True, env={"PYTHONPATH": str(PROJECT / "src")}, stderr=subprocess.DEVNULL)
    provenance = next((folder / f"sub-{subject}").rglob("*_desc-preproc_T1w.json"))
    return np.linalg.inv(json.loads(provenance.read_text())["GridToScanMillimetresRAS"])


def aged_scans(head, number, age, sex, to_mni, progression):
    """Each visit of one person: its row, its image, its true volumes."""
    image = nib.as_closest_canonical(nib.load(head))
    still = np.asarray(image.dataobj, dtype=np.float32).squeeze()
    rng = np.random.default_rng([7, number])
    severity = float(np.clip((age - 40) / 35, 0, 1))
    rate = (SLOW + severity * (FAST - SLOW)) * np.clip(1 + 0.15 * rng.standard_normal(3), 0.5, 1.5)
    for visit, years in enumerate(YEARS):
        years += float(rng.uniform(-0.3, 0.3)) if visit else 0.0
        warped, _, after = progression.progress(still, image.affine, to_mni, rate * years)
        series = download.Series(
            image_id=f"I{8000000 + 10 * number + visit}", ptid=f"990_S_{number:04d}", group=_group(severity),
            sex=sex, age_years=int(age + years), visit=f"v{visit}", description="MPRAGE",
            acquired=datetime(2020, 1, 6, 9) + timedelta(days=round(365.25 * years)),
        )  # fmt: skip
        volumes = {
            "subject": series.ptid, "scan": series.image_id, "diagnosis": series.group, "years": years,
            **asdict(after),
        }  # fmt: skip
        yield series, scanned(warped, image.affine, rng), volumes


def scanned(head: np.ndarray, affine: np.ndarray, rng: np.random.Generator) -> nib.Nifti1Image:
    """The head turned by up to 6° and shifted by up to 4 mm, shaded and with new noise, as int16."""
    centre = affine[:3, :3] @ (np.array(head.shape) - 1) / 2 + affine[:3, 3]
    motion = np.eye(4)
    motion[:3, :3] = Rotation.from_euler("xyz", rng.uniform(-6, 6, 3), degrees=True).as_matrix()
    motion[:3, 3] = centre - motion[:3, :3] @ centre + rng.uniform(-4, 4, 3)
    step = np.linalg.inv(affine) @ motion @ affine
    moved = ndimage.affine_transform(head, step[:3, :3], step[:3, 3], order=3, mode="nearest")
    spacing = float(np.abs(np.linalg.det(affine[:3, :3])) ** (1 / 3))
    shading = np.exp(SHADING * smooth_noise(Lattice(head.shape, spacing, (0, 0, 0)), SHADING_KNOT_MM, rng))
    sigma = NOISE * np.percentile(head, 99)
    noise = sigma * rng.standard_normal((2, *head.shape))
    magnitude = np.hypot(np.clip(moved, 0, None) * shading + noise[0], noise[1])
    return nib.Nifti1Image(np.rint(magnitude * 1000 / np.percentile(head, 99)).astype(np.int16), affine)


def _group(severity: float) -> str:
    return ("CN", "MCI", "AD")[min(2, int(3 * severity))]


def _person(people: pd.DataFrame, name: str) -> tuple[float, str]:
    """Age and sex of the person whose id begins the file's name."""
    row = people[[name.startswith(subject) for subject in people["subject"]]].iloc[0]
    return float(row["age_years"]), row["sex"]


def _write_study(folder: Path) -> None:
    cohorts = {"adni": None, "heads": {"reader": "adni", "root": str(folder / "download"), "role": "study"}}
    models = {name: None for name in CONFIG["models"] if name != "average"} | dict.fromkeys(TRAINED, ROW)
    study = {"results": str(folder / "results"), "cohorts": cohorts, **STUDY, "models": models}
    (folder / "study.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    print(f"snakemake --cores all --configfile config.yaml {folder / 'study.yaml'}")


if __name__ == "__main__":
    main()
