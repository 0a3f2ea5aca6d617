"""What JSON side files say of an image, from the top of the dataset down, the nearest last.

This is the inheritance principle of https://bids-specification.readthedocs.io: a side
file is about every image below its folder that has all of its entities.
"""

import json
import logging
from collections import defaultdict

import pandas as pd

from brainlapse.manifest.bids_files import Found
from brainlapse.manifest.bids_names import entities
from brainlapse.manifest.inventory import Download
from brainlapse.manifest.units import STRONGEST_T

log = logging.getLogger(__name__)


def side_facts(download: Download, files: list[Found], rows: pd.DataFrame) -> dict[str, list]:
    """Return field strength (T), manufacturer and description of each row's image, by the name of the column.

    `detail` is what the row has, with `ImageType DERIVED` where a side file says so.
    """
    above = _side_files(download, files)
    told = [_inherited(row.folders, entities(row.stem)[0], above) for row in rows.itertuples()]
    facts = [told_by_scanner(one) for one in told]
    facts = pd.DataFrame(facts, index=rows.index, columns=list(told_by_scanner({})), dtype=object)
    derived = ["ImageType DERIVED" if "DERIVED" in str(one.get("ImageType")) else None for one in told]
    details = [", ".join(filter(None, both)) or None for both in zip(rows["detail"], derived, strict=True)]
    return {**facts, "detail": details}


def side_file(data: bytes) -> dict | None:
    """Return the facts of a JSON side file; None if it is none."""
    try:
        facts = json.loads(data)
    except ValueError:
        return None
    return facts if isinstance(facts, dict) else None


def told_by_scanner(facts: dict) -> dict:
    """Return field strength (T), manufacturer and description from a side file, None where untold."""
    return {
        "field_strength_t": tesla(facts.get("MagneticFieldStrength")),
        "manufacturer": _text(facts.get("Manufacturer")),
        "description": _text(facts.get("SeriesDescription")),
    }


def tesla(value) -> float | None:
    """Return a field strength as a number of tesla; None for what cannot be one."""
    try:
        strength = float(value)
    except (TypeError, ValueError):
        return None
    return strength if 0 < strength < STRONGEST_T else None


def tell_broken(paths: list[str]) -> None:
    """Warn of side files that are no JSON; their images are used without them."""
    if paths:
        log.warning("manifest: %d side files cannot be read, first %s; left out", len(paths), paths[0])


def _side_files(download: Download, files: list[Found]) -> dict[tuple, list[tuple[list[str], dict]]]:
    """Folder → the side files of T1w images in it, as (entities, facts), those of most images first."""
    above, broken = defaultdict(list), []
    for file in files:
        pairs, suffix = entities(file.stem)
        if suffix.lower() == "t1w.json":
            facts = side_file(download.read(file.item))
            if facts is None:
                broken.append(file.item.path)
            above[file.folders].append((pairs, facts or {}))
    tell_broken(broken)
    return {folders: sorted(found, key=lambda one: len(one[0])) for folders, found in above.items()}


def _inherited(folders: tuple[str, ...], pairs: list[str], above: dict) -> dict:
    """What the side files from the dataset's folder down say of an image, the nearest last."""
    facts = {}
    for depth in range(len(folders) + 1):
        for theirs, more in above.get(folders[:depth], ()):
            if set(theirs) <= set(pairs):
                facts |= more
    return facts


def _text(value) -> str | None:
    return (" ".join(value.split()) or None) if isinstance(value, str) else None
