"""The made-up study on a server of this machine, fetched by somebody in a hurry."""

from pathlib import Path

import moody_server
import open_study
import pytest

from brainlapse.fetch import Study
from brainlapse.fetch.collect import collect
from brainlapse.fetch.download import Patience

HURRY = Patience(waits_s=(0, 0, 0, 0), longest_s=0.1, connect_s=2, silence_s=1)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    """Whatever proxy this machine has, loopback is reached without it."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def server():
    with moody_server.serving(open_study.contents()) as server:
        yield server


@pytest.fixture
def study(tmp_path, server) -> Study:
    return open_study.study(tmp_path / "list.tsv", server.address)


@pytest.fixture
def root(tmp_path) -> Path:
    return tmp_path / "study"


@pytest.fixture
def fetch(study, root):
    """A function that fetches the study to `root`."""

    def run(patience: Patience = HURRY, root: Path = root, **options) -> None:
        collect(study, root, patience=patience, **options)

    return run
