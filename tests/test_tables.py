"""A table that breaks its promise is refused, with file, line and column."""

import pandas as pd
import pytest

from brainlapse import tables
from brainlapse.errors import Refused

ROWS = pd.DataFrame({"cohort": ["a", "a"], "subject": ["1", "2"], "split": ["train", "test"]})


def test_a_table_reads_back_as_written(tmp_path):
    tables.write(ROWS, tmp_path / "splits.tsv", tables.SPLITS)
    pd.testing.assert_frame_equal(tables.read(tmp_path / "splits.tsv", tables.SPLITS), ROWS.astype("str"))


def test_missing_is_written_as_bids_writes_it(tmp_path):
    quality = pd.DataFrame([{"cohort": "a", "subject": "1", "scan": "I1", "status": "quarantined"}])
    quality = quality.reindex(columns=tables.QUALITY.names)
    tables.write(quality, tmp_path / "q.tsv", tables.QUALITY)
    assert "\tn/a\t" in (tmp_path / "q.tsv").read_text()
    again = tables.read(tmp_path / "q.tsv", tables.QUALITY)
    assert again["reason"].isna().all() and again["packed_row"].isna().all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cohort\tsubject\n", "lacks the column.* split"),
        ("cohort\tsubject\tsplit\na\t1\ttrain\na\t2\tTEST\n", "line 3, column split: must be one of"),
        ("cohort\tsubject\tsplit\na\tn/a\ttrain\n", "line 2, column subject: is empty"),
        (
            "cohort\tsubject\tsplit\na\t1\ttrain\na\t1\ttest\n",
            "line 3: cohort=a, subject=1 stands there twice",
        ),
        ("", "cannot be read"),
    ],
)
def test_a_wrong_table_is_refused(tmp_path, text, message):
    path = tmp_path / "splits.tsv"
    path.write_text(text)
    with pytest.raises(Refused, match=message):
        tables.read(path, tables.SPLITS)


def test_a_number_that_is_none_is_refused(tmp_path):
    path = tmp_path / "funnel.tsv"
    path.write_text("cohort\tstep\trows\tsubjects\na\tfiles\tmany\t2\n")
    with pytest.raises(Refused, match="line 2, column rows: is no integer: 'many'"):
        tables.read(path, tables.FUNNEL)


def test_an_absent_table_says_which_stage_is_missing(tmp_path):
    with pytest.raises(Refused, match="must run first"):
        tables.read(tmp_path / "scans.tsv", tables.SCANS)
