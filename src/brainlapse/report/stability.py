"""How much of a score is the luck of a training's seed."""

import pandas as pd

from brainlapse.report.claims import CELLS
from brainlapse.report.study import Study
from brainlapse.report.table import Cell, PageTable, Row, headings, numbers_of
from brainlapse.report.words import number
from brainlapse.tables import MISSING


def by_seed(study: Study, cohort: str) -> PageTable | None:
    """One row a group of rows of config.yaml that differ in their seed alone."""
    found = study.stability[study.stability["cohort"] == cohort]
    rows = [
        Row(model, [(str(int(part["seeds"].max())), ""), *(_spread(part, cell) for cell in CELLS)])
        for model, part in found.groupby("model", sort=False)
    ]
    if not rows:
        return None
    return PageTable(
        "Rows that were trained again with another seed: mean ± standard deviation over the seeds, and the "
        "range.",
        ["seeds", *headings(CELLS)], rows, "model", numbers_of(found), "6_evaluate/stability.tsv",
    )  # fmt: skip


def _spread(part: pd.DataFrame, cell: Cell) -> tuple[str, str]:
    row = cell.row_of(part)
    if row is None:
        return MISSING, ""
    mean, sd, lowest, highest = (
        number(row[name], cell.digits) for name in ("mean", "sd", "lowest", "highest")
    )
    return f"{mean} ± {sd}", f"{lowest} to {highest}"
