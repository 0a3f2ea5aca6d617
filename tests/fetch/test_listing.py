"""A list leads nowhere but below the folder, and a list that is wrong is told with its line."""

import dataclasses

import pytest
from open_study import SCAN, TABLE

from brainlapse.errors import Refused

SUM = "a" * 64
DRAWER = {
    "../up.nii.gz\t10\t" + SUM: "may lead out of the folder",
    "/etc/passwd\t10\t" + SUM: "may lead out of the folder",
    "sub-1/../../up\t10\t" + SUM: "may lead out of the folder",
    "sub-1//a\t10\t" + SUM: "may lead out of the folder",
    "./a\t10\t" + SUM: "may lead out of the folder",
    "sub-1\\..\\a\t10\t" + SUM: "may lead out of the folder",
    "sub-1/\x07\t10\t" + SUM: "may lead out of the folder",
    "a\t0\t" + SUM: "0 is no size",
    "a\t-1\t" + SUM: "-1 is no size",
    "a\tmany\t" + SUM: "column size: is no integer: 'many'",
    "a\t1.5\t" + SUM: "column size: is no integer: '1.5'",
    "a\t10\t" + "A" * 64: "is no SHA-256",
    "a\t10\t" + "a" * 32: "is no SHA-256",
    "a\t10\tn/a": "column sha256: is empty",
    f"{TABLE}\t10\t{SUM}": "stands there twice",
}


@pytest.mark.parametrize("row", DRAWER)
def test_a_wrong_line_is_told_before_anything_is_written(fetch, study, root, tmp_path, server, row):
    study.files.write_text(study.files.read_text() + row + "\tn/a\n")
    with pytest.raises(Refused) as refusal:
        fetch()
    assert DRAWER[row] in str(refusal.value) and f"{study.files}, line 7" in str(refusal.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["list.tsv"] and server.asked == []


def test_more_than_the_disk_holds(fetch, study, server):
    study.files.write_text(study.files.read_text() + f"sub-3/huge\t{10**18}\t{SUM}\tn/a\n")
    with pytest.raises(Refused, match=r"study: 1e\+09 GB are needed and .* are free. Make room"):
        fetch()
    assert server.asked == []


def test_a_link_that_leads_out_of_the_folder(fetch, root, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    root.mkdir()
    (root / "sub-1").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Refused, match="link that leads out"):
        fetch()
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_folder_that_is_a_link_itself(fetch, root, tmp_path):
    (tmp_path / "big disk").mkdir()
    root.symlink_to(tmp_path / "big disk")
    fetch()
    assert (tmp_path / "big disk" / SCAN).exists()


def test_a_list_that_is_not_there(study, root, tmp_path):
    from brainlapse.fetch.collect import collect

    with pytest.raises(Refused, match="is not there"):
        collect(dataclasses.replace(study, files=tmp_path / "no.tsv"), root)
