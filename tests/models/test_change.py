"""The usual change: fitted to pairs, taken off before learning, put back after."""

from dataclasses import replace

import pytest
import torch
from monai.networks.layers import GaussianFilter

from brainlapse.models.batch import Batch
from brainlapse.models.change import STARTS, UsualChange
from brainlapse.models.pace import along

SHAPE = (20, 24, 22)


def people(count, change_a_year, years, noise=0.0, seed=0):
    """Brains of random brightness that all change alike; the first two planes are background."""
    generator = torch.Generator().manual_seed(seed)
    source = 0.3 * torch.randn(count, 1, *SHAPE, generator=generator).clamp(-1, 1)
    source[:, :, :2] = -1.0
    scatter = noise * torch.randn(source.shape, generator=generator)
    changed = source + years[:, None, None, None, None] * change_a_year + scatter
    return Batch(source, years, torch.where(source > -1, changed, -1.0))


def fitted(batch, conditions=("source", "interval"), start="usual"):
    usual = UsualChange(SHAPE, conditions, start)
    usual.fit([one_of(batch, index) for index in range(len(batch.source))])
    return usual


def one_of(batch, index):
    facts = {name: of_all[index:][:1] for name, of_all in batch.facts.items()}
    volumes = (each[index:][:1] for each in (batch.source, batch.interval_years, batch.target))
    return Batch(*volumes, facts=facts)


def growing(count=400):
    return people(count, 0.02, torch.linspace(0.5, 6, count), noise=0.05)


def test_a_change_that_all_share_is_found_and_nothing_but_scatter_is_left():
    usual = fitted(growing())
    # Away from the edges, where the smoothing mixes in the still background.
    *displacement, brightness = usual.mean[0, :, 4:-2, 2:-2, 2:-2]
    torch.testing.assert_close(brightness, torch.full_like(brightness, 0.02), rtol=0, atol=3e-3)
    assert torch.stack(displacement).abs().max() < 0.01
    assert usual.sd == pytest.approx(0.05, rel=0.02)


def test_more_years_are_more_change_unless_the_interval_is_not_told():
    batch = growing()
    for by_interval in (True, False):
        usual = fitted(batch, ("source", "interval") if by_interval else ("source",))
        one, four = (Batch(batch.source[:1], torch.tensor([years])) for years in (1.0, 4.0))
        ratio = ((usual.expected(four) - four.source) / (usual.expected(one) - one.source))[:, :, 4:]
        torch.testing.assert_close(ratio.mean(), torch.tensor(4.0 if by_interval else 1.0), rtol=1e-3, atol=0)


def test_a_single_pair_is_hardly_believed():
    batch = people(1, 0.3, torch.tensor([1.0]))
    usual = fitted(batch)
    assert usual.mean[:, 3:].abs().max() < 0.3 / 10
    smooth = replace(batch, source=GaussianFilter(3, 1.0)(batch.source))
    smooth = replace(smooth, target=smooth.source + 0.3)
    usual = fitted(smooth)
    believed = (usual.expected(smooth) - smooth.source)[:, :, 5:-2, 2:-2, 2:-2]  # away from the edges
    assert believed.abs().max() < 0.3 / 10


def test_from_the_source_nothing_is_taken_off_and_the_unit_is_the_change_itself():
    batch = growing()
    usual = fitted(batch, start="source")
    assert torch.equal(usual.expected(batch), batch.source)
    rms = (batch.target - batch.source)[batch.brain].square().mean().sqrt()
    assert usual.sd == pytest.approx(rms.item(), rel=0.02) and usual.sd > 1.3 * fitted(batch).sd


@pytest.mark.parametrize("start", STARTS)
def test_taking_off_and_putting_back_gives_the_target(start):
    batch = growing(40)
    usual = fitted(batch, start=start)
    back = usual.followup(batch, usual.standardised(batch))
    torch.testing.assert_close(back, batch.target.clamp(-1, 1), rtol=0, atol=1e-5)


def test_what_is_cut_to_the_range_gives_a_follow_up_that_needs_no_cutting():
    batch = growing(4)
    usual = fitted(batch)
    wild = 1000 * torch.randn(batch.source.shape, generator=torch.Generator().manual_seed(1))
    cut = usual.within_range(batch, wild)
    uncut = torch.where(batch.brain, usual.expected(batch) + usual.sd * cut, -1.0)
    torch.testing.assert_close(usual.followup(batch, wild), uncut, rtol=0, atol=1e-5)


def test_people_of_known_paces_are_foretold_theirs_and_others_the_average():
    diagnosis = (torch.arange(60) % 3).float()
    batch = paced(diagnosis, torch.linspace(1, 5, 60))
    usual = fitted(batch, ("source", "interval", "diagnosis"), "paced")
    paces = usual.pace(batch, usual.of_a_year(batch))
    for stage, expected in enumerate((0.5, 1.0, 1.5)):
        torch.testing.assert_close(paces[diagnosis == stage].mean(), torch.tensor(expected), rtol=0, atol=0.1)
    unknown = Batch(batch.source, batch.interval_years, facts={"diagnosis": torch.full((60,), torch.nan)})
    assert (usual.pace(unknown, usual.of_a_year(unknown)) - 1).abs().mean() < 0.1
    assert usual.sd < 0.7 * fitted(batch).sd


def test_who_has_gone_far_along_the_change_is_foretold_to_go_on_faster():
    torch.manual_seed(0)
    gone = torch.rand(80) * 4
    batch = paced(2 * gone / 4, torch.linspace(1, 5, 80), gone)
    usual = fitted(batch, start="paced")
    found = torch.corrcoef(torch.stack([usual.pace(batch, usual.of_a_year(batch)), 0.5 + gone / 4]))[0, 1]
    assert found > 0.8


def test_paces_are_drawn_as_far_from_the_foretold_as_peoples_are():
    """Where nothing that is told says at which of three paces a person goes."""
    stage = torch.randint(3, (120,), generator=torch.Generator().manual_seed(0)).float()
    people, weights = paced(stage, torch.linspace(1, 5, 120)), torch.linspace(1, 5, 120).square()
    usual = fitted(people, start="paced")
    foretold, went = usual.pace(people, usual.of_a_year(people)), 0.5 + 0.5 * stage
    went = went / torch.sum(weights * went) * weights.sum()  # 1 is the average of what was fitted to
    off = torch.sum(weights * (went - foretold).square()) / weights.sum()
    torch.testing.assert_close(usual.pace.spread, off.sqrt(), rtol=0.05, atol=0)
    chance = torch.randn(120, generator=torch.Generator().manual_seed(1))
    change = usual.expected(people, chance) - people.source
    drawn = along(change, people, usual.of_a_year(people)) / people.interval_years
    torch.testing.assert_close(drawn, foretold + usual.pace.spread * chance, rtol=0, atol=1e-3)


def paced(stage, years, gone=None):
    """Brains that change alike, 0.5, 1 or 1.5 times as fast at stages 0 to 2, after `gone` years of it."""
    still = people(len(stage), 0.0, years)
    pattern = torch.linspace(-0.08, 0.08, SHAPE[2]).expand(SHAPE)

    def after(times):
        return torch.where(still.brain, still.source + times[:, None, None, None, None] * pattern, -1.0)

    before = torch.zeros_like(years) if gone is None else gone
    source, target = after(before), after(before + (0.5 + 0.5 * stage) * years)
    return Batch(source, years, target, facts={"diagnosis": stage})
