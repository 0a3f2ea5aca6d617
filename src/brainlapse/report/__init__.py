"""One HTML page for the study: pictures first, numbers next, caveats always.

The page is one file without scripts and without anything to load. What a stage
has not left behind is named on the page as missing; it does not stop it.
"""

import argparse
import logging

from brainlapse.errors import Refused
from brainlapse.report.page import render
from brainlapse.report.study import Study
from brainlapse.writing import write_text

log = logging.getLogger(__name__)


def run(options: argparse.Namespace) -> None:
    """Read what lies below `options.results` and write the page to `options.out`."""
    if not options.results.is_dir():
        raise Refused(f"--results {options.results} is not a folder. Give the study's results folder.")
    html = render(Study(options.results), options.settings)
    write_text(options.out, html)
    log.info("report: %s, %.1f MB", options.out, len(html.encode()) / 1e6)
