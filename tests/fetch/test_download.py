"""Whatever the server does, a file is whole under its own name or not there, and the message says why."""

import time
from pathlib import Path

import moody_server as moods
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from open_study import LATER, OTHER, README, SCAN, SCAN_BYTES, TABLE, contents, tree

from brainlapse.errors import Refused
from brainlapse.fetch.download import Patience

PAGE = b"<!DOCTYPE html><title>Please log in</title>"
DROP = moods.dropping_after(100_000)
GOOD_ADDRESS = "/data/" + SCAN


def test_everything_arrives_and_nothing_else(fetch, root):
    fetch()
    assert tree(root) == contents()


def test_what_is_there_is_not_fetched_again(fetch, root, server):
    fetch()
    asked = len(server.asked)
    fetch()
    assert len(server.asked) == asked == len(contents())


PASSING = {
    "dropped": [DROP],
    "dropped often": [DROP, moods.dropping_after(1), moods.dropping_after(70_000)],
    "hung up": [moods.hanging_up, moods.hanging_up],
    "silent": [moods.stalling_after(100_000)],
    "500, then fine": [moods.answering(500), moods.answering(503)],
    "busy": [moods.answering(429, Retry_After="3600"), moods.answering(503, Retry_After="soon")],
    "another part": [DROP, moods.at_another_place],
    "no such part": [DROP, moods.answering(416)],
    "a part without saying which": [DROP, moods.answering(206, b"?" * 100)],
    "too short, unsized": [moods.unsized(contents()[SCAN][:5000])],
    "no length": [moods.unsized(contents()[SCAN])],
    "wrong bytes once": [moods.answering(200, bytes(SCAN_BYTES))],
    "moved": [moods.answering(302, Location=GOOD_ADDRESS + "?again"), moods.well],
    "changed in between": [lambda handler, content: DROP(handler, bytes(SCAN_BYTES))],
}


@pytest.mark.parametrize("mood", PASSING)
def test_trouble_that_passes_leaves_no_trace(fetch, root, server, mood):
    server.moods[SCAN] = list(PASSING[mood])
    fetch()
    assert tree(root) == contents()
    assert server.moods[SCAN] == []


@pytest.mark.parametrize("mood", [moods.without_ranges, moods.without_parts, moods.as_if_packed])
def test_a_server_of_another_kind_will_do(fetch, root, server, mood):
    server.moods[SCAN] = [DROP, *[mood] * 10]
    fetch()
    assert tree(root) == contents()


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(cuts=st.lists(st.integers(0, SCAN_BYTES), max_size=4), ranges=st.booleans())
def test_wherever_it_breaks_the_file_is_whole_in_the_end(fetch, server, tmp_path_factory, cuts, ranges):
    server.moods[SCAN] = [moods.dropping_after(cut) for cut in cuts] + [moods.without_ranges] * (not ranges)
    folder = tmp_path_factory.mktemp("broken")
    fetch(root=folder)
    assert tree(folder) == contents()


LASTING = {
    "forbidden": (moods.answering(403, PAGE), 1, "HTTP 403 Forbidden. If a browser does not get it either"),
    "gone": (moods.answering(404), 1, "HTTP 404 Not Found"),
    "a web page": (moods.answering(200, PAGE, Content_Type="text/html; charset=utf-8"), 1, "a web page: "),
    "another length": (moods.claiming(SCAN_BYTES + 7), 1, "has 300007 bytes where the list says 300000"),
    "a longer file": (moods.unsized(bytes(SCAN_BYTES + 7)), 1, "has more than 300000 bytes where the list"),
    "wrong bytes": (moods.answering(200, bytes(SCAN_BYTES)), 2, "twice gave 300000 bytes whose SHA-256"),
    "a loop": (moods.answering(302, Location=GOOD_ADDRESS), 6, "Exceeded 5 redirects"),
    "a local file": (moods.answering(302, Location="file:///etc/hostname"), 1, "No connection adapters"),
    "down": (moods.answering(500), 5, "HTTP 500 Internal Server Error (the last of 5 tries)"),
    "always dropped": (moods.dropping_after(0), 5, "the last of 5 tries"),
}  # fmt: skip


@pytest.mark.parametrize("mood", LASTING)
def test_trouble_that_lasts_is_told_and_the_other_files_come(fetch, root, server, mood):
    answer, requests, message = LASTING[mood]
    server.always(SCAN, answer)
    with pytest.raises(Refused) as refusal:
        fetch()
    told = str(refusal.value)
    assert "1 of 5 files are missing" in told and "The same command goes on" in told
    assert message in told and f"{server.address}/{SCAN}" in told
    assert len([path for path, _ in server.asked if SCAN in path]) == requests
    assert tree(root).keys() - {SCAN + ".part"} == contents().keys() - {SCAN}
    server.moods.clear()
    fetch()
    assert tree(root) == contents()


