"""Who and what went into the study: funnel, rejected, quarantined, splits."""

import pandas as pd

from brainlapse.report.study import Study


def funnels(study: Study) -> list[dict]:
    """A cohort each: its steps with scans and people left, and the share of the first step."""
    found = []
    for cohort, part in study.funnel.groupby("cohort", sort=True):
        most = max(1, int(part["rows"].max()))
        steps = [
            {"step": row["step"], "rows": int(row["rows"]), "subjects": int(row["subjects"]),
             "share": 100 * int(row["rows"]) / most}
            for _, row in part.iterrows()
        ]  # fmt: skip
        found.append({"cohort": cohort, "steps": steps})
    return found


def rejected(study: Study) -> list[tuple[str, str, int]]:
    """(cohort, reason, number) of rows and files that were not used, the most frequent first."""
    return _counted(study.rejected)


def quarantined(study: Study) -> list[tuple[str, str, int]]:
    """(cohort, reason, number) of scans that failed a quality gate."""
    return _counted(study.quality[study.quality["status"] == "quarantined"])


def accepted_share(study: Study) -> tuple[int, int]:
    """(accepted, all) scans after preprocessing."""
    return int((study.quality["status"] == "accepted").sum()), len(study.quality)


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


def _counted(rows: pd.DataFrame) -> list[tuple[str, str, int]]:
    counts = rows.fillna({"reason": "no reason given"}).groupby(["cohort", "reason"]).size()
    counts = counts.sort_values(ascending=False, kind="stable")
    return [(cohort, reason, int(n)) for (cohort, reason), n in counts.items()]
