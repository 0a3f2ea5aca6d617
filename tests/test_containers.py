"""The image definitions make one and the same environment, that of `make`; no engine is here to build one."""

import re
from pathlib import Path

PROJECT = Path(__file__).parents[1]
DOCKERFILE = (PROJECT / "containers/Dockerfile").read_text()
APPTAINER = (PROJECT / "containers/brainlapse.def").read_text()


def commands(text: str) -> list[str]:
    """Shell commands, one a line, without comments and folder changes."""
    lines = re.sub(r"\\\n\s*&& ", "\n", text).splitlines()
    told = [line.strip().removeprefix("RUN ") for line in lines]
    return [line for line in told if line and not line.startswith(("#", "cd "))]


def section(name: str) -> str:
    return re.search(rf"^%{name}\n(.*?)(?=^%|\Z)", APPTAINER, re.DOTALL | re.MULTILINE)[1]


def run_lines() -> str:
    """All that the Dockerfile's RUN instructions run."""
    return "\n".join(re.findall(r"^RUN ((?:.*\\\n)*.*)", DOCKERFILE, re.MULTILINE))


def test_both_start_from_one_image_and_run_the_same_commands():
    (docker_base,) = re.findall(r"^FROM (\S+)$", DOCKERFILE, re.MULTILINE)
    (apptainer_base,) = re.findall(r"^From: (\S+)$", APPTAINER, re.MULTILINE)
    assert docker_base == apptainer_base
    assert commands(run_lines()) == commands(section("post"))
    assert "PIP_NO_CACHE_DIR=1 make environments" in commands(section("post"))


def test_both_copy_what_make_needs_and_nothing_else():
    copied = {line.split()[0] for line in section("files").strip().splitlines()}
    assert copied == set(re.findall(r"^COPY (\S+)", DOCKERFILE, re.MULTILINE)) == {"Makefile", "requirements"}
    allowed = (PROJECT / "containers/Dockerfile.dockerignore").read_text().split("*\n", 1)[1]
    assert {line.removeprefix("!") for line in allowed.splitlines()} == copied
    assert all((PROJECT / name).exists() for name in copied)


def test_both_put_the_same_programs_on_the_path():
    (docker_path,) = re.findall(r'PATH="([^"]+)"', DOCKERFILE)
    (apptainer_path,) = re.findall(r'PATH="([^"]+)"', section("environment"))
    assert docker_path == apptainer_path
    makefile = (PROJECT / "Makefile").read_text()
    stages, workflow = (
        re.search(rf"^{name} := (\S+)$", makefile, re.MULTILINE)[1] for name in ("STAGES", "WORKFLOW")
    )
    assert docker_path.split(":") == [
        f"/opt/brainlapse/{stages}/bin",
        f"/opt/brainlapse/{workflow}/bin",
        "$PATH",
    ]


def test_the_base_image_has_the_python_of_the_environments():
    (version,) = re.findall(r"^FROM python:(\d+\.\d+)-", DOCKERFILE, re.MULTILINE)
    for environment in (PROJECT / "envs").glob("*.yaml"):
        assert f"- python={version}\n" in environment.read_text()
