"""What went wrong: scans that were kept out, scores that could not be had, steps that were skipped."""

import json

from brainlapse.report.study import Study
from brainlapse.report.words import plural

SHOWN = 10


def failures(study: Study) -> list[str]:
    """Sentences; empty if nothing failed."""
    return [*_quarantined(study), *_undefined(study), *_skipped(study)]


def _quarantined(study: Study) -> list[str]:
    bad = study.quality[study.quality["status"] == "quarantined"]
    found = []
    for cohort, part in bad.groupby("cohort"):
        total = int((study.quality["cohort"] == cohort).sum())
        told = "; ".join(
            f"{row.scan} of {row.subject}: {row.reason}" for row in part.head(SHOWN).itertuples()
        )
        more = f"; and {len(part) - SHOWN} more" if len(part) > SHOWN else ""
        found.append(
            f"{len(part)} of {plural(total, 'scan')} of {cohort} did not pass preprocessing: {told}{more}."
        )
    return found


def _undefined(study: Study) -> list[str]:
    """Requests whose primary score is not a number, by model."""
    primary = study.scores[study.scores["metric"] == "ssim_brain"]
    missing = primary[primary["value"].isna()]
    return [
        f"{model} has no score for {plural(len(part), 'request')} of {cohort}, whose samples hold voxels "
        f"that are no numbers: {', '.join(part['request'].head(SHOWN))}."
        for (model, cohort), part in missing.groupby(["model", "cohort"])
    ]


def _skipped(study: Study) -> list[str]:
    """Training steps whose loss or gradient was not finite, from the last line of each log."""
    found = []
    for path in sorted(study.results.glob("4_train/*/log.jsonl")):
        lines = path.read_text(encoding="utf-8").splitlines()
        skipped = json.loads(lines[-1]).get("skipped", 0) if lines else 0
        if skipped:
            found.append(
                f"{path.parent.name} skipped {plural(skipped, 'training step')} that gave no number."
            )
    return found
