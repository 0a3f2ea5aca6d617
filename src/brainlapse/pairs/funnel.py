"""From the manifest's scans to pairs, step by step: nobody drops out unseen, and an empty end has a cause."""

import pandas as pd

from brainlapse import tables
from brainlapse.pairs.pairing import pair_up

ALL = "scans of the manifest"
ACCEPTED = "accepted by preprocessing"
TWO_VISITS = "of people with two accepted visits"
WITHIN = "in a pair within the interval limits"
ALIKE = "in a pair of one field strength"
PAIRS = "pairs"

# What to look at when a step leaves too few.
LOOK_AT = {
    ALL: "Look at funnel.tsv and rejected.tsv (1_manifest).",
    ACCEPTED: "Look at the reasons in quality.tsv (2_preprocess) and at preprocess.limits.",
    TWO_VISITS: "Look at which visits quality.tsv (2_preprocess) quarantines, and at preprocess.limits.",
    WITHIN: "Look at pairs.min_interval_years and pairs.max_interval_years.",
    ALIKE: "Their field strengths differ: set pairs.field_strength to `any` to pair 1.5 T with 3 T scans.",
    PAIRS: "",
}


def funnel(scans: pd.DataFrame, accepted: pd.DataFrame, pairs: pd.DataFrame, limits: dict) -> pd.DataFrame:
    """Return what is left after each step, a cohort after the other (tables.FUNNEL).

    `accepted` are those of `scans` that passed preprocessing, `pairs` was made
    of them by pair_up with `limits`. Rows are scans, in the last step pairs.
    """
    left = {ALL: scans, ACCEPTED: accepted, TWO_VISITS: _of_two_visits(accepted)}
    if limits["field_strength"] == "same":
        left[WITHIN] = _in(pair_up(accepted, **(limits | {"field_strength": "any"})), accepted)
        left[ALIKE] = _in(pairs, accepted)
    else:
        left[WITHIN] = _in(pairs, accepted)
    left[PAIRS] = pairs
    return pd.DataFrame(
        [
            (cohort, step, int((rows["cohort"] == cohort).sum()), _people(rows, cohort))
            for cohort in sorted(scans["cohort"].unique())
            for step, rows in left.items()
        ],
        columns=tables.FUNNEL.names,
    )


def lost_at(steps: pd.DataFrame, fewest: int) -> str:
    """A sentence: at which step fewer than `fewest` people were left, what each step left, where to look."""
    left = steps.groupby("step", sort=False)[["rows", "subjects"]].sum()
    where = next((step for step, people in left["subjects"].items() if people < fewest), PAIRS)
    told = ", ".join(f"{step}: {row['rows']} ({row['subjects']} people)" for step, row in left.iterrows())
    return f"Too few were left at the step `{where}` ({told}). {LOOK_AT[where]}".strip()


def _of_two_visits(scans: pd.DataFrame) -> pd.DataFrame:
    return scans[scans.groupby(["cohort", "subject"])["days"].transform("nunique") >= 2]


def _in(pairs: pd.DataFrame, scans: pd.DataFrame) -> pd.DataFrame:
    """The scans that are in a pair."""
    ends = [
        pairs[["cohort", end]].itertuples(index=False, name=None) for end in ("source_scan", "target_scan")
    ]
    paired = {*ends[0], *ends[1]}
    keys = scans[["cohort", "scan"]].itertuples(index=False, name=None)
    return scans[pd.Series([key in paired for key in keys], index=scans.index, dtype=bool)]


def _people(rows: pd.DataFrame, cohort: str) -> int:
    return rows.loc[rows["cohort"] == cohort, "subject"].nunique()
