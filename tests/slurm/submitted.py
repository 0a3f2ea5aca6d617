"""A study that is run through `workflow/profiles/slurm`, as its user would, on the loopback cluster."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from cluster import Cluster
from study import SNAKEMAKE, TINY, Study

# One network, generated in two shards: the fewest jobs that take every way through the workflow.
SMALL = {**TINY, "models": {"regression": TINY["models"]["regression"]}, "sample": {"shards": 2}}
SMALL["splits"] = {"train": 3, "validation": 0, "test": "rest"}

# What this machine cannot do as a cluster does: no conda-forge, two cores, and a test waits for no minute.
_HERE = (
    "--software-deployment-method", "env-modules",
    "--set-threads", "train=1", "sample=1", "sample_shard=1",
    "--slurm-status-command", "squeue",
    "--slurm-init-seconds-before-status-checks", "12",
    "--latency-wait", "10",
)  # fmt: skip


class SubmittedStudy(Study):
    """The project in a folder, whose jobs are submitted to `cluster`."""

    def __init__(self, folder: Path, config: dict, cluster: Cluster):
        super().__init__(folder, config)
        self.cluster, self.models = cluster, list(config["models"])
        self.weights = [f"results/4_train/{model}/model.safetensors" for model in self.models]

    def start(self, *arguments: str) -> subprocess.Popen:
        """Start Snakemake with the profile; what it prints goes to `printed`."""
        command = [SNAKEMAKE, "--profile", "workflow/profiles/slurm", *_HERE, *arguments]
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        with open(self.folder / "printed.txt", "w") as printed:
            return subprocess.Popen(
                command, cwd=self.folder, env={**os.environ, "PATH": path}, stdout=printed, stderr=printed
            )

    @property
    def printed(self) -> str:
        return (self.folder / "printed.txt").read_text()

    def finish(self, snakemake: subprocess.Popen, seconds: float = 900) -> None:
        """Wait for Snakemake's end, which must be a good one."""
        try:
            status = snakemake.wait(seconds)
        finally:
            snakemake.kill()  # on SIGTERM it would wait for its jobs
        assert status == 0, self.printed

    def submissions(self) -> list[str]:
        """What was submitted, in order: rule_train, group_people_preprocess …"""
        log = r"SLURM jobid \d+ \(log: \S*/slurm_logs/([^/]+)/"
        return re.findall(log, self.printed)

    def last_step(self, model: str) -> int:
        log = self.folder / f"results/4_train/{model}/log.jsonl"
        lines = log.read_text().splitlines() if log.exists() else []
        return json.loads(lines[-1])["step"] if lines else 0

    def job_of(self, pid: int) -> dict[str, str]:
        """What SLURM says of the job that a process belongs to."""
        environment = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
        number = dict(pair.split("=", 1) for pair in environment if "=" in pair)["SLURM_JOB_ID"]
        return self.cluster.job(number)

    def jobs(self, log: str) -> list[dict[str, str]]:
        """What SLURM says of this run's submissions whose logs lie in a folder, in order."""
        log = rf"SLURM jobid (\d+) \(log: \S*/slurm_logs/{log}/"
        return [self.cluster.job(number) for number in re.findall(log, self.printed)]

    def training_process(self, model: str) -> int | None:
        """The pid of the process that trains a model, if there is one."""
        words = f"\0train\0--model\0{model}\0".encode()
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it has ended meanwhile
                if words in (process / "cmdline").read_bytes():
                    return int(process.name)
        return None


def copied(
    study: SubmittedStudy, folder: Path, models: tuple[str, ...], steps: int, processes: int = 1
) -> SubmittedStudy:
    """Another study, with the same data and all that was made of them before training; its rows are alike."""
    row = {**SMALL["models"]["regression"]}
    row["training"] = {**row["training"], "steps": steps}
    config = {**SMALL, "models": dict.fromkeys(models, row), "train": {"processes": processes}}
    other = SubmittedStudy(folder, config, study.cluster)
    for part in ("data", ".snakemake", "results/1_manifest", "results/2_preprocess", "results/3_pairs"):
        shutil.copytree(study.folder / part, folder / part, dirs_exist_ok=True)
    return other
