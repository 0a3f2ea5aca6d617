"""Which differences between models the data carry: contrasts, ablations, and where `best` is allowed."""

import pandas as pd

from brainlapse.report.study import Study
from brainlapse.report.table import Cell, PageTable, Row, headings, numbers_of
from brainlapse.report.words import number

CELLS = (
    Cell("SSIM in the brain ↑", "brain", "ssim_brain", 4, "difference"),
    Cell("error where it changed ↓", "changed", "mae_changed", 4, "difference"),
    Cell("correlation of change ↑", "brain", "change_correlation", 3, "difference"),
    Cell("error of the ventricles’ rate ↓, % a year", "ventricles", "volume_rate_error_percent_per_year", 2,
         "difference"),
)  # fmt: skip


def pairs(study: Study, cohort: str, primary: str) -> PageTable | None:
    """The primary model minus each other one, on the same requests."""
    found = _of(study, cohort, "pair")
    own = pd.concat([found[found["model"] == primary], _turned(found[found["other"] == primary])])
    rows = [Row(f"minus {other}", _cells(part)) for other, part in own.groupby("other", sort=False)]
    if not rows:
        return None
    return PageTable(
        f"{primary} minus another model: mean over people of the difference on the same requests, with 95 % "
        f"interval and p of Wilcoxon’s test corrected for {int(found['tests'].max())} contrasts (Holm). An "
        "arrow says which way is better.",
        headings(CELLS), rows, "contrast", numbers_of(own), "6_evaluate/contrasts.tsv",
    )  # fmt: skip


def interactions(study: Study, cohort: str) -> PageTable | None:
    """Whether source and interval are worth more together than the sum of each alone."""
    found = _of(study, cohort, "interaction")
    rows = [Row(model, _cells(part)) for model, part in found.groupby("model", sort=False)]
    if not rows:
        return None
    return PageTable(
        "Interaction of the two conditions: full − without source − without interval + without both. For a "
        "metric with ↑ more than 0 says that they are worth more together than the sum of each alone; an "
        "interval around 0 cannot tell it from a sum.",
        headings(CELLS), rows, "ablation of", numbers_of(found), "6_evaluate/contrasts.tsv",
    )  # fmt: skip


def ablations(study: Study, cohort: str, config: dict) -> PageTable | None:
    """The rows of an ablation that are told less, minus the full one."""
    found, rows, kept = _of(study, cohort, "pair"), [], []
    for name, told in ((config.get("evaluate") or {}).get("ablations") or {}).items():
        for less in ("no_source", "no_interval", "neither"):
            part = found[(found["model"] == told[less]) & (found["other"] == told["full"])]
            if len(part):
                rows.append(Row(f"{name}: {told[less]}", _cells(part)))
                kept.append(part)
    if not rows:
        return None
    return PageTable(
        "What a model loses that is told less: the ablated row minus the full one, on the same requests.",
        headings(CELLS), rows, "ablation", numbers_of(pd.concat(kept)), "6_evaluate/contrasts.tsv",
    )  # fmt: skip


def best(study: Study, cohort: str, models: list[str]) -> dict[tuple[str, str], str]:
    """(region, metric) → the model that may be called best; none where the intervals do not allow it.

    It has the best mean of `models`, and every contrast of it with one of them excludes 0; there must be
    one at least.
    """
    found, allowed = _of(study, cohort, "pair"), {}
    found = found[found["model"].isin(models) & found["other"].isin(models)]
    means = study.comparisons[
        (study.comparisons["cohort"] == cohort) & study.comparisons["model"].isin(models)
    ]
    for cell in CELLS:
        values, contrasts = (_measured(frame, cell) for frame in (means.dropna(subset="value"), found))
        if len(values) < 2:
            continue
        name = values.loc[(cell.better * values["value"]).idxmax(), "model"]
        its = contrasts[(contrasts["model"] == name) | (contrasts["other"] == name)]
        if len(its) and ((its["difference_low"] > 0) | (its["difference_high"] < 0)).all():
            allowed[cell.region, cell.metric] = name
    return allowed


def _of(study: Study, cohort: str, contrast: str) -> pd.DataFrame:
    rows = study.contrasts
    return rows[(rows["cohort"] == cohort) & (rows["contrast"] == contrast)]


def _measured(frame: pd.DataFrame, cell: Cell) -> pd.DataFrame:
    return frame[(frame["region"] == cell.region) & (frame["metric"] == cell.metric)]


def _turned(pairs: pd.DataFrame) -> pd.DataFrame:
    """The same differences read from the other side."""
    return pairs.assign(
        model=pairs["other"], other=pairs["model"], difference=-pairs["difference"],
        difference_low=-pairs["difference_high"], difference_high=-pairs["difference_low"],
    )  # fmt: skip


def _cells(part: pd.DataFrame) -> list[tuple[str, str]]:
    """Each difference with its interval and corrected p."""
    found = []
    for cell in CELLS:
        text, interval = cell.of(part)
        found.append((text, f"{interval} p {number(cell.row_of(part)['p_holm'], 2)}" if interval else ""))
    return found
