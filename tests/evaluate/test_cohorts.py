"""A model's fall on a foreign cohort is seen, and is not confused with that cohort being harder."""

import pandas as pd
import pytest
from people_scored import scores_of

from brainlapse import tables
from brainlapse.evaluate.cohorts import cohorts


def table(external, *, gain_there):
    home = scores_of({"ours": 0.10}, subjects=30, cohort="home", noise=0.02)
    away = scores_of({"ours": gain_there}, subjects=25, cohort="away", noise=0.02, seed=1)
    away.loc[away["metric"] == "ssim_brain", "value"] -= 0.3  # a worse scanner, for copying too
    found = cohorts(pd.concat([home, away]), external, 300, 0)
    tables.check(found, tables.COHORTS, "cohorts.tsv")
    return found.set_index("model")


@pytest.mark.parametrize(("gain_there", "falls"), [(0.10, False), (0.04, True)])
def test_a_harder_cohort_is_no_fall_in_the_gain(gain_there, falls):
    ours = table(["away"], gain_there=gain_there).loc["ours"]
    assert (ours["cohort"], ours["other"]) == ("away", "home")
    assert (ours["subjects"], ours["other_subjects"]) == (25, 30)
    assert ours["difference_high"] < -0.2
    assert ours["gain_difference_low"] <= gain_there - 0.1 <= ours["gain_difference_high"]
    assert (ours["gain_difference_high"] < 0) == falls


@pytest.mark.parametrize("external", [[], ["home", "away"]])
def test_without_an_external_and_a_study_cohort_there_is_nothing_to_say(external):
    assert table(external, gain_there=0.1).empty


def test_only_test_people_stand_for_the_study():
    home, away = (scores_of({"ours": 0.1}, cohort=name) for name in ("home", "away"))
    home.loc[home["subject"] > "s09", "split"] = "train"
    found = cohorts(pd.concat([home, away]), ["away"], 100, 0)
    assert set(found["other_subjects"]) == {10}
