"""The files of a preprocessed scan: their names, after BIDS derivatives, and what is in them.

The folders bear the study's own ids as they are, which BIDS does not allow;
`bids_copy` shows the same files under valid names.
"""

import json
import shutil
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import nibabel as nib
import numpy as np

from brainlapse import __version__
from brainlapse.preprocess.geometry import itk_text
from brainlapse.preprocess.inputs import affine_in_mm, sha256
from brainlapse.preprocess.pictures import qc_picture, raw_picture
from brainlapse.volumes import Grid, write_volume
from brainlapse.writing import whole_file, write_text

SPACE = "MNI152"
# The template is symmetric, release 2009a, whatever nilearn's help says of it: mirrored, it is itself.
SPATIAL_REFERENCE = "https://www.bic.mni.mcgill.ca/ServicesAtlases/ICBM152NLin2009"
DESCRIPTION = (
    "T1-weighted scan of the brain alone: bias field removed, read once onto the grid, intensities in "
    "[-1, 1]. A later scan of a person carries the mask and the brightness of the first one."
)


@dataclass(frozen=True)
class ScanFiles:
    """Where the derivatives of one scan lie."""

    out: Path
    subject: str
    scan: str

    @property
    def folder(self) -> Path:
        """The scan's own folder."""
        return subject_folder(self.out, self.subject) / f"ses-{self.scan}"

    @property
    def image(self) -> Path:
        """The volume on the grid."""
        return self._named(f"space-{SPACE}_desc-preproc_T1w.nii.gz")

    @property
    def sidecar(self) -> Path:
        """What the volume was made from and how."""
        return sidecar_of(self.image)

    @property
    def mask(self) -> Path:
        """The brain mask on the grid."""
        return self._named(f"space-{SPACE}_desc-brain_mask.nii.gz")

    @property
    def transform(self) -> Path:
        """Scan → grid, for ITK."""
        return self._named(f"from-T1w_to-{SPACE}_mode-image_xfm.txt")

    @property
    def picture(self) -> Path:
        """The picture to judge it by."""
        return self._named("qc.png")

    def _named(self, ending: str) -> Path:
        return self.folder / "anat" / f"sub-{self.subject}_ses-{self.scan}_{ending}"


def subject_folder(out: Path, subject: str) -> Path:
    """Where all of a subject's derivatives lie."""
    return out / f"sub-{subject}"


def sidecar_of(image: Path) -> Path:
    """The JSON file beside a volume."""
    return image.with_name(image.name.removesuffix(".nii.gz") + ".json")


def write_scan(visit, prepared, baseline, ground, out: Path) -> dict[str, str]:
    """Write volume, mask, transform, provenance and picture.

    Returns {"image", "mask", "picture"}, paths relative to `out`.
    """
    files = ScanFiles(out, visit.subject, visit.scan)
    write_volume(files.image, prepared.volume, ground.grid.affine)
    write_volume(files.mask, baseline.grid_mask.astype(np.uint8), ground.grid.affine)
    write_text(files.transform, itk_text(prepared.transform))
    text = json.dumps(provenance(visit, prepared, baseline, ground), indent=2, ensure_ascii=False)
    write_text(files.sidecar, text + "\n")
    first = None if prepared is baseline.prepared else baseline.prepared.volume
    picture = qc_picture(prepared.volume, baseline.grid_mask, ground.template_t1, first)
    with whole_file(files.picture) as beside:
        picture.save(beside)
    written = {"image": files.image, "mask": files.mask, "picture": files.picture}
    return {column: str(path.relative_to(out)) for column, path in written.items()}


def write_set_aside(visit, head, out: Path) -> dict[str, str]:
    """Remove what an earlier run left of a scan that is quarantined now, and show it as it was read.

    Returns {"picture"}, relative to `out`; nothing where the scan could not be read (`head` is None).
    """
    files = ScanFiles(out, visit.subject, visit.scan)
    shutil.rmtree(files.folder, ignore_errors=True)
    if head is None:
        return {}
    with whole_file(files.picture) as beside:
        raw_picture(head).save(beside)
    return {"picture": str(files.picture.relative_to(out))}


def provenance(visit, prepared, baseline, ground) -> dict:
    """What the volume was made from and how; the same for the same input.

    `ScanShape` and `ScanAffine` are those of the scan's file as stored, so that
    a volume on the grid can be taken back to its voxels without that file.
    """
    return {
        "Description": DESCRIPTION,
        "Sources": [visit.image],
        "SourcesSHA256": [sha256(Path(visit.image))],
        "SpatialReference": SPATIAL_REFERENCE,
        "SkullStripped": True,
        "Resolution": resolution(ground.grid),
        "Baseline": prepared is baseline.prepared,
        "IntensityRange": "brain in (-1, 1], background -1",
        "IntensityTop": baseline.top,
        "GridToScanMillimetresRAS": prepared.transform.tolist(),
        "GridToBaselineMillimetresRAS": baseline.to_scan.tolist(),
        **stored_voxels(Path(visit.image)),
        "Figures": prepared.figures,
        "Settings": ground.settings,
        "GeneratedBy": generated_by(),
    }


def resolution(grid: Grid) -> str:
    """The grid in words, for BIDS."""
    return f"{' × '.join(map(str, grid.shape))} voxels of {grid.spacing_mm:g} mm"


def stored_voxels(scan: Path) -> dict:
    """Shape and affine (voxels → millimetres, RAS) of a scan's file, in the order in which it is stored."""
    image = nib.load(scan)
    affine, _ = affine_in_mm(image)
    return {"ScanShape": list(image.shape[:3]), "ScanAffine": affine.tolist()}


def generated_by() -> list[dict]:
    """Names and versions of this program and of what shapes its numbers."""
    parts = ("antspyx", "nibabel", "nilearn", "numpy", "scipy", "scikit-image")
    return [{"Name": "brainlapse", "Version": __version__}] + [
        {"Name": part, "Version": version(part)} for part in parts
    ]
