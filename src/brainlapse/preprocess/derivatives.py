"""The files of a preprocessed scan: their names, after BIDS derivatives, and what is in them."""

import json
import shutil
from importlib.metadata import version
from pathlib import Path

import numpy as np

from brainlapse import __version__
from brainlapse.preprocess.geometry import itk_text
from brainlapse.preprocess.inputs import sha256
from brainlapse.preprocess.pictures import qc_picture
from brainlapse.volumes import write_volume
from brainlapse.writing import whole_file, write_text

SPACE = "MNI152"


def subject_folder(out: Path, subject: str) -> Path:
    """Where all of a subject's derivatives lie."""
    return out / f"sub-{subject}"


def write_scan(visit, prepared, baseline, ground, out: Path) -> dict[str, str]:
    """Write volume, mask, transform, provenance and picture; return {"image", "mask"}, relative to `out`."""
    name = f"sub-{visit.subject}_ses-{visit.scan}"
    folder = subject_folder(out, visit.subject) / f"ses-{visit.scan}" / "anat"
    image = folder / f"{name}_space-{SPACE}_desc-preproc_T1w.nii.gz"
    mask = folder / f"{name}_space-{SPACE}_desc-brain_mask.nii.gz"
    write_volume(image, prepared.volume, ground.grid.affine)
    write_volume(mask, baseline.grid_mask.astype(np.uint8), ground.grid.affine)
    write_text(folder / f"{name}_from-T1w_to-{SPACE}_mode-image_xfm.txt", itk_text(prepared.transform))
    text = json.dumps(provenance(visit, prepared, baseline, ground), indent=2, ensure_ascii=False)
    write_text(folder / f"{name}_space-{SPACE}_desc-preproc_T1w.json", text + "\n")
    first = None if prepared is baseline.prepared else baseline.prepared.volume
    picture = qc_picture(prepared.volume, baseline.grid_mask, ground.template_t1, first)
    with whole_file(folder / f"{name}_qc.png") as beside:
        picture.save(beside)
    files = {"image": image, "mask": mask, "picture": folder / f"{name}_qc.png"}
    return {column: str(path.relative_to(out)) for column, path in files.items()}


def write_set_aside(visit, head, out: Path) -> dict[str, str]:
    """Remove what an earlier run left of a scan that is quarantined now; return its files, none."""
    shutil.rmtree(subject_folder(out, visit.subject) / f"ses-{visit.scan}", ignore_errors=True)
    return {}


def provenance(visit, prepared, baseline, ground) -> dict:
    """What the volume was made from and how; the same for the same input."""
    return {
        "Sources": [visit.image],
        "SourcesSHA256": [sha256(Path(visit.image))],
        "SpatialReference": "ICBM152 2009a symmetric, on the grid of Settings",
        "SkullStripped": True,
        "Baseline": prepared is baseline.prepared,
        "IntensityRange": "brain in (-1, 1], background -1",
        "IntensityTop": baseline.top,
        "GridToScanMillimetresRAS": prepared.transform.tolist(),
        "GridToBaselineMillimetresRAS": baseline.to_scan.tolist(),
        "Figures": prepared.figures,
        "Settings": ground.settings,
        "GeneratedBy": generated_by(),
    }


def generated_by() -> list[dict]:
    """Names and versions of this program and of what shapes its numbers."""
    parts = ("antspyx", "nibabel", "nilearn", "numpy", "scipy", "scikit-image")
    return [{"Name": "brainlapse", "Version": __version__}] + [
        {"Name": part, "Version": version(part)} for part in parts
    ]
