"""The configuration that a study was last run with, complete, beside its results."""

from pathlib import Path

import yaml

from brainlapse.writing import write_text

RESOLVED = "config.resolved.yaml"
_HEAD = """\
# The study as it was last run, every default filled in. Written by the workflow: edit your own configuration.
"""


def write_resolved(config: dict, results: str | Path) -> None:
    """Write it into the results folder; a file that says the same already stays as it is."""
    path = Path(results, RESOLVED)
    text = _HEAD + yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        write_text(path, text)
