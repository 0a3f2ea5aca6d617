"""The noise schedules against their papers' formulas, and what stands in a noisy volume told three ways."""

import math

import pytest
import torch

from brainlapse.models.noising import clean_from, cosine_shares, linear_shares, noised, to_say


@pytest.mark.parametrize("shares", [linear_shares(1000, (1e-4, 0.02)), cosine_shares(250), cosine_shares(4)])
def test_the_share_of_signal_falls_and_never_quite_ends(shares):
    assert (shares.diff() < 0).all() and 0 < shares[-1] < shares[0] < 1


def test_the_cosine_is_nichol_and_dhariwals():
    # Eq. 17: at step t of T (the first is 1) f(t / T) / f(0), until the cut at beta 0.999 bites.
    def f(part):
        return math.cos((part + 0.008) / 1.008 * math.pi / 2) ** 2

    shares = cosine_shares(250)
    for t in (0, 100, 248):
        assert shares[t] == pytest.approx(f((t + 1) / 250) / f(0), rel=1e-5)
    assert shares[-1] / shares[-2] == pytest.approx(1 - 0.999, rel=1e-4)
    assert shares[124] == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("predict", ["epsilon", "v", "x0"])
@pytest.mark.parametrize("a", [0.999, 0.5, 1e-4])
def test_the_right_answer_leads_back_to_the_clean_volume(predict, a):
    generator = torch.Generator().manual_seed(0)
    clean, noise = torch.randn(2, 100, generator=generator, dtype=torch.float64)
    a = torch.tensor(a, dtype=torch.float64)
    noisy = noised(clean, noise, a)
    torch.testing.assert_close(clean_from(predict, to_say(predict, clean, noise, a), noisy, a), clean)


def test_v_tells_the_volume_even_where_no_signal_is_left():
    clean, noise = torch.tensor([0.5]), torch.tensor([-1.0])
    a = torch.tensor(0.0)
    assert clean_from("v", to_say("v", clean, noise, a), noised(clean, noise, a), a) == clean


def test_noising_keeps_unit_variance():
    generator = torch.Generator().manual_seed(0)
    clean, noise = torch.randn(2, 50_000, generator=generator)
    assert noised(clean, noise, torch.tensor(0.3)).std() == pytest.approx(1, abs=0.02)
