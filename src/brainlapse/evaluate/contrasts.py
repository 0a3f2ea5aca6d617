"""From all the scores to contrasts.tsv: how far models differ, on the same requests and the same people.

The difference is taken request by request and averaged over each person's
requests, so that each person counts once. Intervals resample people as those of
comparisons.tsv do; the test says how rare such differences would be if either
sign were as likely, and Holm's correction (1979) counts how many were tried.
"""

import numpy as np
import pandas as pd
from scipy import stats

from brainlapse import tables
from brainlapse.evaluate.bootstrap import means_with_intervals
from brainlapse.evaluate.comparing import apart

CONTRAST = ["contrast", "model", "other"]
_MEASURED = ["cohort", "split", "region", "metric"]
# What is the same for every model, or only describes a bin, is nothing to tell models apart by.
_NO_SCORE = ("true_", "bin_", "draws", "coverage_expected")
_TOLD_LESS = ("no_source", "no_interval", "neither")
_DIGITS = 12  # differences of less are rounding, which must not make a rank


def contrasts(
    scores: pd.DataFrame,
    models: list[str],
    references: list[str],
    ablations: dict[str, dict[str, str]],
    resamplings: int,
    seed: int,
) -> pd.DataFrame:
    """Rows of contrasts.tsv: each of `models` against each of `references`, and the ablations.

    A pair's difference is the model's score minus the other's; a pair of two
    references stands there once, the later minus the earlier. An ablation
    {`full`, `no_source`, `no_interval`, `neither`: models} has each of the
    models that are told less against the full one, and the interaction
    full − no_source − no_interval + neither: what the source adds where the
    interval is known beyond what it adds where it is not.
    """
    judged, _ = apart(scores)
    judged = judged[~judged["metric"].str.startswith(_NO_SCORE)]
    of_models = judged.pivot(index=[*_MEASURED, "subject", "request"], columns="model", values="value")
    differences = _differences(of_models, models, references, ablations)
    if not differences:
        return pd.DataFrame(columns=tables.CONTRASTS.names)
    of_subjects = pd.DataFrame(differences).groupby([*_MEASURED, "subject"]).mean().round(_DIGITS)
    rows = pd.concat({name: of_subjects[name].unstack("subject") for name in of_subjects}, names=CONTRAST)
    rows = rows[rows.notna().any(axis=1)]
    return _corrected(_rows(rows, resamplings, seed))


def pairs_of(models: list[str], references: list[str]) -> list[tuple[str, str]]:
    """(model, other): every model with every reference but itself, two references once."""
    place = {reference: number for number, reference in enumerate(references)}
    return [
        (model, other)
        for model in models
        for other in references
        if model != other and place.get(model, len(place)) > place[other]
    ]


def wilcoxon(differences: np.ndarray) -> float:
    """Two-sided p of the signed-rank test (Wilcoxon 1945) that (people,) differences are symmetric about 0.

    Those of 0 are left out; if there is no other, nothing speaks against it: 1.
    """
    if not differences.any():
        return 1.0
    return float(stats.wilcoxon(differences).pvalue)


def holm(p: np.ndarray) -> np.ndarray:
    """The p values (tests,) corrected so that a false claim among all of them is as rare as each says."""
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(stepped, 1)
    return corrected


def _differences(
    of_models: pd.DataFrame, models: list[str], references: list[str], ablations: dict[str, dict[str, str]]
) -> dict[tuple[str, str, str], pd.Series]:
    """A difference a request and metric for each contrast, by what CONTRAST names; from a column a model."""
    there = [model for model in models if model in of_models]
    pairs = pairs_of(there, [model for model in references if model in of_models])
    ablations = [rows for rows in ablations.values() if set(rows.values()) <= set(there)]
    pairs += [(rows[told], rows["full"]) for rows in ablations for told in _TOLD_LESS]
    found = {("pair", model, other): of_models[model] - of_models[other] for model, other in pairs}
    for rows in ablations:
        full, no_source, no_interval, neither = (of_models[rows[told]] for told in ("full", *_TOLD_LESS))
        name = ("interaction", rows["full"], rows["neither"])
        found[name] = full - no_source - no_interval + neither
    return found


def _rows(differences: pd.DataFrame, resamplings: int, seed: int) -> pd.DataFrame:
    """From (contrasts, subjects), NaN for a subject without: numbers, means, intervals and p values."""
    values = differences.to_numpy()
    rows = differences.index.to_frame(index=False)
    rows["subjects"] = (~np.isnan(values)).sum(axis=1)
    bounds = ["difference", "difference_low", "difference_high"]
    rows[bounds] = means_with_intervals(values, resamplings, seed)
    rows["p"] = [wilcoxon(row[~np.isnan(row)]) for row in values]
    return rows


def _corrected(rows: pd.DataFrame) -> pd.DataFrame:
    rows["p_holm"] = rows.groupby(_MEASURED)["p"].transform(lambda p: holm(p.to_numpy()))
    rows["tests"] = rows.groupby(_MEASURED)["p"].transform("size")
    return rows[tables.CONTRASTS.names]
