"""Which differences between models the data carry: contrasts, ablations, and where `best` is allowed."""

import pandas as pd

from brainlapse.report.study import Study
from brainlapse.report.table import PageTable, Row, cell, in_order, numbers_of, only
from brainlapse.report.words import number

# (region, metric, heading, digits, which way is better)
METRICS = (
    ("brain", "ssim_brain", "SSIM in the brain ↑", 4, 1),
    ("changed", "mae_changed", "error where it changed ↓", 4, -1),
    ("brain", "change_correlation", "correlation of change ↑", 3, 1),
    ("ventricles", "volume_rate_error_percent_per_year", "error of the ventricles’ rate ↓, % a year", 2, -1),
)


def pairs(study: Study, cohort: str, primary: str) -> PageTable | None:
    """The primary model minus each other one, on the same requests."""
    found = _of(study, cohort, "pair")
    flipped = found[found["other"] == primary].assign(model=primary, other=found["model"])
    for of, _from in (("difference", "difference"), ("difference_low", "difference_high")):
        flipped[of], flipped[_from] = -flipped[_from], -flipped[of]
    own = pd.concat([found[found["model"] == primary], flipped]).drop_duplicates(
        ["other", "region", "metric"], keep="first"
    )
    rows = [
        Row(
            f"minus {other}",
            [_cell(own, other=other, region=r, metric=m, digits=d) for r, m, _, d, _ in METRICS],
        )
        for other in in_order(own["other"])
    ]
    if not rows:
        return None
    tests = int(found["tests"].max())
    return PageTable(
        f"{primary} minus another model: mean over people of the difference on the same requests, with 95 % "
        f"interval and p of Wilcoxon’s test corrected for {tests} contrasts (Holm). An arrow says which "
        f"way is better.",
        [heading for _, _, heading, _, _ in METRICS], rows, "contrast", numbers_of(own),
        "6_evaluate/contrasts.tsv",
    )  # fmt: skip


def interactions(study: Study, cohort: str) -> PageTable | None:
    """Whether source and interval are worth more together than the sum of each alone."""
    found = _of(study, cohort, "interaction")
    rows = [
        Row(model, [_cell(found, model=model, region=r, metric=m, digits=d) for r, m, _, d, _ in METRICS])
        for model in in_order(found["model"])
    ]
    if not rows:
        return None
    return PageTable(
        "Interaction of the two conditions: full − without source − without interval + without both. For a "
        "metric "
        "with ↑ more than 0 says that they are worth more together than the sum of each alone; an interval "
        "around 0 "
        "cannot tell it from a sum.",
        [heading for _, _, heading, _, _ in METRICS], rows, "ablation of", numbers_of(found),
        "6_evaluate/contrasts.tsv",
    )  # fmt: skip


def ablations(study: Study, cohort: str, config: dict) -> PageTable | None:
    """The rows of an ablation that are told less, minus the full one."""
    found, rows, kept = _of(study, cohort, "pair"), [], []
    for name, told in ((config.get("evaluate") or {}).get("ablations") or {}).items():
        for less in ("no_source", "no_interval", "neither"):
            part = found[(found["model"] == told[less]) & (found["other"] == told["full"])]
            if len(part):
                cells = [_cell(part, region=r, metric=m, digits=d) for r, m, _, d, _ in METRICS]
                rows.append(Row(f"{name}: {told[less]}", cells))
                kept.append(part)
    if not rows:
        return None
    return PageTable(
        "What a model loses that is told less: the ablated row minus the full one, on the same requests.",
        [heading for _, _, heading, _, _ in METRICS], rows, "ablation", numbers_of(pd.concat(kept)),
        "6_evaluate/contrasts.tsv",
    )  # fmt: skip


def best(study: Study, cohort: str, models: list[str]) -> dict[tuple[str, str], str]:
    """(region, metric) → the model that may be called best; none where the intervals do not allow it.

    It has the best mean of `models`, and every contrast of it with one of them excludes 0; there must be
    one at least.
    """
    found, allowed = _of(study, cohort, "pair"), {}
    means = study.comparisons[study.comparisons["cohort"] == cohort]
    for region, metric, _, _, better in METRICS:
        values = means[
            (means["region"] == region) & (means["metric"] == metric) & means["model"].isin(models)
        ]
        values = values.dropna(subset="value")
        if len(values) < 2:
            continue
        name = values.loc[(better * values["value"]).idxmax(), "model"]
        part = found[(found["region"] == region) & (found["metric"] == metric)]
        part = part[
            ((part["model"] == name) & part["other"].isin(models))
            | ((part["other"] == name) & part["model"].isin(models))
        ]
        sure = (part["difference_low"] > 0) | (part["difference_high"] < 0)
        if len(part) and sure.all():
            allowed[region, metric] = name
    return allowed


def _of(study: Study, cohort: str, contrast: str) -> pd.DataFrame:
    rows = study.contrasts
    return rows[(rows["cohort"] == cohort) & (rows["contrast"] == contrast)]


def _cell(found: pd.DataFrame, digits: int, **values) -> tuple[str, str]:
    row = only(found, **values)
    if row is None:
        return "n/a", ""
    text, interval = cell(row, "difference", digits, sign=True)
    return text, f"{interval} p {number(row['p_holm'], 2)}" if interval else ""
