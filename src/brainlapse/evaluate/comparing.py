"""From all the scores to comparisons.tsv: what each model scores and gains over copying the source.

Each person counts once: their requests are averaged first. The gain is paired,
request by request, before it is averaged.
"""

import pandas as pd

from brainlapse import tables
from brainlapse.evaluate.bootstrap import means_with_intervals
from brainlapse.evaluate.calibration import calibrations
from brainlapse.evaluate.dispersion import spread_error_ratios
from brainlapse.evaluate.retest import retests
from brainlapse.evaluate.sweep import sweep_scores

FLOOR = "copy"
GROUP = ["model", "cohort", "split", "region", "metric"]
_PAIRED = ["cohort", "split", "subject", "request", "region", "metric"]


def comparisons(scores: pd.DataFrame, resamplings: int, seed: int) -> pd.DataFrame:
    """Rows of comparisons.tsv in the order in which models and metrics first appear in `scores`.

    Requests with a true follow-up and those of the interval sweep are kept
    apart; the latter are judged by how they respond to the years asked for.
    """
    judged, swept = apart(scores)
    both = pd.concat([judged, sweep_scores(swept)]).astype({"value": "float64"})
    rows = compared(paired(both), GROUP, resamplings, seed)
    over_people = [
        row
        for rows_of in (calibrations, spread_error_ratios, retests)
        for row in rows_of(judged, resamplings, seed)
    ]
    found = pd.concat([rows, pd.DataFrame(over_people)]) if over_people else rows
    return found.reindex(columns=tables.COMPARISONS.names).reset_index(drop=True)


def apart(scores: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The scores of requests with a true follow-up, and those of the interval sweep."""
    names = pd.MultiIndex.from_frame(scores[["cohort", "request"]])
    with_truth = names.isin(names[scores["metric"] == "true_volume_ml"])
    return scores[with_truth], scores[~with_truth]


def paired(scores: pd.DataFrame) -> pd.DataFrame:
    """The scores with the column `gain`: the value minus that of copying on the same request.

    NaN where copying has none.
    """
    floor = scores.loc[scores["model"] == FLOOR, [*_PAIRED, "value"]].rename(columns={"value": "copied"})
    scores = scores.merge(floor, on=_PAIRED, how="left", validate="many_to_one")
    return scores.assign(gain=scores["value"] - scores["copied"]).drop(columns="copied")


def compared(scores: pd.DataFrame, group: list[str], resamplings: int, seed: int) -> pd.DataFrame:
    """A row a group of paired scores: the group's columns, numbers of people and requests, value and gain.

    Value and gain are the mean over people of the mean over their requests, with
    the bounds of its interval.
    """
    rows = scores[group].drop_duplicates(ignore_index=True)
    order = pd.MultiIndex.from_frame(rows)
    means = scores.groupby([*group, "subject"])[["value", "gain"]].mean()
    rows["subjects"] = means["value"].groupby(group).count().reindex(order).to_numpy()
    rows["requests"] = scores.groupby(group)["value"].count().reindex(order).to_numpy()
    for name in ("value", "gain"):
        of_subjects = means[name].unstack("subject").reindex(order).to_numpy()
        bounds = [name, f"{name}_low", f"{name}_high"]
        rows[bounds] = means_with_intervals(of_subjects, resamplings, seed)
    return rows
