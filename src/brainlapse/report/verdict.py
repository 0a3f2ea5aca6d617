"""What the numbers say, in a few sentences that are computed and can turn out badly."""

import pandas as pd

from brainlapse.report.words import number, plural, with_interval


def verdict(comparisons: pd.DataFrame, model: str) -> list[str]:
    """Sentences on the model against copying: image, change, ventricles. Empty without its scores."""
    rows = comparisons[comparisons["model"] == model].drop_duplicates(["region", "metric"], keep="last")
    rows = rows.set_index(["region", "metric"])
    if ("brain", "ssim_brain") not in rows.index:
        return []
    return [sentence for sentence in (_image(rows, model), _change(rows), _ventricles(rows)) if sentence]


def _image(rows: pd.DataFrame, model: str) -> str:
    row = rows.loc[("brain", "ssim_brain")]
    gain = with_interval(row["gain"], row["gain_low"], row["gain_high"], 4, sign=True)
    if pd.isna(row["gain"]):
        said = "it has no floor to be compared with"
    elif row["gain_low"] > 0:
        said = f"it is better than copying the source, by {gain}"
    elif row["gain_high"] < 0:
        said = f"it is worse than copying the source, by {gain}"
    else:
        said = f"it cannot be told from copying the source, {gain}"
    people, requests = plural(int(row["subjects"]), "person"), plural(int(row["requests"]), "follow-up")
    return f"On {requests} of {people}, {model} has SSIM {number(row['value'])} in the brain: {said}."


def _change(rows: pd.DataFrame) -> str:
    """Correlation and missed part of the change; copying has 0 and 1."""
    if ("brain", "change_correlation") not in rows.index:
        return ""
    correlation, missed = (rows.loc[("brain", name)] for name in ("change_correlation", "change_error"))
    return (
        f"Its change map correlates with the true one by {_value(correlation)} (copying: 0) and misses "
        f"{_value(missed)} of the change (copying: 1)."
    )


def _ventricles(rows: pd.DataFrame) -> str:
    if ("ventricles", "volume_change_slope") not in rows.index:
        return ""
    slope = rows.loc[("ventricles", "volume_change_slope")]
    return f"For each percent by which ventricles truly grew it foretells {_value(slope)} percent."


def _value(row: pd.Series) -> str:
    return with_interval(row["value"], row["value_low"], row["value_high"], digits=2)
