"""What of a person lies outside of what was trained on: there a prediction is a guess."""

import pandas as pd

from brainlapse.report.study import Study
from brainlapse.report.words import number

QUANTILES = (0.01, 0.99)
SEEN = {"sex": "sex", "diagnosis": "diagnosis", "field_strength_t": "field strength"}
MEASURED = {
    "brain_volume_ml": ("brain volume", " mL", 0),
    "template_correlation": ("agreement with the template", "", 3),
}


class Trained:
    """The ranges of the training people's source scans and intervals."""

    def __init__(self, study: Study):
        pairs = study.pairs[study.pairs["split"] == "train"]
        self.years = pairs["interval_years"]
        keys = pairs[["cohort", "source_scan"]].drop_duplicates().rename(columns={"source_scan": "scan"})
        self.scans = keys.merge(study.scans, on=["cohort", "scan"])
        self.quality = keys.merge(study.quality, on=["cohort", "scan"])

    def warnings(self, scan: pd.Series, quality: pd.Series | None, years: list[float]) -> list[str]:
        """Sentences about a source scan and the years asked for; empty if all lies within."""
        if self.scans.empty:
            return ["What the models were trained on is not known here."]
        found = [*self._ages(scan), *self._groups(scan), *self._asked(years)]
        return found + (self._measured(quality) if quality is not None else [])

    def _ages(self, scan: pd.Series) -> list[str]:
        age, ages = scan["age_years"], self.scans["age_years"].dropna()
        if pd.isna(age):
            return ["The age at the scan is not known."]
        if ages.empty or ages.min() <= age <= ages.max():
            return []
        return [
            f"Age {number(age, 0)} years; nobody in training was outside {ages.min():.0f} to "
            f"{ages.max():.0f}."
        ]

    def _groups(self, scan: pd.Series) -> list[str]:
        return [
            f"Nobody in training had the {word} {scan[column]}."
            for column, word in SEEN.items()
            if pd.notna(scan[column]) and scan[column] not in set(self.scans[column].dropna())
        ]

    def _asked(self, years: list[float]) -> list[str]:
        beyond = [year for year in years if year > self.years.max()]
        if not beyond:
            return []
        asked = ", ".join(f"{year:g}" for year in beyond)
        return [
            f"Asked for {asked} years; the longest interval in training was {number(self.years.max(), 1)}."
        ]

    def _measured(self, quality: pd.Series) -> list[str]:
        found = []
        for column, (word, unit, digits) in MEASURED.items():
            low, high = (
                self.quality[column].quantile(QUANTILES[0]),
                self.quality[column].quantile(QUANTILES[1]),
            )
            value = quality[column]
            if pd.notna(value) and pd.notna(low) and not low <= value <= high:
                usual = f"{number(low, digits)} to {number(high, digits)}"
                found.append(
                    f"The {word} is {number(value, digits)}{unit}; 98 % of the training scans have {usual}."
                )
        return found
