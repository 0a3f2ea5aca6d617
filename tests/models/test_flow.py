"""Rectified flow: the walk along a known velocity, and what the start promises."""

import itertools
import math

import pytest
import torch

from brainlapse.errors import Refused
from brainlapse.models import Batch
from brainlapse.models.change import in_brain
from brainlapse.models.flow import SAMPLERS, Flow, Sampling, Settings, followed
from brainlapse.models.unet import NetworkSettings

SHAPE = (8, 8, 8)
NETWORK = NetworkSettings(patch=2, channels=(8, 16), attention_levels=(1,))


def pairs(count=4):
    """Brains that darken by 0.1 a year, more or less, in a box of the grid."""
    generator = torch.Generator().manual_seed(0)
    source = torch.full((count, 1, *SHAPE), -1.0)
    source[..., 1:7, 1:7, 1:7] = 0.4 + 0.05 * torch.randn(count, 1, 6, 6, 6, generator=generator)
    years = torch.linspace(1, 4, count)
    rate = 0.1 + 0.02 * torch.randn(count, generator=generator)
    target = source - (rate * years)[:, None, None, None, None]
    return Batch(source, years, in_brain(target, source > -1))


def flow(shaken=0.0, **settings):
    torch.manual_seed(0)
    model = Flow(Settings(network=NETWORK, **settings), SHAPE)
    model.calibrate([pairs()])
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += shaken * torch.randn_like(parameter)
    return model


def drawn(model, batch, seed, **sampling):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        return model.generate(
            batch, lambda: torch.randn(batch.source.shape, generator=generator), Sampling(**sampling)
        )


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_straight_path_ends_where_it_should_in_any_number_of_steps(sampler):
    start, end = torch.randn(2, 30, generator=torch.Generator().manual_seed(0))
    for steps in (1, 2, 7):
        torch.testing.assert_close(followed(lambda z, t: end - start, start, sampler, steps), end)


@pytest.mark.parametrize(("sampler", "order"), [("euler", 1), ("heun", 2)])
def test_twice_the_steps_lessen_the_error_by_the_order(sampler, order):
    # dz/dt = z cos(4 t) ends at exp(sin(4) / 4).
    start, end = torch.ones(1, dtype=torch.float64), math.exp(math.sin(4) / 4)
    errors = [
        abs(followed(lambda z, t: z * math.cos(4 * t), start, sampler, steps).item() - end)
        for steps in (40, 80, 160)
    ]
    ratios = [more / fewer for more, fewer in itertools.pairwise(errors)]
    assert ratios == pytest.approx([2**order] * 2, rel=0.15)


@pytest.mark.parametrize(("sampler", "calls"), [("euler", [0, 0.5]), ("heun", [0, 0.5, 0.5, 1])])
def test_the_velocity_is_asked_at_equal_times(sampler, calls):
    asked = []
    followed(lambda z, t: asked.append(t) or z, torch.ones(1), sampler, 2)
    assert asked == calls


def test_a_network_that_says_nothing_stays_at_the_start():
    batch = pairs()
    from_source, from_usual = flow(start="source"), flow(start="usual")
    assert torch.equal(drawn(from_source, batch, 0, steps=3), batch.source)
    usual = drawn(from_usual, batch, 0, steps=3)
    torch.testing.assert_close(usual, in_brain(from_usual.usual.expected(batch), batch.brain))
    assert (usual - batch.target).abs().mean() < 0.5 * (batch.source - batch.target).abs().mean()


def test_without_noise_a_request_has_one_answer_and_with_noise_many():
    batch = pairs()
    certain, uncertain = flow(shaken=0.05), flow(shaken=0.05, noise=1.0)
    assert torch.equal(drawn(certain, batch, 0), drawn(certain, batch, 1))
    assert torch.equal(drawn(uncertain, batch, 0), drawn(uncertain, batch, 0))
    assert not torch.equal(drawn(uncertain, batch, 0), drawn(uncertain, batch, 1))


class Oracle(torch.nn.Module):
    """A network that knows the change, and so the velocity with which z gets there by t = 1."""

    def __init__(self, change):
        super().__init__()
        self.change = change

    def forward(self, images, numbers, history):
        left = 1 - numbers["time"][:, None, None, None, None] / 1000
        return (self.change - images["so_far"]) / left


@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_the_loss_and_the_sampler_agree_on_what_the_network_says(noise):
    model, batch = flow(noise=noise), pairs()
    model.network = Oracle(model.usual.standardised(batch))
    torch.manual_seed(0)
    assert model.loss(batch, "network") < 1e-5
    for steps in (1, 5):
        torch.testing.assert_close(drawn(model, batch, 0, steps=steps), batch.target, rtol=0, atol=1e-5)


@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_what_is_learnt_is_the_follow_up(noise):
    model, batch = flow(noise=noise), pairs()
    adam = torch.optim.Adam(model.parameters(), lr=3e-3)
    for step in range(80):
        torch.manual_seed(step)
        adam.zero_grad()
        model.loss(batch, "network").backward()
        adam.step()
    copied = (batch.source - batch.target).abs().mean()
    for sampling in ({"steps": 1}, {"steps": 4}, {"steps": 2, "sampler": "heun"}):
        samples = torch.stack([drawn(model, batch, seed, **sampling) for seed in range(4)])
        assert (samples.mean(dim=0) - batch.target).abs().mean() < 0.35 * copied


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"start": "target"}, "start: must be one of source, usual, paced"),
        ({"noise": -1}, "noise: must be a number of at least 0"),
        ({"conditions": ("interval",)}, "conditions: flow starts from the source"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(wrong, message):
    with pytest.raises(Refused, match=message):
        Settings(**wrong)


def test_a_sampler_of_diffusion_is_refused():
    with pytest.raises(Refused, match=r"sampling.sampler: must be one of euler, heun"):
        Sampling(sampler="ddim")
