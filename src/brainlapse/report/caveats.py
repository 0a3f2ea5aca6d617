"""What the numbers do not say. Most of these sentences always stand; the figures in them are this study's."""

import pandas as pd

from brainlapse.report.study import Study
from brainlapse.report.words import number, plural

PAPER_FID, PAPER_SSIM, PAPER_STEPS = 33.75, 0.2774, 300_000  # arXiv 2411.05860
EMPTY_SSIM = 0.58  # ssim_volume of the atlas brain with zeros at 128×160×128 and 1.4 mm; a test recomputes it


def caveats(study: Study, config: dict) -> list[str]:
    """Sentences, in the order of their weight."""
    found = [
        _phantom(config),
        _few_people(study),
        _paper_numbers(study),
        _paper_training(study),
        "Every number was made with one protocol: one grid, one template, one way to find the brain. "
        "Numbers of other publications were made with others and cannot be set beside these.",
        "Ventricles and hippocampi are template regions, widened by some millimetres, in which tissue is "
        "counted by its intensity. They are not segmentations; on a coarse grid the hippocampi are hardly "
        "resolved.",
        "Distances in random3d live in the features of an untrained random network. They rank models "
        "against each other and against their floor and are no FID. The floor compares different people, "
        "samples and truths are of the same people, so a model may lie below it.",
        "Both change maps hold the noise of the same source scan, so a model that only removes noise gets "
        "some correlation for it, the more the smaller the true change: read the correlation beside the "
        "error where the brain changed. Where a request has several draws its score is the mean of theirs.",
        "Intervals are 95 % percentile bootstraps over people. They hold neither the spread over training "
        "seeds nor a correction for the number of comparisons; the p values beside contrasts are corrected "
        "for the models that were compared, not for the metrics.",
        "A generated follow-up is not a diagnosis and nothing here is fit for clinical use.",
    ]
    return [sentence for sentence in found if sentence]


def _phantom(config: dict) -> str:
    cohorts = config.get("cohorts") or {}
    made_up = [name for name, row in cohorts.items() if row and row.get("reader") == "phantom"]
    if not made_up:
        return ""
    return (
        f"The cohort {', '.join(made_up)} is synthetic: heads that a program warped and aged by rule. It "
        "shows that the workflow runs and how models compare on a known truth. It says nothing about "
        "patients."
    )


def _few_people(study: Study) -> str:
    people = study.scores.drop_duplicates(["cohort", "subject"])
    if people.empty:
        return ""
    count = plural(len(people), "person")
    tail = " With so few, the order of neighbouring models means little." if len(people) < 64 else ""
    return f"The scores rest on {count} whose scans no model was trained on.{tail}"


def _paper_numbers(study: Study) -> str:
    rows = study.comparisons
    zero = rows[(rows["model"] == "zero") & (rows["metric"] == "ssim_volume")]["value"]
    said = f"The paper reports FID {PAPER_FID} and SSIM {PAPER_SSIM} with a protocol it does not describe. "
    if zero.empty or pd.isna(zero.iloc[0]):
        return said + "The row zero is missing here, so what an empty volume scores is not shown."
    here = f"Here a volume of nothing at all has SSIM {number(zero.iloc[0])} over the whole box"
    if zero.iloc[0] <= PAPER_SSIM:
        here += (
            ", since the box is coarse and tight; on the paper’s grid of 128×160×128 a template brain and "
            f"nothing at all have SSIM {EMPTY_SSIM}"
        )
    return f"{said}{here}. So passing {PAPER_SSIM} proves nothing; the bar is copying the source."


def _paper_training(study: Study) -> str:
    journal = study.journals.get("paper")
    if journal is None or journal.empty or journal["step"].max() >= PAPER_STEPS:
        return ""
    steps = int(journal["step"].max())
    return (
        f"The row paper follows the paper’s recipe but was trained for {steps:,} steps, the paper’s for "
        f"{PAPER_STEPS:,}. It is no judgement of the paper."
    )
