"""A study's own ids as BIDS labels, which are letters and digits only."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable


def subject_labels(subjects: Iterable[str]) -> dict[str, str]:
    """Return each subject's label: `002_S_0295` → `002S0295`, `sub-01` → `01`."""
    return _distinct({subject: subject.removeprefix("sub-") for subject in subjects})


def session_labels(subject: str, scans: Iterable[str]) -> dict[str, str]:
    """Return the label of each of a subject's scans: `I118673`; for `sub-01`, `sub-01_ses-1` → `1`."""
    whose = re.compile(rf"^(sub-)?{re.escape(subject.removeprefix('sub-'))}_")
    return _distinct({scan: whose.sub("", scan).removeprefix("ses-") for scan in scans})


def _distinct(texts: dict[str, str]) -> dict[str, str]:
    """A label for each id, of the letters and digits of its text.

    Ids that would share one (or differ in case only, which some disks do not
    tell apart) and ids without any get `x` and eight digits of their own hash
    behind it. So a label depends on its id and on whether it has a double, not
    on the order of the ids or on how many others there are.
    """
    plain = {one: re.sub("[^0-9A-Za-z]", "", text) for one, text in texts.items()}
    bearers = Counter(label.lower() for label in plain.values())
    return {
        one: label if label and bearers[label.lower()] == 1 else f"{label}x{_hash(one)}"
        for one, label in plain.items()
    }


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
