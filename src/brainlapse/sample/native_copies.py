"""Samples once more in the voxels of the scan they start from, beside the samples on the grid."""

from pathlib import Path

import pandas as pd

from brainlapse.native import to_native
from brainlapse.sample.sources import Sources
from brainlapse.volumes import read_volume, write_volume


def write_native_copies(
    samples: pd.DataFrame, requests: pd.DataFrame, sources: Sources, out: Path
) -> list[str]:
    """Write each sample in its source scan's own voxels; return the files, relative to `out`."""
    source_scans = dict(zip(requests["request"], requests["source_scan"], strict=True))
    written = []
    for sample in samples.itertuples():
        lying = sources.in_scanner(source_scans[sample.request])
        volume, affine = read_volume(out / sample.image)
        native = to_native(volume, affine, lying.grid_to_scan, lying.shape, lying.affine)
        written.append(native_name(sample.image))
        write_volume(out / written[-1], native, lying.affine, space="scanner")
    return written


def native_name(image: str) -> str:
    """The name beside a sample's own: `…_draw-0_T1w.nii.gz` → `…_draw-0_space-native_T1w.nii.gz`."""
    return image.removesuffix("_T1w.nii.gz") + "_space-native_T1w.nii.gz"
