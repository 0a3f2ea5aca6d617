"""One HTML page for the study, and one for each person whose follow-up was predicted.

A page is one file without anything to load. What a stage has not left behind
is named on the page as missing; it does not stop it.
"""

import argparse
import logging

from brainlapse.errors import Refused
from brainlapse.report.page import render
from brainlapse.report.study import Study
from brainlapse.report.subject import write_subjects
from brainlapse.writing import write_text

log = logging.getLogger(__name__)


def run(options: argparse.Namespace) -> None:
    """Read what lies below `options.results`; write the page, or with `subjects` theirs, to `options.out`."""
    if not options.results.is_dir():
        raise Refused(f"--results {options.results} is not a folder. Give the study's results folder.")
    if options.subjects:
        count = write_subjects(Study(options.results), options.settings, options.out)
        log.info("report: %d people's pages in %s", count, options.out)
        return
    html = render(Study(options.results), options.settings)
    write_text(options.out, html)
    log.info("report: %s, %.1f MB", options.out, len(html.encode()) / 1e6)
