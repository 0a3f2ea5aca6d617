"""The score tables of the page, as rows of text; the numbers are those of comparisons.tsv, none is new."""

import pandas as pd

from brainlapse.report.caveats import PAPER_FID, PAPER_SSIM
from brainlapse.report.study import FLOORS, Study
from brainlapse.report.table import Cell, PageTable, Row, headings, numbers_of
from brainlapse.report.words import bounds, number, significant

IMAGE_CELLS = (
    Cell("SSIM in the brain ↑", "brain", "ssim_brain", 3),
    Cell("its gain over copy", "brain", "ssim_brain", 4, "gain"),
    Cell("SSIM of the whole box ↑", "volume", "ssim_volume", 3, bounds=False),
    Cell("error where the brain changed ↓", "changed", "mae_changed", 3),
    Cell("correlation of change maps ↑", "brain", "change_correlation", 2),
    Cell("change missed ↓", "brain", "change_error", 2),
    Cell("spread of draws", "brain", "draw_spread", 4, bounds=False),
)
MORE_CELLS = (
    Cell("whole box, background emptied ↑", "volume", "ssim_volume_masked", 3),
    Cell("MS-SSIM of the same ↑", "volume", "ms_ssim_volume_masked", 3),
    Cell("PSNR in the brain ↑, dB", "brain", "psnr_brain", 1),
    Cell("mean error in the brain ↓", "brain", "mae_brain", 4),
    Cell("Dice of the changed region ↑", "brain", "change_dice", 2),
    Cell("sign of the change right ↑", "changed", "change_sign_agreement", 2),
)
SWEEP_CELLS = (
    Cell("ventricles, % a year asked for", "ventricles", "sweep_rate_percent_per_year", 1),
    Cell("share of people with a steady answer ↑", "ventricles", "sweep_monotone", 2, bounds=False),
    Cell("asked for no time: distance from the source, in rescans (≤ 1)", "brain", "sweep_identity", 2),
)


def score_table(
    comparisons: pd.DataFrame, models: list[str], cells: tuple[Cell, ...], caption: str, best: dict
) -> PageTable:
    """One row a model. `best` says, for a (region, metric), which model may be called so: it gets a mark."""
    of_models = dict(list(comparisons.groupby("model")))
    rows = [
        Row(model, [_text(of_models[model], model, cell, best) for cell in cells], _kind(model, models))
        for model in models
    ]
    kept = comparisons[comparisons["metric"].isin({cell.metric for cell in cells})]
    return PageTable(caption, headings(cells), rows, "model", numbers_of(kept), "6_evaluate/comparisons.tsv")


def distance_table(distributions: pd.DataFrame, models: list[str]) -> PageTable | None:
    """One row a model, one column a distance, and a last row with the floors; None without rows."""
    if distributions.empty:
        return None
    metrics = list(distributions["metric"].unique())
    found = distributions.drop_duplicates(["model", "metric"], keep="last").set_index(["model", "metric"])
    rows = [
        Row(model, [_distance(found, model, metric) for metric in metrics], _kind(model, models))
        for model in models
    ]
    first = distributions.iloc[0]
    floors = [_floor(distributions[distributions["metric"] == metric].iloc[0]) for metric in metrics]
    rows.append(Row("real against real", floors, "floor"))
    sizes = ", ".join(f"{int(d):,}" for d in distributions["d"].drop_duplicates())
    real = "other real scans" if pd.isna(first["floor_of"]) else first["floor_of"]
    return PageTable(
        f"Distance between the set of samples and the set of true follow-ups: n = {int(first['n'])} volumes "
        f"in each, d = {sizes} features. The last row is the same distance between true follow-ups and "
        f"{real}. Spaces called random3d are those of an untrained network.",
        [f"{metric.replace('_', ' ', 1)} {_better(metric)}" for metric in metrics], rows, "model",
        numbers_of(distributions), "6_evaluate/distributions.tsv",
    )  # fmt: skip


def paper_table(study: Study, models: list[str]) -> PageTable:
    """The seed paper's two numbers beside ours, which are of another protocol."""
    said = [(str(PAPER_SSIM), "protocol not described"), (str(PAPER_FID), "features not named")]
    rows = [Row("the paper", said)]
    for cohort in study.cohorts:
        ssim = study.comparisons[
            (study.comparisons["cohort"] == cohort) & (study.comparisons["metric"] == "ssim_volume")
        ].set_index("model")["value"]
        fid = study.distributions[
            (study.distributions["cohort"] == cohort)
            & study.distributions["metric"].str.startswith("fid_", na=False)
        ].set_index("model")["value"]
        for model in ("zero", "copy", *models[:1], "paper"):
            if model in ssim.index:
                cells = [(number(ssim[model], 3), "whole box, 3D"), _fid(fid, model)]
                rows.append(Row(f"{model}, {cohort}", cells, "floor" if model in FLOORS else "model"))
    return PageTable(
        "The seed paper (arXiv 2411.05860) and this study. Other people, another protocol: the numbers "
        "cannot be compared. What they show is how little an SSIM of a whole volume says.",
        ["SSIM", "FID"], rows, "from",
    )  # fmt: skip


def _fid(fid: pd.Series, model: str) -> tuple[str, str]:
    return (number(fid[model], 2), "inception2015, 3 planes") if model in fid.index else ("not computed", "")


def _better(metric: str) -> str:
    return "↑" if metric.startswith(("precision", "recall")) else "↓"


def _kind(model: str, models: list[str]) -> str:
    return "floor" if model in FLOORS else "primary" if model == models[0] else "model"


def _distance(found: pd.DataFrame, model: str, metric: str) -> tuple[str, str]:
    if (model, metric) not in found.index:
        return "n/a", ""
    row = found.loc[(model, metric)]
    return significant(row["value"]), bounds(row["value_low"], row["value_high"], significant)


def _floor(row: pd.Series) -> tuple[str, str]:
    return significant(row["floor"]), "" if pd.isna(row["n_floor"]) else f"n = {row['n_floor']}"


def _text(own: pd.DataFrame, model: str, cell: Cell, best: dict) -> tuple[str, str]:
    """The number, marked where it may be called the best, and in brackets its interval."""
    if cell.shows == "gain" and model == "copy":
        return "the floor", ""
    text, interval = cell.of(own)
    return text + (" ★" if best.get((cell.region, cell.metric)) == model else ""), interval
