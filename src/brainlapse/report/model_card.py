"""A model card of the primary model (Mitchell et al. 2019): what it is, what for, and what it is not."""

import pandas as pd

from brainlapse.report.study import Study
from brainlapse.report.words import plural

_ALWAYS_FIRST = {
    "Intended use": (
        "Research on the course of the ageing and diseased brain: how a follow-up scan could look, for "
        "groups of people and as one of several plausible answers for a person."
    ),
    "Out of scope": (
        "Diagnosis, prognosis or treatment of anybody; any claim about a person; data augmentation without a "
        "check of what the samples lack; brains with lesions, tumours or surgery, and children, of whom "
        "there are none in the data."
    ),
    "Factors": (
        "Results are given by interval, diagnosis, sex, age, field strength and cohort where the tables know "
        "them (section “For whom”)."
    ),
    "Metrics": (
        "Gain over copying the source in SSIM within the brain; error where the brain truly changed; "
        "correlation of change; rates of regional volumes against true ones; distances between sets with "
        "their floors; coverage of draws. All with 95 % intervals over people."
    ),
}
_ALWAYS_LAST = {
    "Ethical considerations": (
        "A generated scan shows a person’s anatomy and may identify them: treat it as their scan. It may "
        "look more certain than it is, and it carries the make-up of the cohort it was trained on into every "
        "answer."
    ),
    "Caveats": (
        "See the section “Caveats”; the weights may be covered by the data use agreement of the study."
    ),
}


def model_card(study: Study, config: dict, primary: str) -> list[tuple[str, str]]:
    """(heading, text) in the order of the paper; empty without a row of that name."""
    row = (config.get("models") or {}).get(primary)
    if not row:
        return []
    return [
        ("Model details", _details(primary, row)),
        *_ALWAYS_FIRST.items(),
        ("Training data", _data(study, "train")),
        ("Evaluation data", _data(study, "test")),
        *_ALWAYS_LAST.items(),
    ]


def _details(primary: str, row: dict) -> str:
    training, network = row.get("training") or {}, row.get("network") or {}
    parts = [f"{primary}, family {row.get('family')}"]
    if row.get("conditions"):
        parts.append(f"told {', '.join(row['conditions'])}")
    if network.get("channels"):
        parts.append(f"U-Net with {', '.join(map(str, network['channels']))} channels")
    if training.get("steps"):
        parts.append(f"{training['steps']:,} training steps")
    return f"{'; '.join(parts)}. Settings and versions are at the end of this page."


def _data(study: Study, split: str) -> str:
    people = study.splits[study.splits["split"] == split].drop_duplicates(["cohort", "subject"])
    if people.empty:
        return "Not known here."
    pairs = study.pairs[study.pairs["split"] == split]
    first = people.merge(study.scans, on=["cohort", "subject"]).sort_values("days")
    first = first.drop_duplicates(["cohort", "subject"])
    ages = first["age_years"].dropna()
    told = [f"{plural(len(people), 'person')} of {', '.join(sorted(people['cohort'].unique()))}"]
    told += [f"{plural(len(pairs), 'pair')}"]
    if len(ages):
        told.append(f"age at the first scan {ages.mean():.0f} ± {_sd(ages):.0f} years")
    for column in ("sex", "diagnosis"):
        counts = first[column].value_counts()
        if len(counts):
            told.append(", ".join(f"{value}: {count}" for value, count in counts.items()))
    return f"{'; '.join(told)}."


def _sd(ages: pd.Series) -> float:
    return float(ages.std()) if len(ages) > 1 else 0.0
