"""A test double of the command `conda`: the few answers that Snakemake wants, from py-rattler.

It is no conda and must never be handed to users. What it makes is real: rattler
solves the YAML against the channels, downloads, links, and the environment's
own pip installs what stands under `pip:`. Whatever else conda can do it refuses.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import rattler
import yaml

PREFIX = Path(__file__).parents[1]  # the tests put this file there as bin/conda
VERSION = "24.7.1"  # the oldest that Snakemake takes


def main(arguments: list[str]) -> None:
    match arguments:
        case ["--version"]:
            print(f"conda {VERSION}")
        case ["info", "--json"]:
            print(json.dumps({"conda_prefix": str(PREFIX), "platform": str(rattler.Subdir.current())}))
        case ["config", "--get", "channel_priority", "--json"]:
            print(json.dumps({"get": {"channel_priority": "strict"}}))
        case ["clean", "-y", "--tarballs"]:
            pass  # rattler keeps none
        case ["env", "create", *rest]:
            options = argparse.ArgumentParser("conda env create", allow_abbrev=False)
            options.add_argument("--quiet", action="store_true")
            options.add_argument("--no-default-packages", action="store_true")
            options.add_argument("--file", type=Path, required=True)
            options.add_argument("--prefix", type=Path, required=True)
            asked = options.parse_args(rest)
            create(yaml.safe_load(asked.file.read_text(encoding="utf-8")), asked.prefix)
        case _:
            sys.exit(f"this test double of conda has no answer to: conda {' '.join(arguments)}")


def create(environment: dict, prefix: Path) -> None:
    """Make the environment that a YAML describes in the folder `prefix`."""
    wanted = environment["dependencies"]
    asyncio.run(link([w for w in wanted if isinstance(w, str)], environment["channels"], prefix))
    requirements = [pin for w in wanted if isinstance(w, dict) for pin in w["pip"]]
    if requirements:
        pip_install(requirements, prefix)


async def link(specs: list[str], channels: list[str], prefix: Path) -> None:
    """Solve for the packages and link them; `nodefaults` is no channel but a word of conda's."""
    place = rattler.ChannelConfig(channel_alias=os.environ["CONDA_CHANNEL_ALIAS"].rstrip("/") + "/")
    records = await rattler.solve(
        sources=[rattler.Channel(name, place) for name in channels if name != "nodefaults"],
        specs=[rattler.MatchSpec(spec) for spec in specs],
        gateway=rattler.Gateway(cache_dir=PREFIX / "pkgs"),
        virtual_packages=rattler.VirtualPackage.detect(),
    )
    await rattler.install(records, prefix, cache_dir=PREFIX / "pkgs", show_progress=False)


def pip_install(requirements: list[str], prefix: Path) -> None:
    """As conda does it: one requirements file, the environment's own pip."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(requirements))
        file.flush()
        command = [prefix / "bin" / "python", "-m", "pip", "install", "-U", "-r", file.name]
        done = subprocess.run(command, stdin=subprocess.DEVNULL)
    if done.returncode:
        sys.exit("CondaEnvException: Pip failed")


if __name__ == "__main__":
    main(sys.argv[1:])
    # Rattler's threads outlive its calls, and a process that ends just after one now and then dies of them
    # while Python takes itself down (PyO3/pyo3-async-runtimes#40). All is written by now: end without that.
    sys.stdout.flush()
    os._exit(0)
