"""Accepted scans → (source, target, interval, history) pairs and splits by person."""

import logging
from collections import Counter

import pandas as pd

from brainlapse import tables
from brainlapse.errors import Refused
from brainlapse.pairs.amounts import SPLITS, places_left, split_counts
from brainlapse.pairs.funnel import funnel, lost_at
from brainlapse.pairs.leakage import check_no_leakage
from brainlapse.pairs.memory import asked, recall, remember
from brainlapse.pairs.pairing import pair_up
from brainlapse.pairs.persons import persons
from brainlapse.pairs.split_file import SHOWN, decided_by
from brainlapse.pairs.splitting import split_people

FEWEST_PEOPLE = 3  # one for each of training and test, and one more to have a choice

log = logging.getLogger(__name__)


def run(options) -> None:
    """Pair the accepted scans of all cohorts, split their people, prove the splits and write the tables."""
    settings = {"people": {}, **options.settings}
    limits = {"field_strength": "same", **settings["pairs"]}
    scans = tables.read_all(options.scans, tables.SCANS)
    quality = tables.read_all(options.quality, tables.QUALITY)
    passed = quality.loc[quality["status"] == "accepted", ["cohort", "scan"]]
    accepted = scans.merge(passed, on=["cohort", "scan"])
    pairs = pair_up(accepted, **limits)
    steps = funnel(scans, accepted, pairs, limits)
    _tell_steps(steps)
    people = _people(scans, settings)
    paired = people.merge(pairs[["cohort", "subject"]].drop_duplicates(), on=["cohort", "subject"])
    _refuse_too_few(paired, steps, settings["external"])
    of = asked(settings["seed"], settings["splits"])
    splits, places = _split(people, paired, settings, recall(options.out, of))
    pairs = pairs.merge(splits, on=["cohort", "subject"])
    check_no_leakage(splits, pairs, settings["people"])
    _refuse_empty_splits(splits)
    tables.write(steps, options.out / "funnel.tsv", tables.FUNNEL)
    tables.write(splits, options.out / "splits.tsv", tables.SPLITS)
    tables.write(pairs, options.out / "pairs.tsv", tables.PAIRS)
    remember(options.out, of, places)
    _tell_splits(splits, pairs, settings["people"])


def _people(scans: pd.DataFrame, settings: dict) -> pd.DataFrame:
    """A row a subject of a cohort: the person, what was known at the first scan, whether it is external."""
    first = scans.sort_values(["days", "scan"]).drop_duplicates(["cohort", "subject"])
    known = first[["cohort", "subject", "diagnosis", "sex", "age_years"]].sort_values(["cohort", "subject"])
    return known.assign(
        person=persons(known, settings["people"]), external=known["cohort"].isin(settings["external"])
    )


def _split(people: pd.DataFrame, paired: pd.DataFrame, settings: dict, remembered: dict) -> tuple:
    """The splits of all who have a pair (tables.SPLITS), and the places to remember."""
    study = paired[~paired["external"]]
    each = study.sort_values(["age_years", "cohort", "subject"]).drop_duplicates("person").set_index("person")
    decided = _decided(people, each.index, settings)
    free = each[~each.index.isin(list(decided))]
    counts = split_counts(len(each), settings["splits"])
    left = places_left(counts, Counter(decided.values()), settings["splits"])
    places = split_people(free, left, settings["seed"], remembered)
    of_person = {person: place.split for person, place in places.items()} | decided
    split = paired["person"].map(of_person).where(~paired["external"], "test")
    splits = paired.assign(split=split).sort_values(["cohort", "subject"], ignore_index=True)
    return splits[tables.SPLITS.names], places


def _decided(people: pd.DataFrame, study: pd.Index, settings: dict) -> dict[str, str]:
    """The splits that the user's table gives to people of the study, if there is a table."""
    path = settings["splits"].get("file")
    if path is None:
        return {}
    of_cohorts = {cohort: settings["people"].get(cohort, cohort) for cohort in people["cohort"].unique()}
    decided = decided_by(path, people, of_cohorts)
    others = sorted(set(study) - set(decided))
    if others:
        shown = ", ".join(others[:SHOWN])
        log.warning("splits: %s does not name %d people, who are dealt: %s", path, len(others), shown)
    return {person: split for person, split in decided.items() if person in study}


def _refuse_too_few(paired: pd.DataFrame, steps: pd.DataFrame, external: list[str]) -> None:
    study = paired.loc[~paired["external"], "person"].nunique()
    if study < FEWEST_PEOPLE:
        raise Refused(
            f"{study} people of the study cohorts have two accepted scans that make a pair; at least "
            f"{FEWEST_PEOPLE} are needed. {lost_at(steps[~steps['cohort'].isin(external)], FEWEST_PEOPLE)}"
        )
    for cohort, own in steps.groupby("cohort"):
        if cohort not in set(paired["cohort"]):
            raise Refused(f"cohort {cohort} has no pair. {lost_at(own, 1)} Or set cohorts.{cohort} to null.")


def _refuse_empty_splits(splits: pd.DataFrame) -> None:
    """Later stages need somebody to train on, and somebody of each cohort to test."""
    tested = set(splits.loc[splits["split"] == "test", "cohort"])
    empty = [f"nobody of {cohort} is in test" for cohort in sorted(set(splits["cohort"]) - tested)]
    empty += [] if (splits["split"] == "train").any() else ["nobody is in train"]
    if empty:
        raise Refused(f"splits: {', '.join(empty)}. Look at splits.train, splits.test and splits.file.")


def _tell_steps(steps: pd.DataFrame) -> None:
    for step in steps.itertuples():
        log.info("pairs %s: %6d of %5d people: %s", step.cohort, step.rows, step.subjects, step.step)


def _tell_splits(splits: pd.DataFrame, pairs: pd.DataFrame, people_of: dict[str, str]) -> None:
    people = splits.assign(person=persons(splits, people_of)).drop_duplicates("person")
    for split in SPLITS:
        count, rows = ((table["split"] == split).sum() for table in (people, pairs))
        log.info("pairs: %-10s %5d people, %6d pairs", split, count, rows)
