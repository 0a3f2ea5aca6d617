"""The floors that need no training: nothing changes, nothing but noise changes, nothing is there.

A model that does not beat `copy` has not predicted anything; what differs less
than `rescan` does from the source cannot be told from noise.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from brainlapse.sample.requests import noise_generator
from brainlapse.sample.rescan import rescanned
from brainlapse.sample.sources import Sources
from brainlapse.volumes import BACKGROUND, write_volume

_ZERO = "zero_T1w.nii.gz"


def copy(requests: pd.DataFrame, sources: Sources, out: Path) -> pd.DataFrame:
    """The source itself, wherever it lies, is every request's sample."""
    return _samples(requests, [sources.path_from(out, scan) for scan in requests["source_scan"]])


def zero(requests: pd.DataFrame, sources: Sources, out: Path) -> pd.DataFrame:
    """One empty volume is every request's sample."""
    volume, affine = sources.volume(sources.first)
    write_volume(out / _ZERO, np.full_like(volume, BACKGROUND), affine)
    return _samples(requests, _ZERO)


def rescan(requests: pd.DataFrame, sources: Sources, out: Path) -> pd.DataFrame:
    """A simulated second scan of the source is the sample of all its requests."""
    images = {}
    for scan, asked in requests.groupby("source_scan", sort=False):
        volume, affine = sources.volume(scan)
        first = noise_generator(asked["seed"].iloc[0], draw=0)
        images[scan] = f"{scan}_rescan_T1w.nii.gz"
        again = rescanned(volume, float(np.linalg.norm(affine[:3, 0])), first)
        write_volume(out / images[scan], again, affine)
    return _samples(requests, requests["source_scan"].map(images).tolist())


def _samples(requests: pd.DataFrame, images: list[str] | str) -> pd.DataFrame:
    return pd.DataFrame({"request": requests["request"], "draw": 0, "image": images})


FLOORS = {"copy": copy, "rescan": rescan, "zero": zero}
