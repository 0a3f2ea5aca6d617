"""The volumes on a person's page: how far each is predicted to change, and how far off that usually is."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize, stats

from brainlapse.report.rates import REGIONS
from brainlapse.report.table import PageTable, Row, numbers_of
from brainlapse.report.words import number

PREDICTED, TRUE = "volume_change_percent", "true_volume_change_percent"
_RATE_ERROR, _SPREAD, _DRAWS = "volume_rate_error_percent_per_year", "volume_change_spread_percent", "draws"
FEWEST = 3  # people from whom an error is told


@dataclass(frozen=True)
class UsualError:
    """The error of a predicted change: `scan_noise` percent at once, and `per_year` percent more a year."""

    scan_noise: float
    per_year: float

    def after(self, years: float) -> float:
        """Root mean square error of a change over so many years, percent."""
        return float(np.hypot(self.scan_noise, self.per_year * years))


def usual_errors(scores: pd.DataFrame, subject: str) -> tuple[dict[str, UsualError], int]:
    """By region the error over the other people of a model and cohort who were followed up; and how many.

    The mean square error at t years is a² + b²t², a of the scans and b of the
    rate, neither below 0 (least squares; each person weighs the same). Empty
    where fewer than FEWEST others are known: the person's own future is not looked at.
    """
    found = scores[(scores["metric"] == _RATE_ERROR) & (scores["subject"] != subject)].dropna(subset="value")
    people = found["subject"].nunique()
    if people < FEWEST:
        return {}, people
    by_region = dict(iter(found.groupby("region")))
    return {region: _fitted(by_region[region]) for region in REGIONS if region in by_region}, people


def _fitted(errors: pd.DataFrame) -> UsualError:
    weight = np.sqrt(1 / errors.groupby("subject")["value"].transform("size").to_numpy(float))
    squared_years = errors["interval_years"].to_numpy(float) ** 2
    squared_errors = errors["value"].to_numpy(float) ** 2 * squared_years
    terms = np.column_stack([np.ones_like(squared_years), squared_years])
    (noise, rate), _ = optimize.nnls(terms * weight[:, None], squared_errors * weight)
    return UsualError(float(np.sqrt(noise)), float(np.sqrt(rate)))


def predicted_volumes(own: pd.DataFrame, asked: pd.Series) -> pd.DataFrame:
    """A row a region and request of `asked`: `region`, `interval_years`, `value` (percent) and `half_width`.

    `half_width` is that of the 95 % interval which a request's draws make: t s √(1 + 1/k), of Student's
    distribution with k − 1 degrees of freedom. NaN for a single draw. `own` are the person's scores.
    """
    own = own[own["request"].isin(asked)]
    keys = ["request", "region"]
    spread = own[own["metric"] == _SPREAD].set_index(keys)["value"].rename("spread")
    draws = own[own["metric"] == _DRAWS].set_index("request")["value"].rename("count")
    found = own.loc[own["metric"] == PREDICTED, [*keys, "interval_years", "value"]]
    found = found.join(spread, on=keys).join(draws, on="request")
    count = found["count"].to_numpy(float)
    found["half_width"] = stats.t.ppf(0.975, count - 1) * found["spread"] * np.sqrt(1 + 1 / count)
    return found[["region", "interval_years", "value", "half_width"]].sort_values("interval_years")


def volume_table(
    predicted: pd.DataFrame, errors: dict[str, UsualError], people: int, model: str
) -> PageTable | None:
    """One row a number of years, a column a region."""
    if predicted.empty:
        return None
    regions = [region for region in REGIONS if region in set(predicted["region"])]
    rows = [
        Row(years_of(years), list(_cells(part.set_index("region"), regions, errors, years)))
        for years, part in predicted.groupby("interval_years")
    ]
    if errors:
        usual = (
            f"± is how far {model} is usually off after so many years: the root mean square error over "
            f"{people} others of the cohort who were followed up. It is not what is known of this person."
        )
    else:
        usual = (
            f"How far {model} is usually off is told where {FEWEST} others were followed up, here {people}."
        )
    drawn = predicted["half_width"].notna().any()
    draws = (
        " “draws” is the 95 % interval of the model’s own draws; the study’s page says whether that can be "
        "believed."
    )
    return PageTable(
        f"Predicted change of volume since the source, %. {usual}{draws if drawn else ''}",
        regions, rows, "after", numbers_of(predicted), "6_evaluate/scores.tsv",
    )  # fmt: skip


def _cells(
    found: pd.DataFrame, regions: list[str], errors: dict[str, UsualError], years: float
) -> Iterator[tuple[str, str]]:
    for region in regions:
        told = [f"± {number(errors[region].after(years), 1)}"] if region in errors else []
        if region not in found.index:
            yield number(float("nan")), ""
            continue
        half = found.at[region, "half_width"]
        told += [f"draws ± {number(half, 1)}"] if pd.notna(half) else []
        yield number(found.at[region, "value"], 1, sign=True), "; ".join(told)


def years_of(years: float) -> str:
    """`1 year`, `2.5 years`."""
    return f"{years:g} year{'' if years == 1 else 's'}"
