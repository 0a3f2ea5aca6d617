"""Accepted scans → (source, target, interval, history) pairs and subject-level splits."""

import logging

from brainlapse import tables
from brainlapse.errors import Refused
from brainlapse.pairs.leakage import check_no_leakage
from brainlapse.pairs.pairing import pair_up
from brainlapse.pairs.splitting import split_subjects

LEAST_SUBJECTS = 3  # one for each of training and test, and one more to have a choice

log = logging.getLogger(__name__)


def run(options) -> None:
    """Pair the accepted scans of all cohorts, split their people, prove the splits and write both tables."""
    settings = options.settings
    scans = tables.read_all(options.scans, tables.SCANS)
    quality = tables.read_all(options.quality, tables.QUALITY)
    accepted = quality.loc[quality["status"] == "accepted", ["cohort", "scan"]]
    usable = scans.merge(accepted, on=["cohort", "scan"])
    pairs = pair_up(usable, **settings["pairs"])
    people = _people(usable, pairs, settings["external"])
    splits = split_subjects(people, settings["splits"], settings["seed"])
    pairs = pairs.merge(splits, on=["cohort", "subject"])
    check_no_leakage(splits, pairs)
    tables.write(splits, options.out / "splits.tsv", tables.SPLITS)
    tables.write(pairs, options.out / "pairs.tsv", tables.PAIRS)
    for split in tables.SPLITS_ALLOWED:
        log.info(
            "pairs: %-10s %5d people, %6d pairs",
            split,
            (splits["split"] == split).sum(),
            (pairs["split"] == split).sum(),
        )


def _people(scans, pairs, external: list[str]):
    """A row a person who has a pair, with the diagnosis at the first scan."""
    first = scans.sort_values("days").drop_duplicates(["cohort", "subject"])
    people = first.merge(pairs[["cohort", "subject"]].drop_duplicates(), on=["cohort", "subject"])
    people["external"] = people["cohort"].isin(external)
    study = int((~people["external"]).sum())
    if study < LEAST_SUBJECTS:
        raise Refused(
            f"{study} people of the study cohorts have two accepted scans within the interval limits; at "
            f"least {LEAST_SUBJECTS} are needed. Look at funnel.tsv and rejected.tsv (1_manifest), at "
            "quality.tsv (2_preprocess), and at pairs.min_interval_years and pairs.max_interval_years."
        )
    return people[["cohort", "subject", "diagnosis", "external"]]
