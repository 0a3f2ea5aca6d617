"""Pages in a real browser: what their HTML is once their scripts have run, and what they complained of."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
browser = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
_QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
)  # fmt: skip


def shown(page: Path, width: int = 1600, height: int = 1200, *flags: str) -> tuple[str, list[str]]:
    """The page's HTML after its scripts ran for some seconds, and the lines that it wrote to the console."""
    with tempfile.TemporaryDirectory() as profile:
        command = [
            CHROMIUM, *_QUIET, f"--user-data-dir={profile}", f"--window-size={width},{height}",
            "--virtual-time-budget=8000", "--enable-logging=stderr", *flags, "--dump-dom", page.as_uri(),
        ]  # fmt: skip
        answer = subprocess.run(command, capture_output=True, text=True, timeout=180, check=True)
    return answer.stdout, re.findall(r"CONSOLE[^\"]*\"(.*?)\", source", answer.stderr)
