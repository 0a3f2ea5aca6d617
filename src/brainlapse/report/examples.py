"""Which follow-ups the page shows, by a rule that nobody can tune, and their volumes."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from brainlapse import tables
from brainlapse.report.study import FLOORS, Study
from brainlapse.report.words import plural
from brainlapse.volumes import read_volume

RULE = (
    "The follow-ups with the highest, the median and the lowest gain in ssim_brain of {model} over copying "
    "the source. Draw 0 is shown."
)
SHOWN_BESIDE = ("regression", "paper")
MODELS_SHOWN = 3


@dataclass(frozen=True)
class Example:
    """One request with its volumes (X, Y, Z) in [-1, 1]; `samples` by model, the primary one first."""

    request: pd.Series
    chosen_as: str
    gain: float
    source: np.ndarray
    truth: np.ndarray
    brain: np.ndarray
    samples: dict[str, np.ndarray]


def examples(study: Study, cohort: str, models: list[str]) -> list[Example]:
    """The chosen requests of a cohort; `models[0]` is the model whose gain decides."""
    shown = _shown(models)
    return [
        _loaded(study, cohort, request, chosen_as, gain, shown)
        for request, chosen_as, gain in choose(study, cohort, models[0])
    ]


def choose(study: Study, cohort: str, model: str) -> list[tuple[pd.Series, str, float]]:
    """(row of requests.tsv, why it was chosen, gain) by RULE: best, median, worst; none twice, ties by id."""
    path = study.results / "5_sample" / model / cohort / "requests.tsv"
    if not path.exists():
        study.missing.append(f"5_sample/{model}/{cohort}/requests.tsv: nothing there, so no pictures")
        return []
    requests = tables.read(path, tables.REQUESTS).set_index("request", drop=False)
    gains = _gains(study.judged(cohort), model)
    gains = gains[gains.index.isin(requests.index)].sort_values(kind="stable")
    if gains.empty:
        return []
    of = plural(len(gains), "follow-up")
    chosen = {gains.index[(len(gains) - 1) // 2]: f"median gain of {of}"}
    chosen.setdefault(gains.index[-1], f"highest gain of {of}")
    chosen.setdefault(gains.index[0], f"lowest gain of {of}")
    return [(requests.loc[request], why, gains[request]) for request, why in chosen.items()]


def _gains(scores: pd.DataFrame, model: str) -> pd.Series:
    ssim = scores[scores["metric"] == "ssim_brain"].sort_values("request")
    wide = ssim.pivot_table(index="request", columns="model", values="value")
    copied = wide.get("copy", 0.0)
    return (wide[model] - copied).dropna() if model in wide else pd.Series(dtype=float)


def _shown(models: list[str]) -> list[str]:
    trained = [model for model in models if model not in FLOORS] or models
    beside = [model for model in SHOWN_BESIDE if model in trained[1:]]
    return [trained[0], *beside, *(m for m in trained[1:] if m not in beside)][:MODELS_SHOWN]


def _loaded(
    study: Study, cohort: str, request: pd.Series, chosen_as: str, gain: float, models: list[str]
) -> Example:
    folder = study.results / "2_preprocess" / cohort
    quality = study.quality[study.quality["cohort"] == cohort].set_index("scan")
    source, truth = (
        read_volume(folder / quality.at[request[name], "image"])[0] for name in ("source_scan", "target_scan")
    )
    mask, _ = read_volume(folder / quality.at[request["source_scan"], "mask"])
    samples = {model: _sample(study, cohort, model, request["request"]) for model in models}
    found = {model: sample for model, sample in samples.items() if sample is not None}
    return Example(request, chosen_as, gain, source, truth, mask > 0, found)


def _sample(study: Study, cohort: str, model: str, request: str) -> np.ndarray | None:
    folder = study.results / "5_sample" / model / cohort
    if not (folder / "samples.tsv").exists():
        return None
    samples = tables.read(folder / "samples.tsv", tables.SAMPLES)
    row = samples[(samples["request"] == request) & (samples["draw"] == 0)]
    return None if row.empty else read_volume(folder / row["image"].iloc[0])[0]
