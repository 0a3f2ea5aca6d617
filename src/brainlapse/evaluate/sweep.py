"""How the answers respond when the same scan is asked for more and more years."""

import numpy as np
import pandas as pd

from brainlapse.evaluate.retest import RESCAN

_SWEEP = ["model", "cohort", "split", "subject", "region"]
_COLUMNS = [*_SWEEP, "request", "interval_years", "metric", "value"]


def sweep_scores(scores: pd.DataFrame) -> pd.DataFrame:
    """One row a subject and region and metric, as if the whole sweep were one request.

    `sweep_rate_percent_per_year` is the slope, through no change at no time, of
    the volume's change on the years asked for. `sweep_monotone` is 1 if each
    more years move the volume further the way the slope goes, else 0.
    `sweep_identity` is there if no time was asked for: how far that answer lies
    from the source, in units of how far another scan of the same day lies.
    """
    changes = scores[(scores["metric"] == "volume_change_percent") & (scores["interval_years"] > 0)]
    changes = changes.dropna(subset="value")
    rows = []
    for group, part in changes.groupby(_SWEEP, sort=False):
        part = part.sort_values("interval_years")
        years, change = part["interval_years"].to_numpy(), part["value"].to_numpy()
        rate = float(years @ change / (years @ years))
        steps = np.diff(change, prepend=0.0)
        named = dict(zip(_SWEEP, group, strict=True)) | {"request": "sweep", "interval_years": years.max()}
        rows.append(named | {"metric": "sweep_rate_percent_per_year", "value": rate})
        rows.append(named | {"metric": "sweep_monotone", "value": float(np.all(steps * np.sign(rate) > 0))})
    return pd.concat([pd.DataFrame(rows, columns=_COLUMNS), _identity(scores)], ignore_index=True)


def _identity(scores: pd.DataFrame) -> pd.DataFrame:
    """The rows of `sweep_identity`: below 1 no time makes less of a difference than the scanner's noise."""
    distances = scores[(scores["metric"] == "distance_from_source") & (scores["interval_years"] == 0)]
    noise = distances[distances["model"] == RESCAN].set_index(["cohort", "request"])["value"]
    of_noise = noise.reindex(pd.MultiIndex.from_frame(distances[["cohort", "request"]])).to_numpy()
    found = distances.assign(value=distances["value"] / of_noise, request="sweep", metric="sweep_identity")
    return found[np.isfinite(found["value"])][_COLUMNS]
