"""A study's own tables and folders → scans.tsv, rejected.tsv and funnel.tsv."""

import logging

from brainlapse import tables
from brainlapse.errors import Refused
from brainlapse.manifest import adni
from brainlapse.manifest.selection import funnel, select

# A reader takes the download's folder and returns every row and file of it: the columns of
# tables.SCANS but `cohort` and `days`, and `reason` and `detail` for what cannot be used.
# A study is added with one file and one line here.
COHORTS = {
    "adni": adni.read,
    "phantom": adni.read,  # the phantom study is written as an ADNI download
}

FEWEST_PEOPLE = 3  # with fewer a study cannot be split into training and test

log = logging.getLogger(__name__)


def run(options) -> None:
    """Read one cohort, choose its scans, and write the three tables."""
    read = COHORTS[options.settings["reader"]]
    rows = read(options.settings["root"]).assign(cohort=options.cohort)
    chosen = select(rows)
    steps = funnel(chosen, options.cohort)
    for step in steps.itertuples():
        log.info(
            "manifest %s: %6d scans of %5d people: %s", options.cohort, step.rows, step.subjects, step.step
        )
    scans = chosen[chosen["reason"].isna()]
    if scans.empty:
        raise Refused(_nothing_left(options.settings["root"], steps))
    people = scans["subject"].nunique()
    if options.settings["role"] == "study" and people < FEWEST_PEOPLE:
        raise Refused(_too_few(options.settings["root"], people, steps))
    tables.write(chosen[chosen["reason"].notna()], options.out / "rejected.tsv", tables.REJECTED)
    tables.write(steps, options.out / "funnel.tsv", tables.FUNNEL)
    tables.write(scans.sort_values(["subject", "days", "scan"]), options.out / "scans.tsv", tables.SCANS)


def _nothing_left(root: str, steps) -> str:
    lost_at = steps.loc[steps["rows"].eq(0).idxmax(), "step"]
    return f"no scan under {root} can be used; the last were lost at the step `{lost_at}` ({_left(steps)})."


def _too_few(root: str, people: int, steps) -> str:
    return (
        f"{people} people under {root} have two usable scans; a study needs at least {FEWEST_PEOPLE} "
        f"(scans left: {_left(steps)}). Download more, or give the cohort the role `external`."
    )


def _left(steps) -> str:
    return ", ".join(f"{step.step}: {step.rows}" for step in steps.itertuples())
