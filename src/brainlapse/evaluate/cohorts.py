"""From the scores' people to cohorts.tsv: does a model hold on a cohort that it was not trained on?

Other people are compared, so nothing is paired but the gain over copying, which
is a person's own: cohorts differ in how hard they are, and the gain says less of
that than the score.
"""

from collections.abc import Iterator

import pandas as pd

from brainlapse import tables
from brainlapse.evaluate.bootstrap import difference_with_interval
from brainlapse.evaluate.comparing import apart, paired
from brainlapse.evaluate.subgroups import METRICS

_MEASURED = ["model", "region", "metric"]


def cohorts(scores: pd.DataFrame, external: list[str], resamplings: int, seed: int) -> pd.DataFrame:
    """Rows of cohorts.tsv: every external cohort against the test people of every other cohort."""
    judged, _ = apart(scores)
    judged = paired(judged[(judged["split"] == "test") & judged["metric"].isin(METRICS)])
    means = judged.groupby(["cohort", *_MEASURED, "subject"], sort=False)[["value", "gain"]].mean()
    of_cohorts = dict(list(means.groupby("cohort", sort=False)))
    rows = [
        {"cohort": cohort, "other": other} | row
        for cohort in of_cohorts
        for other in of_cohorts
        if cohort in external and other not in external
        for row in _rows(of_cohorts[cohort], of_cohorts[other], resamplings, seed)
    ]
    return pd.DataFrame(rows, columns=tables.COHORTS.names)


def _rows(one: pd.DataFrame, other: pd.DataFrame, resamplings: int, seed: int) -> Iterator[dict]:
    others = dict(list(other.groupby(_MEASURED, sort=False)))
    for measured, part in one.groupby(_MEASURED, sort=False):
        if measured not in others:
            continue
        row = dict(zip(_MEASURED, measured, strict=True))
        row["subjects"], row["other_subjects"] = part["value"].count(), others[measured]["value"].count()
        for column, prefix in (("value", ""), ("gain", "gain_")):
            found = difference_with_interval(
                part[column].to_numpy(), others[measured][column].to_numpy(), resamplings, seed
            )
            names = (f"{prefix}difference{bound}" for bound in ("", "_low", "_high"))
            row |= dict(zip(names, found, strict=True))
        yield row
