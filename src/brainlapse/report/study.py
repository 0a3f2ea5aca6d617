"""What the stages left behind, as tables; what they did not, as a list of sentences."""

import json
from pathlib import Path

import pandas as pd

from brainlapse import tables
from brainlapse.errors import Refused

FLOORS = ("copy", "rescan", "zero")


class Study:
    """The tables of one results folder, read once. A table that is absent is empty and noted in `missing`."""

    def __init__(self, results: Path):
        self.results = results
        self.missing: list[str] = []
        self.scans = self._tables("1_manifest/*/scans.tsv", tables.SCANS)
        self.rejected = self._tables("1_manifest/*/rejected.tsv", tables.REJECTED)
        self.funnel = self._tables("1_manifest/*/funnel.tsv", tables.FUNNEL)
        self.quality = self._tables("2_preprocess/*/quality.tsv", tables.QUALITY)
        self.pairs_funnel = self._tables("3_pairs/funnel.tsv", tables.FUNNEL)
        self.splits = self._tables("3_pairs/splits.tsv", tables.SPLITS)
        self.pairs = self._tables("3_pairs/pairs.tsv", tables.PAIRS)
        self.scores = self._tables("6_evaluate/scores.tsv", tables.SCORES)
        self.comparisons = self._tables("6_evaluate/comparisons.tsv", tables.COMPARISONS)
        self.distributions = self._tables("6_evaluate/distributions.tsv", tables.DISTRIBUTIONS)
        self.subgroups = self._tables("6_evaluate/subgroups.tsv", tables.SUBGROUPS)
        self.contrasts = self._tables("6_evaluate/contrasts.tsv", tables.CONTRASTS)
        self.external = self._tables("6_evaluate/cohorts.tsv", tables.COHORTS)
        self.stability = self._tables("6_evaluate/stability.tsv", tables.STABILITY)
        self.journals = self._journals()

    @property
    def cohorts(self) -> list[str]:
        """Cohorts that were scored, or, before that, scanned."""
        return sorted((self.scores if len(self.scores) else self.scans)["cohort"].unique())

    def judged(self, cohort: str) -> pd.DataFrame:
        """The cohort's scores of requests that have a true follow-up."""
        scores = self.scores[self.scores["cohort"] == cohort]
        return scores[scores["request"].isin(scores.loc[scores["metric"] == "true_volume_ml", "request"])]

    def swept(self, cohort: str) -> pd.DataFrame:
        """The cohort's scores of the interval sweep, whose requests have no true follow-up."""
        scores = self.scores[self.scores["cohort"] == cohort]
        return scores[~scores["request"].isin(self.judged(cohort)["request"])]

    def models(self, cohort: str, primary: str) -> list[str]:
        """The cohort's models: the primary one, the others by their gain in ssim_brain, the floors last."""
        rows = self.comparisons
        rows = rows[(rows["cohort"] == cohort) & (rows["metric"] == "ssim_brain")]
        gains = rows.sort_values("gain").groupby("model", sort=False)["gain"].last().fillna(0)
        ranked = gains.sort_values(ascending=False, kind="stable").index.tolist()
        ranked.sort(key=lambda model: (model != primary, FLOORS.index(model) if model in FLOORS else -1))
        return ranked

    def _tables(self, pattern: str, table: tables.Table) -> pd.DataFrame:
        paths = sorted(self.results.glob(pattern))
        if paths:
            return tables.read_all(paths, table)
        self.missing.append(f"{pattern}: nothing there")
        return pd.DataFrame(columns=table.names)

    def _journals(self) -> dict[str, pd.DataFrame]:
        """Steps and losses of each model that was trained, from its log.jsonl.

        Columns `step` and `loss`, or for a model of several players `step` and each player's loss by name.
        """
        paths = sorted(self.results.glob("4_train/*/log.jsonl"))
        if not paths:
            self.missing.append("4_train/*/log.jsonl: nothing there")
        return {path.parent.name: _read_journal(path) for path in paths}


def _read_journal(path: Path) -> pd.DataFrame:
    rows, players = [], {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            raise Refused(f"{path}, line {number}: is no JSON. Remove the line, or train again.") from None
        if isinstance(row, dict) and "step" in row and "loss" in row:
            losses = row.get("losses") or {}
            players |= dict.fromkeys(losses)
            rows.append({**losses, "step": row["step"], "loss": row["loss"]})
    shown = list(players) if len(players) > 1 else ["loss"]
    return pd.DataFrame(rows, columns=["step", *shown], dtype=float)
