"""Parts of the requests: who is in which, that none is lost, and that a part is the comparison of its own."""

import numpy as np
import pandas as pd
import pytest
from people_scored import scores_of

from brainlapse import tables
from brainlapse.errors import Refused
from brainlapse.evaluate.comparing import comparisons
from brainlapse.evaluate.subgroups import levels_of, subgroups


def requests_and_scans(scores, **known):
    """A request and a source scan for each request of the scores; `known` has columns of either."""
    requests = scores.drop_duplicates("request")[["request", "cohort", "subject", "split", "interval_years"]]
    requests = requests.assign(source_scan=requests["request"] + "_source", seed=0)
    scans = requests[["cohort", "subject"]].assign(scan=requests["source_scan"], days=0, image="i")
    requests = requests.reindex(columns=tables.REQUESTS.names)
    scans = scans.reindex(columns=tables.SCANS.names)
    for name, values in known.items():
        (scans if name == "field_strength_t" else requests)[name] = list(values)
    return requests, scans


def found(scores, requests, scans):
    table = subgroups(scores, requests, scans, 200, 0)
    tables.check(table, tables.SUBGROUPS, "subgroups.tsv")
    return table


LEVELS = {
    "interval_years": {0.5: "0–1", 0.99: "0–1", 1.0: "1–2", 2.0: "2–3", 4.999: "3–5", 5.0: "5+", 12.0: "5+"},
    "age_years": {59.9: "<60", 60.0: "60–70", 79.9: "70–80", 80.0: "80+", np.nan: "n/a"},
    "field_strength_t": {1.494: "1.5", 1.5: "1.5", 2.89362: "3", 3.0: "3", np.nan: "n/a", 7.0: "7"},
    "history": {"a": "1", "a,b": "2", None: "0", "a,b,c": "3"},
    "diagnosis": {"CN": "CN", "AD": "AD", "MCI": "MCI", None: "n/a"},
    "sex": {"F": "F", "M": "M", "O": "O", None: "n/a"},
}


@pytest.mark.parametrize("column", LEVELS)
def test_each_request_has_the_level_that_a_reader_would_give_it(column):
    values = LEVELS[column]
    scores = scores_of({}, subjects=len(values), requests=1)
    requests, scans = requests_and_scans(scores, **{column: values})
    by = "history_scans" if column == "history" else column
    assert levels_of(requests, scans)[by].astype("str").tolist() == list(values.values())


def test_no_request_is_lost_and_none_counted_twice():
    scores = scores_of({"ours": 0.1}, subjects=12, requests=3)
    ages = np.where(np.arange(36) % 5 == 0, np.nan, 50 + np.arange(36))
    table = found(scores, *requests_and_scans(scores, age_years=ages, sex=["F", "M", None] * 12))
    for _, part in table.groupby(["model", "by", "metric"]):
        assert part["requests"].sum() == 36
    assert set(table["by"]) == {
        "interval_years", "diagnosis", "sex", "age_years", "field_strength_t", "history_scans",
    }  # fmt: skip


def test_a_part_that_is_all_is_the_comparison():
    scores = scores_of({"ours": 0.1}, noise=0.05)
    table = found(scores, *requests_and_scans(scores, sex=["F"] * 40))
    whole = comparisons(scores, 200, 0).set_index(["model", "metric"])
    part = table[table["by"] == "sex"].set_index(["model", "metric"])
    numbers = ["subjects", "requests", "value", "value_low", "value_high", "gain", "gain_low", "gain_high"]
    for name in part.index:
        assert part.loc[name, numbers].tolist() == whole.loc[name, numbers].tolist()


def test_a_model_that_serves_one_sex_better_is_found_out():
    scores = scores_of({"ours": lambda subject: 0.1 if subject % 2 else -0.1}, requests=1, noise=0.02)
    table = found(scores, *requests_and_scans(scores, sex=["F", "M"] * 10))
    ours = table[(table["model"] == "ours") & (table["by"] == "sex")].set_index("level")
    assert ours.loc["F", "gain_high"] < 0 < ours.loc["M", "gain_low"]
    assert ours["subjects"].to_dict() == {"F": 10, "M": 10}


def test_one_person_alone_has_no_interval_and_people_of_no_known_level_are_there(tmp_path):
    scores = scores_of({"ours": 0.1}, subjects=3, requests=2)
    table = found(scores, *requests_and_scans(scores, diagnosis=["AD"] * 2 + [None] * 4))
    tables.write(table, tmp_path / "subgroups.tsv", tables.SUBGROUPS)
    read = tables.read(tmp_path / "subgroups.tsv", tables.SUBGROUPS)
    read = read[(read["by"] == "diagnosis") & (read["model"] == "ours")]
    assert read["level"].fillna("unknown").tolist() == ["AD", "unknown"]
    assert read["subjects"].tolist() == [1, 2]
    assert read["value_low"].isna().tolist() == [True, False]


def test_levels_stand_in_their_order():
    scores = scores_of({}, subjects=6, requests=1)
    table = found(scores, *requests_and_scans(scores, age_years=[85, 55, 75, None, 65, 85]))
    levels = table.loc[table["by"] == "age_years", "level"].drop_duplicates()
    assert levels.tolist() == ["<60", "60–70", "70–80", "80+", "n/a"]


def test_scores_of_an_unknown_request_are_refused():
    scores = scores_of({}, subjects=3)
    requests, scans = requests_and_scans(scores)
    with pytest.raises(Refused, match="no table has request c_00_0"):
        found(scores, requests.iloc[1:], scans)


def test_the_sweep_is_no_part_of_it():
    scores = scores_of({"ours": 0.1}, metric="volume_rate_percent_per_year")
    sweep = scores[scores["metric"] != "true_volume_ml"].assign(request=lambda rows: rows["request"] + "_9y")
    requests, scans = requests_and_scans(scores)
    both = found(pd.concat([scores, sweep]), requests, scans)
    pd.testing.assert_frame_equal(both, found(scores, requests, scans))
