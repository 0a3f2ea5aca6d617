"""How much of a score is the luck of a training's seed."""

from brainlapse.report.study import Study
from brainlapse.report.table import PageTable, Row, numbers_of, only
from brainlapse.report.words import number

SHOWN = (
    ("brain", "ssim_brain", "SSIM in the brain", 4),
    ("changed", "mae_changed", "error where it changed", 4),
    ("brain", "change_correlation", "correlation of change", 3),
    ("ventricles", "volume_rate_error_percent_per_year", "error of the ventricles’ rate, % a year", 2),
)


def by_seed(study: Study, cohort: str) -> PageTable | None:
    """One row a group of rows of config.yaml that differ in their seed alone."""
    found = study.stability[study.stability["cohort"] == cohort]
    rows = []
    for model, part in found.groupby("model", sort=False):
        cells = [(str(int(part["seeds"].max())), "")]
        for region, metric, _, digits in SHOWN:
            row = only(part, region=region, metric=metric)
            if row is None:
                cells.append(("n/a", ""))
                continue
            ends = f"{number(row['lowest'], digits)} to {number(row['highest'], digits)}"
            cells.append((f"{number(row['mean'], digits)} ± {number(row['sd'], digits)}", ends))
        rows.append(Row(model, cells))
    if not rows:
        return None
    return PageTable(
        "Rows that were trained again with another seed: mean ± standard deviation over the seeds, and the "
        "range.",
        ["seeds", *(heading for _, _, heading, _ in SHOWN)], rows, "model", numbers_of(found),
        "6_evaluate/stability.tsv",
    )  # fmt: skip
