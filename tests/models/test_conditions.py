"""Facts about people: from the tables to numbers, unknown where the tables do not say."""

import pandas as pd
import torch

from brainlapse.models.batch import Batch
from brainlapse.models.conditions import FACTS, facts_of, forgotten


def people():
    return pd.DataFrame(
        {
            "age_years": pd.array([61.5, None, 80.0], dtype="float64"),
            "sex": ["F", "O", None],
            "diagnosis": ["AD", None, "CN"],
        }
    )


def test_numbers_stay_and_categories_become_their_place():
    found = facts_of(people())
    nan = torch.nan
    torch.testing.assert_close(found["age"], torch.tensor([61.5, nan, 80.0]), equal_nan=True)
    torch.testing.assert_close(found["sex"], torch.tensor([0.0, nan, nan]), equal_nan=True)
    torch.testing.assert_close(found["diagnosis"], torch.tensor([2.0, nan, 0.0]), equal_nan=True)
    assert set(found) == set(FACTS)


def test_a_column_that_nobody_filled_is_unknown():
    empty = people().assign(diagnosis=None, age_years=float("nan"))
    found = facts_of(empty)
    assert found["diagnosis"].isnan().all() and found["age"].isnan().all()


def test_facts_are_forgotten_each_by_itself_and_never_invented():
    torch.manual_seed(0)
    facts = {"age": torch.full((4000,), 70.0), "sex": torch.tensor([0.0, torch.nan]).repeat(2000)}
    nobody = torch.empty(4000, 1, 0, 0, 0)
    years = torch.tensor([[1.0, torch.nan]]).repeat(4000, 1)
    batch = Batch(nobody, torch.ones(4000), facts=facts, history=nobody, history_years=years)
    forgetful = forgotten(batch, 0.25)
    left = forgetful.facts
    assert abs(left["age"].isnan().float().mean() - 0.25) < 0.03
    assert abs(left["sex"].isnan().float().mean() - (0.5 + 0.125)) < 0.03
    both = (left["age"].isnan() & left["sex"].isnan()).float().mean()
    assert abs(both - 0.25 * 0.625) < 0.03
    assert set(left["age"][~left["age"].isnan()].tolist()) == {70.0}
    assert abs(forgetful.history_years[:, 0].isnan().float().mean() - 0.25) < 0.03
    assert forgetful.history_years[:, 1].isnan().all() and forgotten(batch, 0.0).history_years is not None
    assert torch.equal(forgetful.interval_years, batch.interval_years)
