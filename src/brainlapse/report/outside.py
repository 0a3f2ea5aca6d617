"""What of a person lies outside of what was trained on: there a prediction is a guess.

All of it is known on the day of the source scan; nothing is read from later ones.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from brainlapse.report.study import Study
from brainlapse.report.words import number

QUANTILES = (0.01, 0.99)
SEEN = {"sex": "sex", "diagnosis": "diagnosis", "field_strength_t": "field strength"}
BOTH, LOW, HIGH = "both", "low", "high"
# By column: how the page calls it, its unit, digits, and which of its ends is unlike the training scans.
MEASURED = {
    "brain_volume_ml": ("brain volume", " mL", 0, BOTH),
    "brightness": ("brightness of the brain (the median, on [0, 1])", "", 2, BOTH),
    "contrast": ("contrast of the brain (the distance of the quartiles, on [0, 1])", "", 2, BOTH),
    "template_correlation": ("agreement with the template", "", 3, LOW),
    "cut_cm2": ("area at which the scan cuts the brain", " cm²", 1, HIGH),
    "missing_percent": ("part of the brain outside the scan", " %", 1, HIGH),
    "edge_percent": ("part of the brain at the edge of the grid", " %", 2, HIGH),
    "turn_degrees": ("angle of the head to its header", "°", 0, HIGH),
}


class Trained:
    """The ranges of the training people's source scans and intervals."""

    def __init__(self, study: Study):
        pairs = study.pairs[study.pairs["split"] == "train"]
        self.years = pairs["interval_years"]
        keys = pairs[["cohort", "source_scan"]].drop_duplicates().rename(columns={"source_scan": "scan"})
        self.scans = keys.merge(study.scans, on=["cohort", "scan"])
        measured = with_intensities(study, keys.merge(study.quality, on=["cohort", "scan"]))
        self.ranges = {
            column: tuple(measured[column].astype(float).quantile(q) for q in QUANTILES)
            for column in MEASURED
        }

    def warnings(self, scan: pd.Series, measured: pd.Series, years: list[float]) -> list[str]:
        """Sentences about a source scan and the years asked for; empty if all lies within.

        `scan` is its row of scans.tsv, `measured` has the columns MEASURED, NaN where nothing was measured.
        """
        if self.scans.empty:
            return ["What the models were trained on is not known here."]
        return [*self._age(scan), *self._groups(scan), *self._asked(years), *self._measured(measured)]

    def _age(self, scan: pd.Series) -> Iterator[str]:
        age, ages = scan["age_years"], self.scans["age_years"].dropna()
        if pd.isna(age):
            yield "The age at the scan is not known."
        elif len(ages) and not ages.min() <= age <= ages.max():
            yield (
                f"Age {number(age, 1)} years; everybody in training was from {number(ages.min(), 1)} to "
                f"{number(ages.max(), 1)}."
            )

    def _groups(self, scan: pd.Series) -> Iterator[str]:
        for column, word in SEEN.items():
            if pd.notna(scan[column]) and scan[column] not in set(self.scans[column].dropna()):
                yield f"Nobody in training had the {word} {scan[column]}."

    def _asked(self, years: list[float]) -> Iterator[str]:
        low, high = self.years.min(), self.years.max()
        beyond = [f"{year:g}" for year in years if not low <= year <= high]
        if beyond:
            yield (
                f"Asked for {' and '.join(beyond)} years; intervals in training were from {number(low, 1)} "
                f"to {number(high, 1)} years."
            )

    def _measured(self, measured: pd.Series) -> Iterator[str]:
        for column, (word, unit, digits, ends) in MEASURED.items():
            value, (low, high) = measured[column], self.ranges[column]
            below, above = value < low and ends != HIGH, value > high and ends != LOW
            if below or above:
                limit = f"less than {number(low, digits)}" if below else f"more than {number(high, digits)}"
                yield (
                    f"The {word} is {number(value, digits)}{unit}; only 1 % of the training scans have "
                    f"{limit}{unit}."
                )


def with_intensities(study: Study, quality: pd.DataFrame) -> pd.DataFrame:
    """Rows of quality.tsv with `brightness` and `contrast` of the brain, NaN without a packed store.

    Read a scan at a time, from its byte store, so that memory does not grow with their number.
    """
    found = pd.DataFrame(np.nan, index=quality.index, columns=["brightness", "contrast"])
    for cohort, rows in quality.groupby("cohort"):
        store = study.results / "2_preprocess" / str(cohort) / "volumes.npy"
        if not store.exists():
            continue
        volumes = np.load(store, mmap_mode="r")
        for index, row in rows["packed_row"].dropna().items():
            found.loc[index] = _brightness_and_contrast(volumes[int(row)])
    return quality.join(found)


def _brightness_and_contrast(packed: np.ndarray) -> tuple[float, float]:
    """Median and distance of the quartiles of a byte volume's brain, on [0, 1]; bytes of 0 are not brain."""
    counts = np.bincount(packed.ravel(), minlength=256)
    reached = np.cumsum(counts[1:])
    low, median, high = 1 + np.searchsorted(reached, np.array([0.25, 0.5, 0.75]) * reached[-1])
    return median / 255, (high - low) / 255
