"""Earlier scans: told as change a year, any number of them, in any order."""

from dataclasses import replace

import pandas as pd
import pytest
import torch
from test_families import ROWS, built, generated, pair, without_history

from brainlapse.models.history import changes_before, earlier_scans


def test_a_steady_change_is_told_as_the_same_rate_however_long_ago():
    batch = pair()
    rate = torch.where(batch.brain, 0.01, 0.0)
    history = torch.cat([batch.source - 2 * rate, batch.source - 5 * rate], dim=1)
    changes, _ = changes_before(replace(batch, history=history, history_years=torch.tensor([[2.0, 5.0]])))
    torch.testing.assert_close(changes, rate.expand_as(changes), rtol=0, atol=1e-6)


def test_what_is_outside_the_brain_or_not_there_is_no_change():
    batch = pair(batch=2)
    changes, years = changes_before(batch)
    assert (changes[~batch.brain.expand_as(changes)] == 0).all() and (changes[1, 1] == 0).all()
    assert years[1, 1].isnan() and changes.isfinite().all() and changes[0, 1].abs().sum() > 0
    none, years = changes_before(without_history(batch))
    assert none.shape == batch.source.shape and (none == 0).all() and years.isnan().all()


@pytest.mark.parametrize("row", ["history", "regression_history"])
class TestAModelToldTheHistory:
    def test_the_order_of_the_scans_does_not_count(self, row):
        model, batch = built(ROWS[row], shaken=0.05), pair()
        turned = replace(batch, history=batch.history.flip(1), history_years=batch.history_years.flip(1))
        torch.testing.assert_close(generated(model, batch), generated(model, turned), rtol=0, atol=5e-5)

    def test_a_scan_told_twice_counts_once(self, row):
        model, batch = built(ROWS[row], shaken=0.05), pair()
        once = replace(batch, history=batch.history[:, :1], history_years=batch.history_years[:, :1])
        twice = replace(
            once, history=once.history.repeat(1, 2, 1, 1, 1), history_years=once.history_years.repeat(1, 2)
        )
        torch.testing.assert_close(generated(model, once), generated(model, twice), rtol=0, atol=5e-5)

    def test_each_scan_says_something_of_its_own(self, row):
        model, batch = built(ROWS[row], shaken=0.05), pair()
        samples = [
            generated(
                model, replace(batch, history=batch.history[:, k], history_years=batch.history_years[:, k])
            )
            for k in (slice(0, 0), slice(0, 1), slice(1, 2), slice(0, 2))
        ]
        assert all(not torch.equal(a, b) for i, a in enumerate(samples) for b in samples[:i])


def test_the_columns_of_the_tables_are_read_side_by_side():
    rows = pd.DataFrame({"history": ["I2,I1", None], "history_years": ["1.0000,2.5000", None]})
    assert earlier_scans(rows) == [[("I2", 1.0), ("I1", 2.5)], []]
