"""What runs here: versions of Python and the packages, and the commit of this code."""

import platform
import subprocess
from importlib import metadata
from pathlib import Path

import brainlapse

PACKAGES = (
    "torch", "monai", "antspyx", "nibabel", "numpy", "scipy", "pandas", "scikit-image", "torch-fidelity",
    "nilearn", "matplotlib", "snakemake",
)  # fmt: skip


def versions() -> list[tuple[str, str]]:
    """(name, version) of what is installed here; what is not is left out."""
    found = [("brainlapse", brainlapse.__version__), ("commit", _commit())]
    found.append(("python", platform.python_version()))
    for package in PACKAGES:
        try:
            found.append((package, metadata.version(package)))
        except metadata.PackageNotFoundError:
            continue
    return [(name, version) for name, version in found if version]


def _commit() -> str | None:
    """The checked-out commit, with + if files differ from it; None outside a git checkout."""
    folder = Path(brainlapse.__file__).parent
    try:
        answer = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"],
            cwd=folder, capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip() or None
