"""A record tells what decided a result; dates and machines are in it and decide nothing."""

import json

import pandas as pd
import pytest

from brainlapse import tables
from brainlapse.cli import main
from brainlapse.provenance import run_behind

SETTINGS = {
    "seed": 0,
    "pairs": {"min_interval_years": 0.4, "max_interval_years": 8, "history": 3},
    "splits": {"train": 4, "validation": 0, "test": "rest"},
    "external": [],
}


def paired(folder, **changed) -> int:
    """Pair and split six made-up people below the folder; return the command's status."""
    rows = [
        {"cohort": "a", "subject": f"s{n}", "scan": f"s{n}-{day}", "days": day, "image": "x.nii"}
        for n in range(6)
        for day in (0, 500)
    ]
    scans = pd.DataFrame(rows).reindex(columns=tables.SCANS.names)
    quality = scans[["cohort", "subject", "scan"]].assign(status="accepted")
    tables.write(scans, folder / "scans.tsv", tables.SCANS)
    tables.write(quality.reindex(columns=tables.QUALITY.names), folder / "quality.tsv", tables.QUALITY)
    read = ["--scans", str(folder / "scans.tsv"), "--quality", str(folder / "quality.tsv")]
    settings = json.dumps({**SETTINGS, **changed})
    return main(["pairs", *read, "--settings", settings, "--out", str(folder / "3_pairs")])


def test_the_same_study_elsewhere_has_the_same_id_and_another_seed_has_not(tmp_path):
    assert paired(tmp_path / "here") == paired(tmp_path / "there") == paired(tmp_path / "other", seed=1) == 0
    here, there, other = (
        run_behind(tmp_path / place / "3_pairs/pairs.tsv") for place in ("here", "there", "other")
    )
    assert here["id"] == there["id"] != other["id"]
    assert here["inputs"] == there["inputs"] and set(here["inputs"]) == {"../scans.tsv", "../quality.tsv"}
    assert here["started"] != there["started"]


def test_what_is_run_again_replaces_its_run_and_no_other(tmp_path):
    assert paired(tmp_path) == 0
    (tmp_path / "3_pairs" / "by_hand.tsv").write_text("a\n")
    assert paired(tmp_path, seed=1) == 0
    (run,) = json.loads((tmp_path / "3_pairs/pairs.provenance.json").read_text())
    assert run["settings"]["seed"] == 1
    assert {"pairs.tsv", "splits.tsv", "funnel.tsv"} <= set(run["outputs"])
    assert run_behind(tmp_path / "3_pairs" / "by_hand.tsv") is None


def test_a_command_that_refuses_leaves_the_record_as_it_was(tmp_path):
    assert paired(tmp_path) == 0
    before = (tmp_path / "3_pairs/pairs.provenance.json").read_bytes()
    impossible = {"min_interval_years": 30, "max_interval_years": 40, "history": 1}
    assert paired(tmp_path, pairs=impossible) == 2
    assert (tmp_path / "3_pairs/pairs.provenance.json").read_bytes() == before


@pytest.mark.parametrize("rank", ["RANK", "SLURM_PROCID"])
def test_of_processes_that_work_together_the_first_one_writes(tmp_path, monkeypatch, rank):
    monkeypatch.setenv(rank, "1")
    assert paired(tmp_path) == 0
    assert run_behind(tmp_path / "3_pairs/pairs.tsv") is None
    monkeypatch.setenv(rank, "0")
    assert paired(tmp_path, seed=1) == 0
    assert run_behind(tmp_path / "3_pairs/pairs.tsv")["settings"]["seed"] == 1
