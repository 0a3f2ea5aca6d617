"""Stage 2: one subject's scans → brains on the common grid, with a quality table and pictures."""

import os

# ITK reads these once, when ants is loaded; more than one thread would make results differ from run to run.
os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = "1"
os.environ["ANTS_RANDOM_SEED"] = "1234"

from brainlapse import tables
from brainlapse.errors import Refused
from brainlapse.preprocess.gather import gather
from brainlapse.preprocess.subject import preprocess_subject


def run(options) -> None:
    """Preprocess one subject (`--subject`), collect the subjects (`--gather`), or do both for all."""
    scans = tables.read(options.scans, tables.SCANS)
    if options.subject is not None and options.gather:
        raise Refused("--subject and --gather exclude each other: one subject's scans, or all that is done.")
    if not options.gather:
        for subject in _subjects(scans, options):
            visits = scans[scans["subject"] == subject]
            preprocess_subject(visits, options.settings, options.out)
    if options.subject is None:
        gather(scans, options.settings, options.out)


def _subjects(scans, options) -> list[str]:
    subjects = list(dict.fromkeys(scans["subject"]))
    if options.subject is None:
        return subjects
    if options.subject not in subjects:
        raise Refused(f"{options.scans} has no scan of the subject {options.subject!r}.")
    return [options.subject]
