"""What the name of a BIDS file says of an image: whose it is, whether it is a T1w, and which run."""

import re
from collections.abc import Iterable

NIFTI = re.compile(r"\.nii(?:\.gz)?$", re.IGNORECASE)
NOT_MAGNITUDE = {"part-phase", "part-real", "part-imag"}


def entities(stem: str) -> tuple[list[str], str]:
    """Return `["sub-1", "ses-2", "run-1"]` and the suffix `T1w` for `sub-1_ses-2_run-1_T1w`."""
    *pairs, suffix = stem.split("_")
    return pairs, suffix


def entity(pairs: Iterable[str], key: str) -> str | None:
    """Return the label after `key-` in entities or folder names, or None."""
    return next((part[len(key) + 1 :] for part in pairs if part.startswith(f"{key}-")), None)


def is_t1w(stem: str) -> bool:
    """Return whether a BIDS name is that of a T1-weighted magnitude image."""
    pairs, suffix = entities(stem)
    return suffix.lower() == "t1w" and not NOT_MAGNITUDE & set(pairs)


def is_repeat(stem: str) -> bool:
    """Return whether the name's run is not the first."""
    run = entity(entities(stem)[0], "run") or "1"
    return run.isdigit() and int(run) > 1


def scan_id(stem: str) -> str:
    """Return a T1w image's name without `_T1w`, any other's whole, in characters that every path can hold."""
    name = stem[: -len("_T1w")] if is_t1w(stem) else stem
    return re.sub(r"[^A-Za-z0-9._+-]", "-", name)
