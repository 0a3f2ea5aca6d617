"""Samples for the toy study, made from its true follow-ups, as the stage sample would have written them.

Each model foretells a known part of the true change: `brainlapse` 60 % of it,
`regression` 40 % and blurred, `paper` noise; `copy`, `rescan` and `zero` are the floors.
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage

from brainlapse import tables
from brainlapse.volumes import BACKGROUND, brain_of, read_volume, write_volume
from toy_study import COHORT, GRID

MODELS = ("brainlapse", "regression", "paper", "copy", "rescan", "zero")
SWEEP_YEARS = (0, 1, 2, 3, 5)


def write_toy_samples(results: Path, models: tuple[str, ...] = MODELS, draws: int = 1) -> Path:
    """Write requests.tsv, samples.tsv and the volumes of each model; return `results`."""
    pairs = tables.read(results / "3_pairs" / "pairs.tsv", tables.PAIRS)
    requests = _requests(pairs[pairs["split"] == "test"])
    for model in models:
        folder = results / "5_sample" / model / COHORT
        rows = [row for request in requests for row in _samples(model, request, folder, results, draws)]
        tables.write(pd.DataFrame(requests), folder / "requests.tsv", tables.REQUESTS)
        tables.write(
            pd.DataFrame(rows).reindex(columns=tables.SAMPLES.names), folder / "samples.tsv", tables.SAMPLES
        )
    return results


def _requests(pairs: pd.DataFrame) -> list[dict]:
    requests = [pair.to_dict() | {"request": pair["pair"], "seed": n} for n, pair in pairs.iterrows()]
    for _, first in pairs.groupby("subject").first().reset_index().iterrows():
        for years in SWEEP_YEARS:
            requests.append(first.to_dict() | {
                "request": f"{COHORT}_{first['source_scan']}_{years}y", "target_scan": None,
                "interval_years": float(years), "seed": years, "history": None, "history_years": None,
            })  # fmt: skip
    return requests


def _samples(model: str, request: dict, folder: Path, results: Path, draws: int):
    for draw in range(draws):
        row = {"request": request["request"], "draw": draw}
        if model == "copy":
            yield row | {"image": os.path.relpath(_image(results, request["source_scan"]), folder)}
            continue
        row["image"] = f"sub-{request['subject']}/{request['request']}_draw-{draw}_T1w.nii.gz"
        sample = _sample(model, request, results, np.random.default_rng([draw, request["seed"]]))
        write_volume(folder / row["image"], sample.astype(np.float32), GRID.affine)
        yield row


def _sample(model: str, request: dict, results: Path, rng: np.random.Generator) -> np.ndarray:
    source, _ = read_volume(_image(results, request["source_scan"]))
    if model == "zero":
        return np.full_like(source, BACKGROUND)
    change = ndimage.gaussian_filter(_change(request, results, source), 0.6 if model == "brainlapse" else 1)
    sample = source + {"brainlapse": 0.6, "regression": 0.4, "paper": 0.0, "rescan": 0.0}[model] * change
    sample += rng.normal(0, {"paper": 0.5, "rescan": 0.02}.get(model, 0.005), source.shape)
    return np.where(brain_of(source), np.clip(sample, -1, 1), BACKGROUND)


def _change(request: dict, results: Path, source: np.ndarray) -> np.ndarray:
    """The true change; in the sweep the true change per year of the subject's last visit, times years."""
    if request["target_scan"] is not None:
        return read_volume(_image(results, request["target_scan"]))[0] - source
    pairs = tables.read(results / "3_pairs" / "pairs.tsv", tables.PAIRS)
    last = pairs[pairs["source_scan"] == request["source_scan"]].iloc[-1]
    target, _ = read_volume(_image(results, last["target_scan"]))
    return (target - source) * request["interval_years"] / last["interval_years"]


def _image(results: Path, scan: str) -> Path:
    folder = results / "2_preprocess" / COHORT
    quality = tables.read(folder / "quality.tsv", tables.QUALITY).set_index("scan")
    return folder / quality.at[scan, "image"]
