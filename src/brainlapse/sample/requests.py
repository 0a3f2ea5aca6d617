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
    asked["seed"] = [request_seed(seed, request) for request in asked["request"]]
    return asked[tables.REQUESTS.names]


def request_seed(seed: int, request: str) -> int:
    """The seed of a request's noise, in [0, 2^63), from its name and not from its place in a table."""
    digest = hashlib.blake2b(f"{seed}\t{request}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def noise_generator(request_seed: int, draw: int) -> np.random.Generator:
    """The source of all random numbers of one draw for one request, on the CPU for any device."""
    return np.random.default_rng([request_seed, draw])


def _first_scans(tested: pd.DataFrame) -> pd.DataFrame:
    """Each subject's row whose source is the earliest: least history behind it, most time ahead."""
    # A column in which nobody has a history is one of numbers to pandas.
    history = tested["history"].astype("string").str.split(",").str.len().fillna(0)
    ordered = tested.assign(_history=history, _ahead=-tested["interval_years"])
    first = ordered.sort_values(["subject", "_history", "_ahead"], kind="stable").drop_duplicates("subject")
    return first.assign(target_scan=None).drop(columns=["_history", "_ahead", "pair"])


def _frame(rows: list[dict]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=tables.REQUESTS.names)
