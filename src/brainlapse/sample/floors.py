"""The floors that need no training: nothing changes, and nothing is there.

A model that does not beat `copy` has not predicted anything.
"""

from pathlib import Path

import numpy as np
import pandas as pd

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


def _samples(requests: pd.DataFrame, images: list[str] | str) -> pd.DataFrame:
    return pd.DataFrame({"request": requests["request"], "draw": 0, "image": images})


FLOORS = {"copy": copy, "zero": zero}
