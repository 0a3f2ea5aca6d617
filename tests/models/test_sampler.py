"""The sampler against a denoiser that is known exactly, and against the paper's numbers."""

import itertools
from functools import partial

import pytest
import torch

from brainlapse.errors import Refused
from brainlapse.models.diffusion import Settings, signal_shares
from brainlapse.models.sampler import SAMPLERS, path, sampled

SIGNAL = signal_shares(Settings(predict="epsilon", diffuse="image"))
MEAN, SD = 0.3, 0.5


def oracle(x, t, signal=SIGNAL):
    """E[x_0 | x_t] when x_0 is normal with MEAN and SD (Gaussian conditioning)."""
    a = signal[t]
    return MEAN + a.sqrt() * SD**2 / (a * SD**2 + 1 - a) * (x - a.sqrt() * MEAN)


def draw(sampler, steps, size=40_000):
    generator = torch.Generator().manual_seed(0)
    return sampled(oracle, lambda: torch.randn(size, generator=generator), SIGNAL, sampler, steps)


def test_the_signal_shares_are_the_papers():
    # Ho et al. 2020: T = 1000, beta from 1e-4 to 0.02; the products in closed form at both ends.
    assert SIGNAL[0] == pytest.approx(0.9999)
    assert SIGNAL[1] == pytest.approx(0.9999 * (1 - 1e-4 - 0.0199 / 999))
    assert SIGNAL[-1] == pytest.approx(4.036e-5, rel=1e-3)
    assert (SIGNAL.diff() < 0).all()


def test_where_the_clean_volume_is_predicted_pure_noise_holds_no_signal():
    ours = signal_shares(Settings())
    assert ours[-1] == 0 and torch.equal(ours[:-1], SIGNAL[:-1])


@pytest.mark.parametrize(("sampler", "steps"), [("ddim", 200), ("ddpm", 1000), ("dpm++", 50)])
def test_many_steps_give_the_right_distribution(sampler, steps):
    x = draw(sampler, steps)
    assert x.mean() == pytest.approx(MEAN, abs=0.015)
    assert x.std() == pytest.approx(SD, rel=0.03)
    standard = (x - x.mean()) / x.std()
    assert standard.pow(4).mean() == pytest.approx(3, abs=0.15)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_few_steps_leave_no_noise_behind(sampler):
    # The expected x_0 has no spread at all after one step, and never more than the truth.
    spreads = [draw(sampler, steps).std() for steps in (1, 4, 10)]
    assert spreads[0] < 0.01 and max(spreads) < SD


def test_one_step_is_the_answer_at_the_noisiest_timestep():
    noise = torch.randn(50, generator=torch.Generator().manual_seed(1))
    for sampler in SAMPLERS:
        assert torch.equal(sampled(oracle, lambda: noise, SIGNAL, sampler, 1), oracle(noise, 999))


def error_of(sampler, steps):
    """How far the samples are from where the exact flow of the same noise ends.

    On timesteps equally spaced in log(sqrt(a) / sqrt(1 - a)), from -5 to 7, so that
    the order is the method's and not the schedule's.
    """
    signal = (2 * torch.linspace(7, -5, 3201, dtype=torch.float64)).sigmoid()
    noise = torch.randn(2000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    # A normal x_t stays at its quantile: (x_t - sqrt(a) m) / sd(x_t) does not change along the flow.
    a = signal[-1]
    exact = MEAN + SD * (noise - a.sqrt() * MEAN) / (a * SD**2 + 1 - a).sqrt()
    return (
        (sampled(partial(oracle, signal=signal), lambda: noise, signal, sampler, steps) - exact)
        .abs()
        .max()
        .item()
    )


@pytest.mark.parametrize(("sampler", "order"), [("ddim", 1), ("dpm++", 2)])
def test_twice_the_steps_lessen_the_error_by_the_order(sampler, order):
    errors = [error_of(sampler, steps) for steps in (25, 50, 100)]
    ratios = [more / fewer for more, fewer in itertools.pairwise(errors)]
    assert ratios == pytest.approx([2**order] * 2, rel=0.25)


def test_second_order_is_nearer_with_as_many_calls():
    assert error_of("dpm++", 20) < error_of("ddim", 20) / 4


def test_a_step_from_pure_noise_is_ddims():
    # There lambda is -infinity. Three steps have one from noise, one after it and the last: all DDIM's.
    signal = SIGNAL.clone()
    signal[-1] = 0
    noise = torch.randn(50, generator=torch.Generator().manual_seed(1))

    def ended(sampler, steps):
        return sampled(partial(oracle, signal=signal), lambda: noise, signal, sampler, steps)

    assert torch.equal(ended("dpm++", 3), ended("ddim", 3))
    assert torch.isfinite(ended("dpm++", 20)).all()
    assert not torch.allclose(ended("dpm++", 4), ended("ddim", 4), atol=1e-4)


def test_more_steps_than_timesteps_are_refused():
    with pytest.raises(Refused, match=r"sampling.steps: 1001 is more than the 1000 timesteps"):
        sampled(oracle, lambda: torch.zeros(1), SIGNAL, "ddim", 1001)


@pytest.mark.parametrize("steps", [1, 2, 7, 10, 50, 999, 1000])
def test_a_path_visits_each_timestep_once_from_the_noisiest_down(steps):
    times = path(1000, steps)
    assert len(times) == steps and times[0] == 999 and times[-1] >= 0
    assert all(now > after for now, after in itertools.pairwise(times))
