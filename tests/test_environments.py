"""Each stage's environment pins what the tests run, and lists what the stage's code imports."""

import ast
import sys
from pathlib import Path

import pytest
import yaml

from brainlapse.cli import BEFORE, STAGES
from brainlapse.fingerprint import files_behind

PROJECT = Path(__file__).parents[1]
RUN = [name for name in (*BEFORE, *STAGES) if name not in ("fetch", "phantom")]  # with their own environment
ENVIRONMENTS = {stage: PROJECT / "envs" / f"{stage}.yaml" for stage in RUN}
PACKAGE_OF = {
    "PIL": "pillow",
    "ants": "antspyx",
    "skimage": "scikit-image",
    "torch_fidelity": "torch-fidelity",
    "yaml": "pyyaml",
}
OPTIONAL = {"deepbet"}  # brain: deepbet says how to install it


def listed(file: Path) -> dict[str, str]:
    *conda, pip = yaml.safe_load(file.read_text())["dependencies"]
    assert [entry.partition("=")[0] for entry in conda] == ["python", "pip"]
    return dict(pin.split("==") for pin in pip["pip"])


def test_every_stage_has_its_environment():
    assert sorted((PROJECT / "envs").glob("*.yaml")) == sorted(ENVIRONMENTS.values())


@pytest.mark.parametrize("stage", ENVIRONMENTS)
def test_an_environment_pins_what_the_tests_run(stage):
    lines = (PROJECT / "requirements" / "stages.txt").read_text().splitlines()
    pinned = dict(line.split("==") for line in lines if "==" in line)
    assert listed(ENVIRONMENTS[stage]).items() <= pinned.items()


@pytest.mark.parametrize("stage", [*ENVIRONMENTS, "phantom"])
def test_an_environment_lists_what_the_stage_imports(stage):
    file = ENVIRONMENTS.get(stage, ENVIRONMENTS["preprocess"])  # the phantom study is written there
    imported = {name for path in files_behind(stage) if path.suffix == ".py" for name in imports(path)}
    others = imported - set(sys.stdlib_module_names) - {"brainlapse"} - OPTIONAL
    if stage == "preprocess":
        others -= {"torch"}  # comes with deepbet
    assert {PACKAGE_OF.get(name, name) for name in others} <= listed(file).keys()


def imports(path: Path) -> set[str]:
    """The top-level packages that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def test_training_and_sampling_share_one_environment():
    assert ENVIRONMENTS["train"].read_text() == ENVIRONMENTS["sample"].read_text()
