"""Does a model know how sure it may be? What its draws cover, beside what they should."""

from brainlapse.report.study import Study
from brainlapse.report.table import PageTable, Row, cell, numbers_of, only

# (region, metric, heading, digits)
SHOWN = (
    ("brain", "draws", "draws", 0),
    ("brain", "spread_error_ratio", "voxels: spread / error (1)", 2),
    ("brain", "coverage_50", "in 50 % intervals", 2),
    ("brain", "coverage_80", "in 80 %", 2),
    ("brain", "coverage_95", "in 95 %", 2),
    ("ventricles", "volume_change_spread_error_ratio", "ventricles: spread / error (1)", 2),
    ("ventricles", "volume_change_covered_80", "in 80 % intervals", 2),
    ("brain", "volume_change_spread_error_ratio", "brain volume: spread / error (1)", 2),
)
CRPS = "volume_change_crps_percent"


def coverage(study: Study, cohort: str, models: list[str]) -> PageTable | None:
    """One row a model with several draws a request."""
    found = study.comparisons[study.comparisons["cohort"] == cohort]
    several = set(found.loc[(found["metric"] == "draws") & (found["value"] > 1), "model"])
    rows, metrics = [], {metric for _, metric, _, _ in SHOWN} | {CRPS}
    for model in (model for model in models if model in several):
        own = found[found["model"] == model]
        cells = [cell(only(own, region=r, metric=m), "value", d) for r, m, _, d in SHOWN]
        crps = only(own, region="ventricles", metric=CRPS)
        rows.append(Row(model, [(cells[0][0], ""), *cells[1:], cell(crps, "value", 2)]))
    if not rows:
        return None
    kept = found[found["model"].isin(several) & found["metric"].isin(metrics)]
    return PageTable(
        "What several draws of one request say about its uncertainty. A right model has ratios of 1 and as "
        "many "
        "truths in its intervals as they promise; below 1 it is too sure. Voxels carry the noise of the "
        "true scan, which "
        "a model can draw without knowing the person: believe the volumes. The last column is the ranked "
        "probability "
        "score, in which models of one draw can be compared too.",
        [*(heading for _, _, heading, _ in SHOWN), "ventricles: CRPS ↓, %"], rows, "model", numbers_of(kept),
        "6_evaluate/comparisons.tsv",
    )  # fmt: skip
