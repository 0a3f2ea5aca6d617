"""Volumes from label maps that the user made, such as SynthSeg's, beside those of the template's regions.

    {folder}/{cohort}/{scan}.nii.gz            a map of a scan
    {folder}/{model}/{cohort}/{image}          a map of a sample, named as samples.tsv names its image

Maps may have a grid of their own; their voxels' size is read from their header.
"""

import logging
from functools import lru_cache
from pathlib import Path

import numpy as np

from brainlapse.errors import Refused
from brainlapse.volumes import read_volume

log = logging.getLogger(__name__)
# FreeSurfer's numbers, which SynthSeg uses (left, right). `brain` is tissue without fluid.
LABELS = {
    "labels_ventricles": (4, 5, 43, 44),
    "labels_hippocampi": (17, 53),
    "labels_grey": (3, 42, 8, 47, 10, 49, 11, 50, 12, 51, 13, 52, 17, 53, 18, 54, 26, 58),
    "labels_white": (2, 41, 7, 46),
}
_TISSUE = {*LABELS["labels_grey"], *LABELS["labels_white"], 16, 28, 60}
LABELS["labels_brain"] = tuple(sorted(_TISSUE))
_KEPT = 12


class LabelMaps:
    """The maps below one folder, or none at all, which adds no region.

    A map that is not there gives volumes of NaN, and a warning once.
    """

    def __init__(self, folder: str | None, model: str, cohort: str):
        if folder and not Path(folder).is_dir():
            raise Refused(f"evaluate.label_maps: there is no folder {folder}. Make it, or leave the key out.")
        self._root = folder and Path(folder)
        self._model, self._cohort = model, cohort
        self.of_scan = lru_cache(_KEPT)(self._of_scan)

    def _of_scan(self, scan: str) -> dict[str, float]:
        """Millilitres by region of a scan's map."""
        return _volumes_ml(self._root / self._cohort / f"{scan}.nii.gz") if self._root else {}

    def of_sample(self, image: str, source: str) -> dict[str, float]:
        """The same of a sample's map; a sample that is the source's own file (`copy`) has the source's."""
        if not self._root or image.startswith(".."):
            return self.of_scan(source)
        return _volumes_ml(self._root / self._model / self._cohort / image)


def _volumes_ml(path: Path) -> dict[str, float]:
    if not path.exists():
        _missing(path.parent)
        return dict.fromkeys(LABELS, float("nan"))
    labels, affine = read_volume(path)
    voxel_ml = abs(float(np.linalg.det(affine[:3, :3]))) / 1000
    counts = np.bincount(np.rint(labels).astype(np.int64).clip(0).ravel(), minlength=100)
    return {region: float(counts[list(of)].sum()) * voxel_ml for region, of in LABELS.items()}


@lru_cache
def _missing(folder: Path) -> None:
    log.warning("evaluate: %s lacks label maps; their scores are n/a there", folder)
