"""The command as a person meets it: killed, stopped, started twice, and told how far it is."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import moody_server as moods
import pytest
from open_study import LATER, SCAN, contents, tree

from brainlapse import cli
from brainlapse import fetch as stage
from brainlapse.errors import Refused
from brainlapse.fetch.listing import Listed
from brainlapse.fetch.lock import NAME, only_run
from brainlapse.fetch.progress import Progress, amount

SOURCE = Path(stage.__file__).parents[2]
COMMAND = """
import sys
from pathlib import Path
from brainlapse import cli, fetch
table, address, root = sys.argv[1:]
fetch.STUDIES["dlbs"] = fetch.Study("A made-up study", "nowhere", "CC0", address, Path(table), "snakemake")
sys.exit(cli.main(["fetch", "dlbs", "--root", root]))
"""


@pytest.fixture
def stalled(study, server, root):
    """The command as a process of its own, with half of the second scan on disk."""
    server.moods[LATER] = [moods.stalling_after(150_000)]
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, str(study.files), server.address, str(root)],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.reached.wait(20)
        part = root / f"{LATER}.part"
        while not (part.exists() and part.stat().st_size):
            assert process.poll() is None
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_leaves_a_part_and_the_next_goes_on(stalled, fetch, root, server, caplog, number):
    stalled.send_signal(number)
    _, told = stalled.communicate(timeout=10)
    assert stalled.returncode == (-number if number == signal.SIGKILL else 2)
    assert ("The same command goes on" in told) == (number == signal.SIGINT)
    left = tree(root)
    part = left.pop(f"{LATER}.part")
    assert part and contents()[LATER].startswith(part)
    assert left.pop(NAME, None) is None or number == signal.SIGKILL
    assert left.items() <= contents().items() and SCAN in left and LATER not in left
    caplog.set_level("INFO")
    fetch()
    assert tree(root) == contents()
    assert server.asked[-2][1] == f"bytes={len(part)}-"
    assert ("was left behind by process" in caplog.text) == (number == signal.SIGKILL)


def test_two_runs_on_one_folder(stalled, fetch):
    with pytest.raises(Refused, match=rf"another run \(process {stalled.pid} on {socket.gethostname()}\)"):
        fetch()


def test_a_run_on_another_host_is_believed(fetch, root, server):
    root.mkdir()
    (root / NAME).write_text("process 1 on a-node-of-the-cluster\n")
    with pytest.raises(Refused, match=rf"process 1 on a-node-of-the-cluster\)\..*delete {root / NAME}"):
        fetch()
    assert server.asked == []


def test_the_lock_goes_with_the_run(root):
    root.mkdir()
    with only_run(root), pytest.raises(Refused), only_run(root):
        pass
    with pytest.raises(KeyError), only_run(root):
        raise KeyError
    assert not list(root.iterdir())


def test_the_command_says_what_it_does_and_ends_with_what_is_next(study, root, monkeypatch, caplog):
    monkeypatch.setitem(stage.STUDIES, "dlbs", study)
    caplog.set_level("INFO")
    assert cli.main(["fetch", "dlbs", "--root", str(root)]) == 0
    first, last = caplog.messages[:3], caplog.messages[-2:]
    assert first[0] == "A made-up study\nnowhere, version 1, CC0"
    assert first[1] == "2 people, 5 files, 900 kB"
    assert first[2] == f"from {study.address}\nto {root}"
    assert last == [
        "0 files were there, 5 are new, 0 are missing",
        "Everything is there. Next:\n  snakemake",
    ]


def test_the_command_fails_unless_everything_is_there(study, root, server, monkeypatch, capsys):
    monkeypatch.setitem(stage.STUDIES, "dlbs", study)
    server.always(SCAN, moods.answering(404))
    assert cli.main(["fetch", "dlbs", "--root", str(root)]) == 2
    assert "brainlapse fetch: 1 of 5 files are missing." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "--root", "x"], "invalid choice: 'nowhere'"),
        (["dlbs"], "required: --root"),
        (["dlbs", "--root", "x", "--people", "0"], "--people: must be a whole number, 1 or more"),
        (["dlbs", "--root", "x", "--people", "few"], "--people: must be a whole number, 1 or more"),
        (["dlbs", "--root", "x", "--settings", "{}"], "unrecognized arguments: --settings"),
    ],
)
def test_wrong_arguments(arguments, message, capsys):
    with pytest.raises(SystemExit):
        cli.main(["fetch", *arguments])
    assert message in capsys.readouterr().err


def test_the_help_lists_fetch_before_the_stages(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    lines = [line.split()[0] for line in capsys.readouterr().out.split("STAGE\n")[1].splitlines()]
    assert [line for line in lines if line in (*cli.BEFORE, *cli.STAGES)] == [*cli.BEFORE, *cli.STAGES]


def test_progress_says_how_far_it_is_and_always_ends(caplog):
    caplog.set_level("INFO")
    files = [Listed(name, 3_000_000_000, "") for name in "ab"]
    for every_s in (0, 1000):
        progress = Progress("fetched", files, every_s)
        progress.at(1_500_000_000)
        progress.settle(files[0])
        progress.settle(files[1])
    assert caplog.messages[0].startswith("fetched 0 of 2 files, 1.5 GB of 6 GB, ")
    assert caplog.messages[0].endswith(" left")
    assert caplog.messages[-1].startswith("fetched 2 of 2 files, 6 GB of 6 GB, ")
    assert len([line for line in caplog.messages if line.startswith("fetched 0")]) == 1


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 bytes"), (999, "999 bytes"), (5_921_940_000, "5.92 GB"), (12_345_678, "12.3 MB")],
)
def test_amounts(size, words):
    assert amount(size) == words
