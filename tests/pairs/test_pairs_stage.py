"""The stage as the workflow runs it: tables in, tables out, and nobody lost without a word."""

import json
import logging

import pandas as pd
import pytest

from brainlapse import tables
from brainlapse.cli import main

SETTINGS = {
    "seed": 0,
    "pairs": {"min_interval_years": 0.4, "max_interval_years": 8, "history": 3, "field_strength": "same"},
    "splits": {"train": 6, "validation": 1, "test": "rest"},
    "external": ["out"],
    "people": {"adni": "adni", "copy": "adni", "out": "out"},
}


def visits(cohort: str, subject: str, days=(0, 500), tesla=3.0, number: int = 0) -> list[dict]:
    about = {"cohort": cohort, "subject": subject, "sex": "FM"[number % 2], "field_strength_t": tesla}
    about |= {"diagnosis": ("CN", "MCI", "AD")[number % 3]}
    return [
        about
        | {"scan": f"{cohort}-{subject}-{day}", "days": day, "age_years": 70 + day / 365, "image": "x.nii"}
        for day in days
    ]


def study(people: int = 12) -> list[dict]:
    return [row for n in range(people) for row in visits("adni", f"{n + 10:03d}_S_{n + 1:04d}", number=n)]


@pytest.fixture
def stage(tmp_path, caplog):
    """Run the stage on rows of scans; return its exit status."""
    caplog.set_level(logging.INFO)

    def run(rows: list[dict], quarantined=(), **changed) -> int:
        scans = pd.DataFrame(rows).reindex(columns=tables.SCANS.names)
        tables.write(scans, tmp_path / "scans.tsv", tables.SCANS)
        quality = scans[["cohort", "subject", "scan"]].reindex(columns=tables.QUALITY.names)
        quality["status"] = ["quarantined" if s in quarantined else "accepted" for s in scans["scan"]]
        tables.write(quality, tmp_path / "quality.tsv", tables.QUALITY)
        settings = json.dumps({**SETTINGS, **changed})
        arguments = ["--scans", str(tmp_path / "scans.tsv"), "--quality", str(tmp_path / "quality.tsv")]
        return main(["pairs", *arguments, "--settings", settings, "--out", str(tmp_path / "3_pairs")])

    return run


@pytest.fixture
def made(tmp_path):
    """Read a table that the stage wrote."""
    return lambda table: tables.read(tmp_path / "3_pairs" / table.name, table)


def test_every_person_with_a_pair_has_a_split_and_every_pair_its_persons(stage, made):
    assert stage(study()) == 0
    splits = made(tables.SPLITS)
    assert splits["split"].value_counts().to_dict() == {"train": 6, "test": 5, "validation": 1}
    pairs = made(tables.PAIRS).merge(splits, on=["cohort", "subject"])
    assert len(pairs) == 12 and (pairs["split_x"] == pairs["split_y"]).all()


def test_ids_of_one_person_share_a_split_and_count_once(stage, made):
    moved = visits("adni", "130_S_0001") + [
        row for n in range(1, 13) for row in visits("copy", f"sub-{n:04d}")
    ]
    assert stage(study() + moved) == 0
    splits = made(tables.SPLITS)
    rid = splits["subject"].str[-4:].astype(int)
    assert (splits.groupby(rid)["split"].nunique() == 1).all()
    assert splits.assign(rid=rid).drop_duplicates("rid")["split"].value_counts()["train"] == 6


def test_an_external_cohort_is_all_test(stage, made):
    assert stage(study() + visits("out", "7")) == 0
    assert made(tables.SPLITS).query("cohort == 'out'")["split"].tolist() == ["test"]


def test_a_trained_person_of_an_external_cohort_is_refused_until_a_file_says_test(stage, tmp_path, capsys):
    rows = study() + [row for n in range(12) for row in visits("out", f"sub-ADNI{n + 10:03d}S{n + 1:04d}")]
    assert stage(rows) == 2
    said = capsys.readouterr().err
    assert (
        "the same person is in two splits" in said and "of adni in train" in said and "of out in test" in said
    )
    (tmp_path / "mine.csv").write_text("subject,split\n" + "".join(f"RID{n},test\n" for n in range(1, 7)))
    rows = study() + [row for n in range(6) for row in visits("out", f"RID{n + 1}")]
    file = {**SETTINGS["splits"], "file": str(tmp_path / "mine.csv")}
    assert stage(rows, splits=file) == 0


def test_a_grown_study_moves_nobody_and_an_undone_edit_moves_everybody_back(stage, made):
    assert stage(study()) == 0
    first = made(tables.SPLITS)
    assert stage(study(20)) == 0
    grown = made(tables.SPLITS)
    assert len(first.merge(grown)) == len(first)
    other = {"train": 3, "validation": 3, "test": "rest"}
    assert stage(study(20), splits=other) == 0 and stage(study(20), seed=5) == 0
    assert len(made(tables.SPLITS).merge(grown)) < len(grown)
    assert stage(study(20)) == 0
    pd.testing.assert_frame_equal(made(tables.SPLITS), grown)


def test_a_refused_run_remembers_nothing(stage, tmp_path):
    assert stage(study(), pairs={**SETTINGS["pairs"], "min_interval_years": 5}) == 2
    assert not (tmp_path / "3_pairs").exists()


