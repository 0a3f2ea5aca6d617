"""From all the scores to comparisons.tsv: what each model scores and gains over copying the source.

Each person counts once: their requests are averaged first. The gain is paired,
request by request, before it is averaged.
"""

import pandas as pd

from brainlapse import tables
from brainlapse.evaluate.bootstrap import mean_with_interval
from brainlapse.evaluate.calibration import calibrations
from brainlapse.evaluate.sweep import sweep_scores

FLOOR = "copy"
_GROUP = ["model", "cohort", "split", "region", "metric"]
_PAIRED = ["cohort", "split", "subject", "request", "region", "metric"]


def comparisons(scores: pd.DataFrame, resamplings: int, seed: int) -> pd.DataFrame:
    """Rows of comparisons.tsv in the order in which models and metrics first appear in `scores`.

    Requests with a true follow-up and those of the interval sweep are kept
    apart; the latter are judged by how they respond to the years asked for.
    """
    judged, swept = apart(scores)
    rows = [
        dict(zip(_GROUP, group, strict=True)) | _row(part, resamplings, seed)
        for group, part in paired(pd.concat([judged, sweep_scores(swept)])).groupby(_GROUP, sort=False)
    ]
    rows += calibrations(judged, resamplings, seed)
    return pd.DataFrame(rows, columns=tables.COMPARISONS.names)


def apart(scores: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The scores of requests with a true follow-up, and those of the interval sweep."""
    names = pd.MultiIndex.from_frame(scores[["cohort", "request"]])
    with_truth = names.isin(names[scores["metric"] == "true_volume_ml"])
    return scores[with_truth], scores[~with_truth]


def paired(scores: pd.DataFrame) -> pd.DataFrame:
    """The scores with the column `copied`: the floor's score on the same request, NaN where it has none."""
    floor = scores.loc[scores["model"] == FLOOR, [*_PAIRED, "value"]].rename(columns={"value": "copied"})
    return scores.merge(floor, on=_PAIRED, how="left", validate="many_to_one")


def _row(part: pd.DataFrame, resamplings: int, seed: int) -> dict:
    defined = part.dropna(subset="value")
    values = defined.groupby("subject")["value"].mean()
    gains = (defined["value"] - defined["copied"]).groupby(defined["subject"]).mean().dropna()
    value = mean_with_interval(values.to_numpy(), resamplings, seed)
    gain = mean_with_interval(gains.to_numpy(), resamplings, seed)
    return {
        "subjects": len(values), "requests": defined.groupby(["subject", "request"]).ngroups,
        "value": value[0], "value_low": value[1], "value_high": value[2],
        "gain": gain[0], "gain_low": gain[1], "gain_high": gain[2],
    }  # fmt: skip
