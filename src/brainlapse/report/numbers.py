"""The score tables of the page, as rows of text; the numbers are those of comparisons.tsv, none is new."""

from dataclasses import dataclass

import pandas as pd

from brainlapse.report.study import FLOORS
from brainlapse.report.words import bounds, number, significant


@dataclass(frozen=True)
class Cell:
    """What one column of a score table shows: a metric of a region, its value or its gain over copying."""

    heading: str
    region: str
    metric: str
    digits: int
    shows: str = "value"  # value | gain
    bounds: bool = True


IMAGE_CELLS = (
    Cell("SSIM in the brain ↑", "brain", "ssim_brain", 3),
    Cell("its gain over copy", "brain", "ssim_brain", 4, "gain"),
    Cell("SSIM of the whole box ↑", "volume", "ssim_volume", 3, bounds=False),
    Cell("error where the brain changed ↓", "changed", "mae_changed", 3),
    Cell("correlation of change maps ↑", "brain", "change_correlation", 2),
    Cell("change missed ↓", "brain", "change_error", 2),
    Cell("spread of draws", "brain", "draw_spread", 4, bounds=False),
)
VOLUME_CELLS = (
    Cell("predicted change, %", "ventricles", "volume_change_percent", 1),
    Cell("true change, %", "ventricles", "true_volume_change_percent", 1, bounds=False),
    Cell("error of the rate, % a year ↓", "ventricles", "volume_rate_error_percent_per_year", 1),
    Cell("slope, predicted on true (1)", "ventricles", "volume_change_slope", 2),
    Cell("r over people ↑", "ventricles", "volume_change_pearson", 2),
    Cell("sweep: share of people with a steady answer", "ventricles", "sweep_monotone", 2, bounds=False),
)


def score_table(comparisons: pd.DataFrame, models: list[str], cells: tuple[Cell, ...]) -> dict:
    """`head` (texts) and `rows`: `model`, `kind` (primary, model, floor), `cells` (number, interval)."""
    found = comparisons.drop_duplicates(["model", "region", "metric"], keep="last")
    found = found.set_index(["model", "region", "metric"])
    rows = [
        {
            "model": model,
            "kind": _kind(model, models),
            "cells": [_text(found, model, cell) for cell in cells],
        }
        for model in models
    ]
    return {"head": [cell.heading for cell in cells], "rows": rows}


def distance_table(distributions: pd.DataFrame, models: list[str]) -> dict | None:
    """One row a model, one column a distance, and a last row with the floors; None without rows."""
    if distributions.empty:
        return None
    metrics = list(distributions["metric"].unique())
    found = distributions.drop_duplicates(["model", "metric"], keep="last").set_index(["model", "metric"])
    rows = [
        {"model": model, "kind": _kind(model, models), "cells": [_distance(found, model, m) for m in metrics]}
        for model in models
    ]
    floors = [_floor(distributions[distributions["metric"] == metric].iloc[0]) for metric in metrics]
    rows.append({"model": "real against real", "kind": "floor", "cells": floors})
    heads = [f"{metric} ↓" for metric in metrics]
    first = distributions.iloc[0]
    return {"head": heads, "rows": rows, "n": int(first["n"]), "d": int(first["d"])}


def _kind(model: str, models: list[str]) -> str:
    return "floor" if model in FLOORS else "primary" if model == models[0] else "model"


def _distance(found: pd.DataFrame, model: str, metric: str) -> tuple[str, str]:
    if (model, metric) not in found.index:
        return "n/a", ""
    row = found.loc[(model, metric)]
    return significant(row["value"]), bounds(row["value_low"], row["value_high"], significant)


def _floor(row: pd.Series) -> tuple[str, str]:
    return significant(row["floor"]), "" if pd.isna(row["n_floor"]) else f"n = {row['n_floor']}"


def _text(found: pd.DataFrame, model: str, cell: Cell) -> tuple[str, str]:
    """The number and, in brackets, its interval."""
    key = (model, cell.region, cell.metric)
    if key not in found.index:
        return "n/a", ""
    if cell.shows == "gain" and model == "copy":
        return "the floor", ""
    row = found.loc[key]

    def written(value: float) -> str:
        return number(value, cell.digits, sign=cell.shows == "gain")

    interval = bounds(row[cell.shows + "_low"], row[cell.shows + "_high"], written) if cell.bounds else ""
    return written(row[cell.shows]), interval
