"""Who and what went into the study: the flow from the download to the pairs, and who is in which split."""

from dataclasses import dataclass

import pandas as pd

from brainlapse.report.study import Study
from brainlapse.report.words import plural
from brainlapse.tables import SPLITS_ALLOWED

ACCEPTED, PAIRS = "accepted by preprocessing", "pairs"  # steps of the funnel that the stage pairs writes
SAME_IMAGE = "further row about the same image"


@dataclass(frozen=True)
class Step:
    """What is left after a step of a funnel, and what it took away and why, each counted in its unit."""

    name: str
    unit: str
    rows: int
    people: int
    lost: int
    lost_unit: str
    lost_people: int
    reasons: list[tuple[str, int]]


@dataclass(frozen=True)
class Flow:
    """A cohort from its download to its pairs; `ends` are (split, people, pairs)."""

    cohort: str
    steps: list[Step]
    ends: list[tuple[str, int, int]]


def flows(study: Study) -> list[Flow]:
    """A flow each for the cohorts that have a funnel."""
    cohorts = sorted({*study.funnel["cohort"], *study.pairs_funnel["cohort"]})
    return [Flow(cohort, _steps(study, cohort), _ends(study, cohort)) for cohort in cohorts]


def splits(study: Study) -> dict | None:
    """People by split and by diagnosis at their first scan, as `head` and `rows`; None without splits."""
    if study.splits.empty:
        return None
    first = study.scans.sort_values("days").drop_duplicates(["cohort", "subject"])
    first = first[["cohort", "subject", "diagnosis"]]
    people = study.splits.merge(first, on=["cohort", "subject"], how="left")
    people["diagnosis"] = people["diagnosis"].fillna("n/a")
    counts = pd.crosstab([people["cohort"], people["split"]], people["diagnosis"])
    order = [name for name in ("CN", "MCI", "AD", "n/a") if name in counts]
    order += [name for name in counts if name not in order]
    rows = [[*group, *(int(n) for n in row), int(row.sum())] for group, row in counts[order].iterrows()]
    return {"head": ["cohort", "split", *order, "all"], "rows": rows}


def leakage(study: Study) -> str:
    """The check of promise 1, in a sentence: nobody is in two splits, no pair in another than its person."""
    if study.splits.empty:
        return ""
    twice = study.splits.groupby(["cohort", "subject"])["split"].nunique()
    found = sorted(subject for _, subject in twice.index[twice > 1])
    strays = study.pairs.merge(study.splits, on=["cohort", "subject"], suffixes=("", "_of_person"))
    wrong = int((strays["split"] != strays["split_of_person"]).sum())
    if found or wrong:
        return (
            f"LEAKAGE: people in two splits: {', '.join(found) or 'none'}; pairs of another split than their "
            f"person’s: {wrong}."
        )
    return (
        f"Counted again here: each of {plural(len(twice), 'person')} is in one split, and so are their "
        f"{plural(len(study.pairs), 'pair')}. That nobody is in two cohorts under two splits the stage pairs "
        "has checked; it refuses a study in which somebody is."
    )


def _steps(study: Study, cohort: str) -> list[Step]:
    """The manifest's steps, then those of pairs, whose first is the manifest's last."""
    of_manifest, of_pairs = (t[t["cohort"] == cohort] for t in (study.funnel, study.pairs_funnel))
    rows = pd.concat([of_manifest, of_pairs.iloc[1 if len(of_manifest) else 0 :]])
    reasons = _reasons(study, cohort)
    steps: list[Step] = []
    for place, row in enumerate(rows.itertuples()):
        unit = "pair" if row.step == PAIRS else "row" if place == 0 and len(of_manifest) else "scan"
        before = steps[-1] if steps else None
        lost = max(0, before.rows - row.rows) if before and unit != "pair" else 0
        lost_unit = before.unit if before else unit
        lost_people = max(0, before.people - row.subjects) if before else 0
        told = _told(reasons[reasons["step"] == row.step]["reason"])
        again = lost - sum(count for _, count in told)
        if lost_unit == "row" and again > 0:
            told.append((SAME_IMAGE, again))
        counts = int(row.rows), int(row.subjects), int(lost), lost_unit, int(lost_people)
        steps.append(Step(row.step, unit, *counts, told))
    return steps


def _reasons(study: Study, cohort: str) -> pd.DataFrame:
    """`step` and `reason` of everything of the cohort that was rejected or quarantined."""
    bad = study.quality[study.quality["status"] == "quarantined"].assign(step=ACCEPTED)
    bad["reason"] = bad["reason"].str.split(":").str[0]  # what follows is the figure that was seen
    both = pd.concat([table[["cohort", "step", "reason"]] for table in (study.rejected, bad)])
    return both[both["cohort"] == cohort].fillna({"reason": "no reason given"})


def _told(reasons: pd.Series) -> list[tuple[str, int]]:
    """(reason, number), the most frequent first."""
    return [
        (reason, int(n)) for reason, n in sorted(reasons.value_counts().items(), key=lambda r: (-r[1], r[0]))
    ]


def _ends(study: Study, cohort: str) -> list[tuple[str, int, int]]:
    people, pairs = (t.loc[t["cohort"] == cohort, "split"] for t in (study.splits, study.pairs))
    counts = [(split, int((people == split).sum()), int((pairs == split).sum())) for split in SPLITS_ALLOWED]
    return counts if len(people) else []
