"""Each stage's environment pins what the tests run, to the last package, and lists what its code imports."""

import ast
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from brainlapse.cli import BEFORE, STAGES
from brainlapse.fingerprint import files_behind
from environments import pinned_in

PROJECT = Path(__file__).parents[1]
REQUIREMENTS = PROJECT / "requirements"
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
COME_WITH_PYTHON = {"setuptools"}  # and pip: `pip freeze` leaves them out of a lock


def brought_along(names: set[str]) -> set[str]:
    """The packages, with all that they require here, and what those do."""
    found, to_see = set(), {(name, "") for name in names}
    while to_see:
        found |= to_see
        to_see = {more for name, extra in to_see for more in required(name, extra)} - found
    return {name for name, _ in found}


def required(name: str, extra: str) -> set[tuple[str, str]]:
    wanted = map(Requirement, requires(name) or [])
    here = [w for w in wanted if not w.marker or w.marker.evaluate({"extra": extra})]
    return {(canonicalize_name(w.name), of) for w in here for of in ("", *w.extras)}


def test_every_stage_has_its_environment():
    assert sorted((PROJECT / "envs").glob("*.yaml")) == sorted(ENVIRONMENTS.values())


@pytest.mark.parametrize("stage", ENVIRONMENTS)
def test_an_environment_pins_what_the_tests_run(stage):
    assert pinned_in(ENVIRONMENTS[stage]).items() <= pinned_in(REQUIREMENTS / "stages.lock").items()


@pytest.mark.parametrize("stage", ENVIRONMENTS)
def test_an_environment_asks_conda_forge_for_python_and_pip_alone(stage):
    *conda, _ = yaml.safe_load(ENVIRONMENTS[stage].read_text())["dependencies"]
    assert [entry.partition("=")[0] for entry in conda] == ["python", "pip"]


@pytest.mark.parametrize("stage", ENVIRONMENTS)
def test_an_environment_leaves_no_version_to_chance(stage):
    """What a listed package requires is listed too: else pip takes what is newest on that day."""
    names = pinned_in(ENVIRONMENTS[stage]).keys()
    assert not brought_along(names) - names - COME_WITH_PYTHON


def test_what_is_locked_is_what_is_required():
    asked = pinned_in(REQUIREMENTS / "stages.txt")
    assert asked.items() <= pinned_in(REQUIREMENTS / "stages.lock").items()


@pytest.mark.parametrize("stage", [*ENVIRONMENTS, "phantom"])
def test_an_environment_lists_what_the_stage_imports(stage):
    file = ENVIRONMENTS.get(stage, ENVIRONMENTS["preprocess"])  # the phantom study is written there
    imported = {name for path in files_behind(stage) if path.suffix == ".py" for name in imports(path)}
    others = imported - set(sys.stdlib_module_names) - {"brainlapse"} - OPTIONAL
    if stage == "preprocess":
        others -= {"torch"}  # comes with deepbet
    assert {PACKAGE_OF.get(name, name) for name in others} <= pinned_in(file).keys()


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
