"""The line above a table: when, on what and with which code its figures were made."""

import datetime
import os
import platform
import subprocess
from pathlib import Path

import torch


def measured_on(device: torch.device) -> str:
    """Date, device, torch, commit, and how busy a CPU was."""
    today = datetime.datetime.now().astimezone().date().isoformat()
    return f"{today}; {_described(device)}; torch {torch.__version__}; commit {_commit()}"


def _described(device: torch.device) -> str:
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, cuDNN {torch.backends.cudnn.version()}"
    load, _, _ = os.getloadavg()
    return f"{os.cpu_count()}-core {platform.machine()}, {torch.get_num_threads()} thread(s), load {load:.0f}"


def _commit() -> str:
    """The commit, and whether files differ from it."""
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude", "*"],
        cwd=Path(__file__).parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return found.stdout.strip() or "not known"
