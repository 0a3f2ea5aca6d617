"""Does a model know how sure it may be? What its draws cover, beside what they should."""

from brainlapse.report.study import Study
from brainlapse.report.table import Cell, PageTable, Row, headings, numbers_of

CELLS = (
    Cell("draws", "brain", "draws", 0, bounds=False),
    Cell("voxels: spread / error (1)", "brain", "spread_error_ratio", 2),
    Cell("in 50 % intervals", "brain", "coverage_50", 2),
    Cell("in 80 %", "brain", "coverage_80", 2),
    Cell("in 95 %", "brain", "coverage_95", 2),
    Cell("ventricles: spread / error (1)", "ventricles", "volume_change_spread_error_ratio", 2),
    Cell("in 80 % intervals", "ventricles", "volume_change_covered_80", 2),
    Cell("brain volume: spread / error (1)", "brain", "volume_change_spread_error_ratio", 2),
    Cell("ventricles: CRPS ↓, %", "ventricles", "volume_change_crps_percent", 2),
)


def coverage(study: Study, cohort: str, models: list[str]) -> PageTable | None:
    """One row a model with several draws a request."""
    found = study.comparisons[study.comparisons["cohort"] == cohort]
    several = set(found.loc[(found["metric"] == "draws") & (found["value"] > 1), "model"])
    found = found[found["model"].isin(several) & found["metric"].isin({cell.metric for cell in CELLS})]
    of_models = dict(list(found.groupby("model")))
    rows = [
        Row(model, [cell.of(of_models[model]) for cell in CELLS]) for model in models if model in of_models
    ]
    if not rows:
        return None
    return PageTable(
        "What several draws of one request say about its uncertainty. A right model has ratios of 1 and as "
        "many truths in its intervals as they promise; below 1 it is too sure. Voxels carry the noise of "
        "the true scan, which a model can draw without knowing the person: believe the volumes. The last "
        "column is the ranked probability score, in which models of one draw can be compared too.",
        headings(CELLS), rows, "model", numbers_of(found), "6_evaluate/comparisons.tsv",
    )  # fmt: skip