def test_a_file_decides_for_those_it_names_and_the_others_fill_what_is_left(stage, made, tmp_path, caplog):
    (tmp_path / "mine.csv").write_text("subject;split\n010_S_0001;test\nRID2;val\nRID77;train\n")
    file = {**SETTINGS["splits"], "file": str(tmp_path / "mine.csv")}
    assert stage(study(), splits=file) == 0
    splits = made(tables.SPLITS).set_index("subject")["split"]
    assert splits["010_S_0001"] == "test" and splits["011_S_0002"] == "validation"
    assert splits.value_counts().to_dict() == {"train": 6, "test": 5, "validation": 1}
    assert "does not name 10 people, who are dealt: adni:10" in caplog.text
    assert "names 1 people who have no scan, such as RID77" in caplog.text


def test_a_file_and_its_removal_leave_the_others_where_they_were(stage, made, tmp_path):
    assert stage(study()) == 0
    first = made(tables.SPLITS)
    tested = first.loc[first["split"] == "test", "subject"].iloc[0]
    (tmp_path / "mine.csv").write_text(f"subject,split\n{tested},test\n")
    file = {**SETTINGS["splits"], "file": str(tmp_path / "mine.csv")}
    assert stage(study(), splits=file) == 0
    pd.testing.assert_frame_equal(made(tables.SPLITS), first)
    assert stage(study()) == 0
    pd.testing.assert_frame_equal(made(tables.SPLITS), first)


def test_a_file_that_empties_a_split_is_refused(stage, tmp_path, capsys):
    (tmp_path / "mine.csv").write_text("subject,split\n" + "".join(f"RID{n},train\n" for n in range(1, 13)))
    assert stage(study(), splits={**SETTINGS["splits"], "file": str(tmp_path / "mine.csv")}) == 2
    assert "nobody of adni is in test. Look at splits.train" in capsys.readouterr().err


def test_the_funnel_goes_on_to_the_pairs(stage, made, caplog):
    rows = (
        study()
        + visits("adni", "030_S_0030", days=(0, 20))
        + visits("adni", "031_S_0031", days=(0, 400, 800))
    )
    rows += [visits("adni", "032_S_0032", tesla=t)[n] for n, t in enumerate((1.5, 3.0))]
    assert stage(rows, quarantined=["adni-010_S_0001-500", "adni-031_S_0031-400"]) == 0
    funnel = made(tables.FUNNEL)
    assert list(funnel[["step", "rows", "subjects"]].itertuples(index=False, name=None)) == [
        ("scans of the manifest", 31, 15),
        ("accepted by preprocessing", 29, 15),
        ("of people with two accepted visits", 28, 14),
        ("in a pair within the interval limits", 26, 13),
        ("in a pair of one field strength", 24, 12),
        ("pairs", 12, 12),
    ]
    assert "pairs adni:     12 of    12 people: pairs" in caplog.text


def test_with_any_field_strength_nobody_is_lost_to_it(stage, made):
    rows = study() + [visits("adni", "032_S_0032", tesla=t)[n] for n, t in enumerate((1.5, 3.0))]
    assert stage(rows, pairs={**SETTINGS["pairs"], "field_strength": "any"}) == 0
    funnel = made(tables.FUNNEL).set_index("step")
    assert "in a pair of one field strength" not in funnel.index and funnel.loc["pairs", "rows"] == 13


LOST = {
    "preprocessing": ({"quarantined": [row["scan"] for row in study()]}, "accepted by", "preprocess.limits"),
    "one visit left": (
        {"quarantined": [row["scan"] for row in study() if row["days"]]},
        "of people with two accepted visits",
        "quality.tsv",
    ),
    "the limits": (
        {"pairs": {**SETTINGS["pairs"], "min_interval_years": 5}},
        "in a pair within the interval limits",
        "pairs.min_interval_years",
    ),
}


@pytest.mark.parametrize("cause", LOST)
def test_a_study_that_loses_everybody_says_where_and_what_to_look_at(stage, capsys, cause):
    how, step, key = LOST[cause]
    assert stage(study(), **how) == 2
    said = capsys.readouterr().err
    assert "0 people of the study cohorts have two accepted scans" in said
    assert f"at the step `{step}" in said and key in said


def test_a_study_lost_to_field_strength_is_told_the_key(stage, capsys):
    rows = [visits("adni", f"RID{n}", tesla=t)[i] for n in range(5) for i, t in enumerate((1.5, 3.0))]
    assert stage(rows) == 2
    assert "set pairs.field_strength to `any`" in capsys.readouterr().err


def test_a_cohort_without_a_test_person_is_refused_now_and_not_after_training(stage, made, capsys):
    assert stage(study()) == 0
    splits = made(tables.SPLITS)
    trained = splits.loc[splits["split"] == "train", "subject"].iloc[0]
    assert stage(study() + visits("copy", trained)) == 2
    assert "nobody of copy is in test" in capsys.readouterr().err


def test_a_cohort_that_loses_everybody_is_told_before_days_of_training(stage, capsys):
    assert stage(study() + visits("out", "7", days=(0, 30))) == 2
    assert (
        "cohort out has no pair. Too few were left at the step `in a pair within" in capsys.readouterr().err
    )
