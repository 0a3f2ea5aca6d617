"""A copy of the project in a folder of its own, to run Snakemake in as a user would."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

PROJECT = Path(__file__).parents[2]
SNAKEMAKE = Path(sys.prefix).parent / "workflow" / "bin" / "snakemake"
PARTS = ("Snakefile", "config.yaml", "demo.yaml", "workflow", "envs", "src")

# The smallest study that goes through every stage: it proves the corridor, not the science.
TINY = {
    "results": "results",
    "cohorts": {"adni": {"reader": "adni", "root": "data/adni", "role": "study"}},
    "grid": {"shape": [16, 20, 16], "spacing_mm": 11.0},
    "preprocess": {"registration_spacing_mm": 6.0},
    "pairs": {"min_interval_years": 0.4, "max_interval_years": 8},
    "splits": {"train": 4, "validation": 0, "test": "rest"},
    "models": {
        "brainlapse": {"family": "diffusion", "sampling": {"steps": 1}},
        "regression": {"family": "regression"},
    },
    "evaluate": {"intervals_years": [1, 2], "bootstrap": 20},
    "report": {"title": "tiny"},
}
_SMALL = {
    "network": {"patch": 2, "channels": [8, 16], "blocks": 1, "attention_levels": [1]},
    "training": {"steps": 2, "batch": 2, "warmup_steps": 0, "precision": "fp32"},
}
for _row in TINY["models"].values():
    _row.update(_SMALL)


class Study:
    """The project's files in `folder`, with `config` as its config.yaml."""

    def __init__(self, folder: Path, config: dict):
        self.folder = folder
        for part in PARTS:
            place = folder / part
            place.parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if (PROJECT / part).is_dir() else shutil.copy
            copy(PROJECT / part, place)
        self.configure(config)

    def configure(self, config: dict, head: str = "") -> None:
        """Write config.yaml; an unchanged key keeps its value."""
        text = yaml.safe_dump(config, sort_keys=False)
        (self.folder / "config.yaml").write_text(head + text)

    def snakemake(self, *arguments: str) -> subprocess.CompletedProcess:
        """Run Snakemake with the stages' python first on the path."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        command = [SNAKEMAKE, *arguments, "--cores", "2", "--set-threads", "train=1", "sample=1"]
        return subprocess.run(
            command, cwd=self.folder, env={**os.environ, "PATH": path}, text=True, capture_output=True
        )

    def stage(self, name: str, settings: dict, *arguments: str) -> subprocess.CompletedProcess:
        """Run one stage by hand, as `python -m brainlapse NAME …`."""
        command = [sys.executable, "-m", "brainlapse", name, "--settings", json.dumps(settings), *arguments]
        environment = {**os.environ, "PYTHONPATH": "src"}
        return subprocess.run(command, cwd=self.folder, env=environment, text=True, capture_output=True)

    def would_run(self, *arguments: str) -> set[str]:
        """The rules that a dry run lists."""
        answer = self.snakemake("--dry-run", *arguments)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        return rules_in(answer.stdout + answer.stderr)


def rules_in(output: str) -> set[str]:
    """The rules of Snakemake's job table, without the target, the total, and what only notes things."""
    table = re.search(r"^job +count\n[- ]+\n(.*?)\n\n", output, re.DOTALL | re.MULTILINE)
    if not table:
        return set()
    return {line.split()[0] for line in table[1].splitlines()} - {"all", "total", "choice", "people"}
