"""From all the scores to subgroups.tsv: whom a model serves, and over how many years.

The comparison with copying the source again, for one part of the requests at a
time: what is known of a request parts them, and people without it are a part
of their own.
"""

from collections.abc import Sequence
from itertools import pairwise

import pandas as pd

from brainlapse import tables
from brainlapse.errors import Refused
from brainlapse.evaluate.comparing import GROUP, apart, compared, paired

# What is worth asking of a part; all the others are in comparisons.tsv.
METRICS = (
    "ssim_brain", "mae_changed", "change_correlation", "change_error", "volume_rate_percent_per_year",
    "true_volume_rate_percent_per_year", "volume_rate_error_percent_per_year",
)  # fmt: skip
_ANY = float("inf")
# A part holds its lower bound and not its upper one.
INTERVAL_YEARS = (0, 1, 2, 3, 5, _ANY)
AGE_YEARS = (-_ANY, 60, 70, 80, _ANY)


def subgroups(
    scores: pd.DataFrame, requests: pd.DataFrame, scans: pd.DataFrame, resamplings: int, seed: int
) -> pd.DataFrame:
    """Rows of subgroups.tsv: the METRICS of every model at every level of what `levels_of` finds.

    Refused if `requests` lacks one that has scores.
    """
    judged, _ = apart(scores)
    judged = paired(judged[judged["metric"].isin(METRICS)])
    levels = levels_of(requests, scans)
    unknown = judged.loc[~pd.MultiIndex.from_frame(judged[levels.index.names]).isin(levels.index), "request"]
    if len(unknown):
        raise Refused(f"--requests: no table has request {unknown.iloc[0]}, yet there are scores of it. "
                      "Run the stages sample and evaluate again.")  # fmt: skip
    found = []
    for by in levels.columns:
        parted = judged.join(levels[by].astype("str").rename("level"), on=levels.index.names)
        rows = compared(parted, [*GROUP, "level"], resamplings, seed).assign(by=by)
        rows["level"] = pd.Categorical(rows["level"], levels[by].cat.categories, ordered=True)
        found.append(rows.sort_values("level", kind="stable").astype({"level": "str"}))
    return pd.concat(found)[tables.SUBGROUPS.names].reset_index(drop=True)


def levels_of(requests: pd.DataFrame, scans: pd.DataFrame) -> pd.DataFrame:
    """The level of each request, indexed by `cohort` and `request`: ordered categories, the last is `n/a`.

    Age, sex and diagnosis are those at the source scan. Its field strength is
    taken to the nearest 0.5 T, as scanners are sold: headers say 1.494 or 2.89.
    """
    strength = scans.set_index(["cohort", "scan"])["field_strength_t"]
    known = requests.join(strength, on=["cohort", "source_scan"]).set_index(["cohort", "request"])
    tesla = (known["field_strength_t"].astype("float64") * 2).round() / 2
    earlier = known["history"].astype("str").str.count(",").add(1).fillna(0)
    return pd.DataFrame({
        "interval_years": _binned(known["interval_years"], INTERVAL_YEARS),
        "diagnosis": _ordered(known["diagnosis"], tables.DIAGNOSES),
        "sex": _ordered(known["sex"], tables.SEXES),
        "age_years": _binned(known["age_years"], AGE_YEARS),
        "field_strength_t": _named(tesla),
        "history_scans": _named(earlier),
    })  # fmt: skip


def _binned(values: pd.Series, bounds: tuple[float, ...]) -> pd.Series:
    names = [_range(low, high) for low, high in pairwise(bounds)]
    return _ordered(pd.cut(values, bounds, right=False, labels=names).astype("str"), names)


def _range(low: float, high: float) -> str:
    return f"<{high}" if low == -_ANY else f"{low}+" if high == _ANY else f"{low}–{high}"


def _named(numbers: pd.Series) -> pd.Series:
    order = [f"{number:g}" for number in sorted(numbers.dropna().unique())]
    return _ordered(numbers.map("{:g}".format, na_action="ignore"), order)


def _ordered(values: pd.Series, order: Sequence[str]) -> pd.Series:
    kind = pd.CategoricalDtype([*order, tables.MISSING], ordered=True)
    return values.astype("object").where(values.notna(), tables.MISSING).astype(kind)
