"""Which volumes are asked for: the true follow-ups, and a sweep over intervals."""

import hashlib
from collections.abc import Sequence

import numpy as np
import pandas as pd

from brainlapse import tables
from brainlapse.errors import Refused


def requests_of(
    pairs: pd.DataFrame, cohort: str, intervals_years: Sequence[float], seed: int
) -> pd.DataFrame:
    """Return the requests (columns of tables.REQUESTS) of the cohort's test subjects.

    Every test pair is a request, named as the pair. Each subject's first scan is
    asked for every interval of the sweep, where there is no true follow-up.
    """
    tested = pairs[(pairs["cohort"] == cohort) & (pairs["split"] == "test")]
    if tested.empty:
        raise Refused(
            f"pairs.tsv: cohort {cohort} has no test subject with two accepted scans. Look at splits.test "
            "in the config and at quality.tsv."
        )
    sweep = [
        row | {"request": f"{cohort}_{row['source_scan']}_{years:g}y", "interval_years": float(years)}
        for row in _first_scans(tested).to_dict("records")
        for years in intervals_years
    ]
    asked = pd.concat([tested.rename(columns={"pair": "request"}), _frame(sweep)], ignore_index=True)
    asked["seed"] = [source_seed(seed, cohort, scan) for scan in asked["source_scan"]]
    return asked[tables.REQUESTS.names]


def source_seed(seed: int, cohort: str, scan: str) -> int:
    """The seed of the noise of all requests of a source scan, in [0, 2^63): of its name, not of its place.

    So a draw is one future of the person, whether asked for after one year or after five.
    """
    digest = hashlib.blake2b(f"{seed}\t{cohort}\t{scan}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def noise_generator(seed: int, draw: int) -> np.random.Generator:
    """The origin of all random numbers of one draw of a request with this seed, on the CPU for any device."""
    return np.random.default_rng([seed, draw])


def _first_scans(tested: pd.DataFrame) -> pd.DataFrame:
    """Each subject's row whose source is the earliest: least history behind it, most time ahead."""
    # A column in which nobody has a history is one of numbers to pandas.
    history = tested["history"].astype("string").str.split(",").str.len().fillna(0)
    ordered = tested.assign(_history=history, _ahead=-tested["interval_years"])
    first = ordered.sort_values(["subject", "_history", "_ahead"], kind="stable").drop_duplicates("subject")
    return first.assign(target_scan=None).drop(columns=["_history", "_ahead", "pair"])


def _frame(rows: list[dict]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=tables.REQUESTS.names)
