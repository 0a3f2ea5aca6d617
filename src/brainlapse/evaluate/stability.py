"""From comparisons.tsv to stability.tsv: how much a result owes to the seed of its training."""

import pandas as pd

from brainlapse import tables

_MEASURED = ["cohort", "split", "region", "metric"]


def stability(compared: pd.DataFrame, groups: dict[str, list[str]]) -> pd.DataFrame:
    """Rows of stability.tsv: mean and spread of `value` over models that differ in nothing but their seed.

    `groups` has the models of each group by the name of one of them. The
    standard deviation is that of seeds, not of people: the unbiased one, NaN
    for a single seed that has a score.
    """
    rows = []
    for model, members in groups.items():
        of_seeds = compared[compared["model"].isin(members)].groupby(_MEASURED, sort=False)["value"]
        found = of_seeds.agg(seeds="count", mean="mean", sd="std", lowest="min", highest="max")
        rows.append(found.reset_index().assign(model=model))
    if not rows:
        return pd.DataFrame(columns=tables.STABILITY.names)
    return pd.concat(rows, ignore_index=True)[tables.STABILITY.names]
