"""Stage 2: one subject's scans → brains on the common grid, with a quality table and pictures."""

import brainlapse.preprocess.single_thread  # noqa: F401, before all that loads ITK
from brainlapse import tables
from brainlapse.errors import Refused
from brainlapse.preprocess.bids_copy import write_bids
from brainlapse.preprocess.gallery import write_gallery
from brainlapse.preprocess.gather import gather
from brainlapse.preprocess.guarded import preprocess_subjects
from brainlapse.writing import remove_unfinished


def run(options) -> None:
    """Preprocess one subject (`--subject`), gather or show what is done (`--gather`, `--show`), or do it all.

    Raises Failed, after the others are done, if some subjects could not be.
    """
    asked = [flag for flag in ("subject", "gather", "show") if getattr(options, flag)]
    if len(asked) > 1:
        raise Refused(f"{' and '.join(f'--{flag}' for flag in asked)} exclude each other.")
    scans = tables.read(options.scans, tables.SCANS)
    if asked in ([], ["subject"]):
        preprocess_subjects(_wanted(scans, options), _settings(options), options.out, options.jobs)
    if asked in ([], ["gather"]):
        remove_unfinished(options.out)
        gather(scans, options.settings, options.out)
    if asked in ([], ["show"]):
        quality = tables.read(options.out / "quality.tsv", tables.QUALITY)
        write_bids(quality, scans, options.out)
        write_gallery(quality, options.out)


def _settings(options) -> dict:
    """The settings, with the folder into which the workflow has fetched the template they name."""
    return options.settings | ({"template": str(options.template)} if options.template else {})


def _wanted(scans, options):
    if options.subject is None:
        return scans
    if options.subject not in set(scans["subject"]):
        raise Refused(f"{options.scans} has no scan of the subject {options.subject!r}.")
    return scans[scans["subject"] == options.subject]
