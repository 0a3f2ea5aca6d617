"""What it cost: time, memory and CPU of the workflow's jobs, as Snakemake measured them."""

import pandas as pd

from brainlapse.report.study import Study
from brainlapse.report.table import PageTable, Row, numbers_of
from brainlapse.report.words import number

RULES = ("manifest", "preprocess", "gather", "show", "pairs", "train", "sample", "score", "compare")


def by_rule(study: Study) -> PageTable | None:
    """One row a rule: jobs, hours of them all, CPU hours, the most memory of one."""
    jobs = _jobs(study)
    if jobs.empty:
        return None
    rows = []
    for rule in RULES:
        part = jobs[jobs["rule"] == rule]
        if len(part):
            longest = part.loc[part["s"].idxmax()]
            rows.append(Row(rule, [
                (f"{len(part):,}", ""), (_time(part["s"].sum()), ""), (_time(part["cpu_time"].sum()), ""),
                (_time(longest["s"]), longest["job"]), (number(part["max_rss"].max() / 1024, 1), ""),
            ]))  # fmt: skip
    return PageTable(
        "Time and memory of the jobs that made these results, each by its last run. Jobs that ran side by "
        "side count each; what they waited for is in it.",
        ["jobs", "time of all", "CPU time of all", "the longest", "most memory of one, GiB"], rows, "rule",
        numbers_of(jobs), "benchmarks/",
    )  # fmt: skip


def sampling_times(study: Study, cohort: str, models: list[str], config: dict) -> PageTable | None:
    """One row a model: network evaluations asked for, seconds a sample, and what it scores."""
    jobs = _jobs(study)
    rows, kept = [], []
    for model in models:
        asked = (config.get("models") or {}).get(model)
        part = jobs[(jobs["rule"] == "sample") & jobs["job"].str.startswith(f"{model}/{cohort}")]
        made = _samples(study, model, cohort)
        if not asked or part.empty or not made:
            continue
        sampling = asked.get("sampling") or {}
        score = study.comparisons[
            (study.comparisons["model"] == model) & (study.comparisons["cohort"] == cohort)
        ].set_index(["region", "metric"])["gain"]
        rows.append(Row(model, [
            (str(sampling.get("steps", 1)), ""), (str(sampling.get("draws", 1)), ""), (f"{made:,}", ""),
            (number(part["cpu_time"].sum() / made, 2), ""),
            (number(score.get(("brain", "ssim_brain"), float("nan")), 4, sign=True), ""),
            (number(score.get(("changed", "mae_changed"), float("nan")), 4, sign=True), ""),
        ]))  # fmt: skip
        kept.append(part)
    if not rows:
        return None
    return PageTable(
        "Steps of the sampler against time and score. CPU seconds include reading and writing, and starting "
        "the job.",
        [
            "steps", "draws", "samples", "CPU seconds a sample",
            "SSIM in the brain over copy ↑", "error where it changed over copy ↓",
        ],
        rows, "model", numbers_of(pd.concat(kept)), "benchmarks/sample/",
    )  # fmt: skip


def _samples(study: Study, model: str, cohort: str) -> int:
    path = study.results / "5_sample" / model / cohort / "samples.tsv"
    return len(path.read_text(encoding="utf-8").splitlines()) - 1 if path.exists() else 0


def _jobs(study: Study) -> pd.DataFrame:
    """Columns `rule`, `job` and what Snakemake measured; a file that is no such table is passed over."""
    root = study.results / "benchmarks"
    found = []
    for path in sorted(root.rglob("*.tsv")):
        try:
            row = pd.read_csv(path, sep="\t", na_values=["-", "NA"]).tail(1)
        except (pd.errors.ParserError, pd.errors.EmptyDataError):
            continue
        if {"s", "max_rss", "cpu_time"} <= set(row.columns):
            inner = path.relative_to(root).with_suffix("")
            row.insert(
                0, "job", str(inner.relative_to(inner.parts[0])) if len(inner.parts) > 1 else inner.name
            )
            row.insert(0, "rule", inner.parts[0])
            found.append(row)
    columns = ["rule", "job", "s", "cpu_time", "max_rss"]
    return pd.concat(found, ignore_index=True)[columns] if found else pd.DataFrame(columns=columns)


def _time(seconds: float) -> str:
    if pd.isna(seconds):
        return "n/a"
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
