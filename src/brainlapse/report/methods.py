"""A Methods paragraph of the study, ready to paste, written from its settings and its counts."""

import pandas as pd

from brainlapse.report.study import FLOORS, Study
from brainlapse.report.words import plural

_STUDIES = {
    "adni": "ADNI", "oasis3": "OASIS-3", "aibl": "AIBL", "bids": "a BIDS dataset",
    "phantom": "a synthetic cohort of this software",
}  # fmt: skip
_BRAIN = {
    "ants": "The brain was found with ANTs by registration of a head template ({template})",
    "deepbet": "The brain was found with deepbet",
    "none": "The scans had been stripped before",
}
_STARTS = {
    "source": "the source",
    "usual": "the training pairs’ average motion",
    "paced": "the training pairs’ average motion at the pace that linear regression foretells",
}


def methods(study: Study, config: dict) -> list[str]:
    """Paragraphs of plain text; parts whose settings or tables are missing are left out."""
    written = [_data(study, config), _preprocessing(study, config), _pairs(study, config),
               _models(config), _evaluation(study, config)]  # fmt: skip
    return [paragraph for paragraph in written if paragraph]


def _data(study: Study, config: dict) -> str:
    told = []
    for name, row in sorted((config.get("cohorts") or {}).items()):
        if not row:
            continue
        scans = study.scans[study.scans["cohort"] == name]
        of = _STUDIES.get(row.get("reader"), row.get("reader"))
        role = " (external: no model was trained on it)" if row.get("role") == "external" else ""
        told.append(
            f"{plural(len(scans), 'T1-weighted scan')} of {plural(scans['subject'].nunique(), 'person')} "
            f"from {of}{role}"
        )
    return f"We used {', and '.join(told)}." if told else ""


def _preprocessing(study: Study, config: dict) -> str:
    grid, how = config.get("grid"), config.get("preprocess")
    if not grid or not how:
        return ""
    accepted = int((study.quality["status"] == "accepted").sum())
    template = {"embedded": "the ICBM152 2009a brain"}.get(how.get("template"), how.get("template"))
    return (
        f"{_BRAIN[how['brain']].format(template=template)}. Intensities were corrected for "
        "shading with N4. A person’s first scan was registered to MNI152 with an affine transform and each "
        "follow-up to the first scan with a rigid one; no deformable registration was used, so that atrophy "
        f"stays in the images. Volumes have {' × '.join(map(str, grid['shape']))} voxels of "
        f"{grid['spacing_mm']:g} mm, intensities in [−1, 1], background −1. {plural(accepted, 'scan')} of "
        f"{len(study.quality):,} passed the quality limits."
    )


def _pairs(study: Study, config: dict) -> str:
    limits = config.get("pairs")
    if not limits or study.splits.empty:
        return ""
    people = study.splits.drop_duplicates(["cohort", "subject"])["split"].value_counts()
    pairs = study.pairs["split"].value_counts()
    counts = ", ".join(
        f"{plural(int(people[split]), 'person')} with {plural(int(pairs.get(split, 0)), 'pair')} for {word}"
        for split, word in (("train", "training"), ("validation", "validation"), ("test", "testing"))
        if split in people
    )
    return (
        f"A pair is an earlier and a later scan of one person {limits['min_interval_years']:g} to "
        f"{limits['max_interval_years']:g} years apart by their dates of acquisition. Splits are by person, "
        f"across cohorts: {counts}."
    )


def _models(config: dict) -> str:
    rows = [(name, row) for name, row in (config.get("models") or {}).items() if row]
    told = []
    for name, row in rows:
        if "weights" in row:
            told.append(f"{name} (the network of {row['weights']}, {_sampling(row)})")
            continue
        training = row.get("training") or {}
        what = [row.get("family", "a model")]
        if "predict" in row:
            what.append(f"predicting {row['predict']}")
        if row.get("diffuse") != "image" and row.get("start") in _STARTS:
            what.append(f"starting from {_STARTS[row['start']]}")
        if row.get("conditions"):
            what.append(f"told {', '.join(row['conditions'])}")
        if training.get("steps", 1) > 1:
            what.append(
                f"{training['steps']:,} steps of {plural(training.get('batch', 1), 'pair')}, learning rate "
                f"{training.get('learning_rate', 0):g}, {training.get('precision', 'fp32')}"
            )
        told.append(f"{name} ({'; '.join([*what, *filter(None, [_sampling(row)])])})")
    if not told:
        return ""
    floors = ", ".join(FLOORS[:-1]) + f" and {FLOORS[-1]}"
    return (
        f"The models were {'; '.join(told)}. Seed {config.get('seed', 0)}. Beside them stand floors that "
        f"need no training: {floors} (the source itself, the source with the noise of another scan, and an "
        "empty volume)."
    )


def _sampling(row: dict) -> str:
    sampling, said = row.get("sampling") or {}, []
    if sampling.get("steps"):
        by = f" ({sampling['sampler']})" if sampling.get("sampler") and sampling["steps"] > 1 else ""
        said.append(f"sampled in {plural(sampling['steps'], 'step')}{by}")
    if sampling.get("draws", 1) > 1:
        said.append(f"{sampling['draws']} draws")
    if sampling.get("pace") == "drawn":
        said.append("at paces drawn as far from the foretold as those of the training pairs")
    return ", ".join(said)


def _evaluation(study: Study, config: dict) -> str:
    asked = config.get("evaluate")
    judged = study.scores.loc[study.scores["metric"] == "true_volume_ml", ["cohort", "subject", "request"]]
    judged = judged.drop_duplicates()
    if not asked or judged.empty:
        return ""
    people = judged.drop_duplicates(["cohort", "subject"])
    spaces = _spaces(study.distributions)
    return (
        f"{plural(len(judged), 'follow-up')} of {plural(len(people), 'person')} were predicted and compared "
        "with the true scans. SSIM (Gaussian window of 11 voxels, σ 1.5, data range 1) is the mean of its "
        "map over the source’s brain mask. Change maps are differences from the source smoothed by one "
        f"voxel; where the smoothed true change exceeds {asked.get('change_threshold', 0.05):g} of the "
        "intensity range the brain counts as changed. Volumes are sums of tissue fractions in template "
        "regions. A person’s requests are averaged first; intervals are 95 % percentile bootstraps over "
        f"people ({asked.get('bootstrap', 0):,} draws), gains are paired with copying the source on the same "
        "request, and contrasts between models are tested with Wilcoxon’s signed-rank test with Holm’s "
        f"correction.{spaces}"
    )


def _spaces(distributions: pd.DataFrame) -> str:
    if distributions.empty:
        return ""
    names = ", ".join(dict.fromkeys(distributions["metric"]))
    return f" Distances between sets of volumes: {names}, each beside that of real scans of other people."
