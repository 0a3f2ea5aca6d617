"""A tiny study that is run with `--use-conda`, and the interpreters that its jobs were seen in."""

import json
import os
import subprocess
from importlib.metadata import distributions
from pathlib import Path

from packaging.utils import canonicalize_name
from study import SNAKEMAKE, Study

from environments import pinned_in


class CondaStudy(Study):
    """A study whose only `python` is that of the environments that `conda` makes, a folder with bin/conda."""

    def __init__(self, folder: Path, config: dict, conda: Path):
        super().__init__(folder, config)
        self.conda = conda
        self._install_for_the_user("numpy", pinned_in(self.folder / "envs/pairs.yaml")["numpy"])

    def snakemake(self, *arguments: str) -> subprocess.CompletedProcess:
        threads = ["--set-threads", "train=1", "sample=1"]
        return subprocess.run(
            [SNAKEMAKE, *threads, "--use-conda", "--cores", "2", *arguments],
            cwd=self.folder, env=self.variables(), text=True, capture_output=True,
        )  # fmt: skip

    def variables(self) -> dict[str, str]:
        """What a user's shell has set: conda, and a numpy of their own, which is no environment's."""
        return {
            "PATH": f"{self.conda / 'bin'}:/usr/bin:/bin", "HOME": os.environ["HOME"],
            "CONDA_CHANNEL_ALIAS": (self.conda / "channels").as_uri(),
            "PYTHONUSERBASE": str(self.folder / "of_the_user"),
            "WITNESS": str(self.folder / "witness.jsonl"),
            "PIP_NO_COMPILE": "no",  # pip reads this as: do not. What the jobs import, they compile
            **{name: value for name, value in os.environ.items() if name.startswith("PIP_")},
        }  # fmt: skip

    def _install_for_the_user(self, package: str, version: str) -> None:
        """As `pip install --user` does, but what lies there cannot be imported."""
        site = self.folder / "of_the_user/lib/python3.11/site-packages"
        metadata = site / f"{package}-{version}.dist-info/METADATA"
        metadata.parent.mkdir(parents=True)
        metadata.write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
        (site / f"{package}.py").write_text(f"raise ImportError('this {package} is the user’s own')\n")

    def finish(self, *arguments: str) -> None:
        """Run Snakemake, which must succeed."""
        ran = self.snakemake(*arguments)
        assert ran.returncode == 0, ran.stdout + ran.stderr

    def seen(self) -> list[dict]:
        """A row for each command of a stage: its `stage`, the `prefix` it ran in, the `files` it imported."""
        lines = (self.folder / "witness.jsonl").read_text().splitlines()
        seen = [one for one in map(json.loads, lines) if one["command"][1:3] == ["-m", "brainlapse"]]
        return [{**one, "stage": one["command"][3]} for one in seen]

    def environment_of(self, name: str) -> Path:
        """The folder that Snakemake made of envs/NAME.yaml."""
        text = (self.folder / "envs" / f"{name}.yaml").read_text()
        (copy,) = (c for c in self.folder.glob(".snakemake/conda/*.yaml") if c.read_text() == text)
        return copy.with_suffix("")


def packages_in(prefix: Path) -> dict[str, str]:
    """Every Python package that lies in an environment, with its version but not its build (`+cpu`)."""
    (site,) = prefix.glob("lib/python3*/site-packages")
    found = distributions(path=[str(site)])
    return {canonicalize_name(one.name): one.version.partition("+")[0] for one in found}