def test_a_resumed_file_is_asked_for_from_where_it_stopped(fetch, server):
    server.moods[SCAN] = [DROP]
    fetch()
    first, second = (asked for path, asked in server.asked if SCAN in path)
    assert first is None
    assert 0 < int(second.removeprefix("bytes=").removesuffix("-")) <= 100_000


def test_a_part_that_is_already_whole_is_checked_and_not_fetched(fetch, root, server):
    part = root / f"{SCAN}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(contents()[SCAN])
    fetch()
    assert tree(root) == contents()
    assert not [path for path, _ in server.asked if SCAN in path]


@pytest.mark.parametrize("rubbish", [b"?" * 1000, b"?" * SCAN_BYTES, b"?" * (SCAN_BYTES + 1)])
def test_a_part_of_something_else_does_no_harm(fetch, root, rubbish):
    part = root / f"{SCAN}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(rubbish)
    fetch()
    assert tree(root) == contents()


def test_a_part_that_is_a_link_is_not_written_through(fetch, root, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"mine")
    (root / SCAN).parent.mkdir(parents=True)
    (root / f"{SCAN}.part").symlink_to(elsewhere)
    fetch()
    assert tree(root) == contents() and elsewhere.read_bytes() == b"mine"


@pytest.mark.parametrize("mine", [b"participant_id\tdiagnosis\n", bytes(len(contents()[TABLE]))])
def test_a_file_that_somebody_edited_is_kept_beside_the_studys(fetch, root, mine):
    root.mkdir()
    (root / TABLE).write_bytes(mine)
    fetch()
    assert tree(root) == {**contents(), f"{TABLE}.replaced": mine}


def test_the_wait_that_a_busy_server_asks_for_is_kept(fetch, server):
    server.moods[SCAN] = [moods.answering(429, Retry_After="3600")]
    began = time.monotonic()
    fetch(Patience(waits_s=(0,), longest_s=0.4))
    assert time.monotonic() - began >= 0.4


def test_a_server_that_refuses_everything_is_left_alone(fetch, server):
    for path in contents():
        server.always(path, moods.answering(403))
    with pytest.raises(Refused, match=r"5 of 5 files are missing\. It gave up after 3 failures in a row"):
        fetch()
    assert len(server.asked) == 3


def test_failures_that_are_not_in_a_row_do_not_stop_it(fetch, root, server):
    for path in (README, SCAN, LATER):
        server.always(path, moods.answering(403))
    with pytest.raises(Refused, match=r"3 of 5 files are missing\.\n"):
        fetch()
    assert tree(root).keys() == {TABLE, OTHER}


def test_nobody_at_the_address(fetch, server):
    with pytest.raises(Refused, match=r"http://127.0.0.1:9/x/README: .*Connection refused"):
        fetch(mirror="http://127.0.0.1:9/x")
    assert server.asked == []


def test_the_studys_server_is_asked_for_the_versions_of_the_list(fetch, server):
    fetch()
    assert {path for path, _ in server.asked} == {
        f"/data/{p}?versionId=V.{n}" for n, p in enumerate(contents())
    }


def test_a_mirror_is_asked_for_plain_paths(fetch, server):
    fetch(mirror=server.address + "/")
    assert {path for path, _ in server.asked} == {f"/data/{path}" for path in contents()}


@pytest.mark.parametrize("address", ["ftp://127.0.0.1/x", "file:///etc", "127.0.0.1/x"])
def test_an_address_that_is_not_of_the_web(fetch, root, address):
    with pytest.raises(Refused, match="must begin with http:// or https://"):
        fetch(mirror=address)
    assert not root.exists()


def test_the_first_people_only(fetch, root):
    fetch(people=1)
    assert tree(root).keys() == {README, TABLE, SCAN, LATER}
    fetch()
    assert OTHER in tree(root)


def test_a_folder_that_cannot_be_written(fetch, root):
    root.mkdir()
    (root / "sub-1").write_text("a file where a folder must be")
    with pytest.raises(Refused, match=r"sub-1/ses-wave1/anat.*When that is mended"):
        fetch()


def test_a_file_where_the_folder_should_be(fetch, root):
    Path(root).write_text("")
    with pytest.raises(Refused, match="study: File exists"):
        fetch()
