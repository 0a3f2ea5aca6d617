"""What the YAML of an environment pins."""

from collections.abc import Iterable
from pathlib import Path

import yaml
from packaging.utils import canonicalize_name


def pinned_in(file: Path) -> dict[str, str]:
    """The version of each package that an environment or a requirements file pins, by canonical name."""
    if file.suffix == ".yaml":
        return pins(yaml.safe_load(file.read_text())["dependencies"][-1]["pip"])
    return pins(file.read_text().splitlines())


def pins(lines: Iterable[str]) -> dict[str, str]:
    parted = (line.split("==") for line in lines if "==" in line)
    return {canonicalize_name(name): version for name, version in parted}
