"""How far the measured volumes of one brain lie apart when it is scanned twice: the noise floor of rates."""

import numpy as np
import pandas as pd

from brainlapse.evaluate.bootstrap import means_with_intervals
from brainlapse.evaluate.calibration import PREDICTED

RESCAN = "rescan"  # the floor whose samples are the source scanned again
_GROUP = ["model", "cohort", "split", "region"]


def retests(scores: pd.DataFrame, resamplings: int, seed: int) -> list[dict]:
    """Rows of comparisons.tsv: `volume_retest_percent` of the floor `rescan`, a row a region.

    The root mean square over people of its change in percent of the source's
    volume: a true change of less cannot be told from noise in one person.
    """
    changes = scores[(scores["model"] == RESCAN) & (scores["metric"] == PREDICTED)]
    changes = changes.assign(square=changes["value"] ** 2).dropna(subset="square")
    rows = []
    for group, part in changes.groupby(_GROUP, sort=False):
        squares = part.groupby("subject")["square"].mean().to_numpy()
        value, low, high = np.sqrt(means_with_intervals(squares[None], resamplings, seed)[0])
        named = dict(zip(_GROUP, group, strict=True)) | {"metric": "volume_retest_percent"}
        named |= {"subjects": len(squares), "requests": part["request"].nunique()}
        rows.append(named | {"value": value, "value_low": low, "value_high": high})
    return rows
