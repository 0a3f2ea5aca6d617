"""Med-DDPM: the published size, what its network hears, and that loss and samplers agree."""

import math

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from brainlapse.errors import Refused
from brainlapse.models import Batch
from brainlapse.models.guided_unet import GuidedNetworkSettings, GuidedUNet, OneHead
from brainlapse.models.med_ddpm import MedDDPM, Sampling, Settings
from brainlapse.models.noising import cosine_shares
from brainlapse.models.unet import TIMESTEPS

SHAPE = (8, 8, 8)
SMALL = GuidedNetworkSettings(patch=2, channels=(8, 16), attention_levels=(1,))


@pytest.mark.parametrize(
    ("network", "parameters_million", "tera_flop"),
    [
        ({}, 40.2, 6.92),
        ({"blocks": 2}, 58.3, 10.5),
        ({"channels": (32, 32, 64, 96, 128)}, 10.1, 1.75),
    ],
)
def test_the_network_has_the_size_of_the_published_one(network, parameters_million, tera_flop):
    # Counted on the authors' network, told of an image, a condition and the timestep, on the study's grid.
    shape = (128, 160, 128)
    with torch.device("meta"):
        settings = GuidedNetworkSettings(**network)
        unet = GuidedUNet(settings, shape, ("noisy", "source"), {"timestep": TIMESTEPS})
        images = dict.fromkeys(("noisy", "source"), torch.empty(1, 1, *shape))
        with FlopCounterMode(display=False) as counted, torch.no_grad():
            unet(images, {"timestep": torch.empty(1)})
    parameters = sum(parameter.numel() for parameter in unet.parameters())
    assert parameters / 1e6 == pytest.approx(parameters_million, rel=5e-3)
    assert counted.get_total_flops() / 1e12 == pytest.approx(tera_flop, rel=5e-3)


@pytest.mark.parametrize("settings", [SMALL, GuidedNetworkSettings(1, (8, 8, 16), 2, ())])
def test_the_network_gives_a_volume_and_every_skip_is_used(settings):
    torch.manual_seed(0)
    unet = GuidedUNet(settings, SHAPE, ("noisy",), {"timestep": TIMESTEPS})
    with torch.no_grad():
        for parameter in unet.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    said = unet({"noisy": torch.randn(2, 1, *SHAPE)}, {"timestep": torch.tensor([3.0, 200.0])})
    assert said.shape == (2, 1, *SHAPE)
    said.square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in unet.parameters())


def test_attention_is_softmax_over_all_places_with_one_head():
    torch.manual_seed(0)
    attention = OneHead(64)
    torch.nn.init.normal_(attention.answer.weight, std=0.1)
    x = torch.randn(2, 64, 2, 3, 2)
    query, key, value = attention.look(attention.norm(x)).flatten(2).chunk(3, dim=1)
    weights = torch.softmax(torch.einsum("bci,bcj->bij", query, key) / 64**0.5, dim=2)
    seen = torch.einsum("bij,bcj->bci", weights, value).reshape(x.shape)
    torch.testing.assert_close(attention(x), x + attention.answer(seen), rtol=1e-4, atol=1e-5)


def test_a_grid_that_does_not_fit_is_refused_with_the_nearest_that_do():
    with pytest.raises(Refused, match=r"multiple of 16.*\[128, 160, 128\]"):
        MedDDPM(Settings(), (130, 160, 128))


def test_history_is_refused():
    with pytest.raises(Refused, match="conditions: med_ddpm is told of one scan"):
        Settings(conditions=("source", "history"))


class Oracle(torch.nn.Module):
    """A network that knows the target, and so which noise stands in x_t."""

    def __init__(self, target, signal):
        super().__init__()
        self.target, self.signal = target, signal

    def forward(self, images, numbers):
        a = self.signal[numbers["timestep"]][:, None, None, None, None]
        return (images["noisy"] - a.sqrt() * self.target) / (1 - a).sqrt()


def test_the_loss_and_every_sampler_agree_on_what_the_network_says():
    generator = torch.Generator().manual_seed(0)
    source = torch.full((3, 1, *SHAPE), -1.0)
    source[..., 1:7, 1:7, 1:7] = torch.rand(3, 1, 6, 6, 6, generator=generator) - 0.5
    target = torch.where(source > -1, source * 0.8 - 0.1, -1.0)
    batch = Batch(source, torch.full((3,), 2.0), target)
    model = MedDDPM(Settings(network=SMALL), SHAPE)
    torch.manual_seed(0)
    assert model.loss(batch, "network").item() == pytest.approx(
        (2 / math.pi) ** 0.5, rel=0.1
    )  # E|noise|: it says 0
    model.network = Oracle(target, model.signal)
    assert model.loss(batch, "network") < 1e-3
    for sampler, steps in (("ddpm", 250), ("ddim", 5), ("dpm++", 5)):
        sample = model.generate(
            batch, lambda: torch.randn(source.shape, generator=generator), Sampling(sampler, steps)
        )
        torch.testing.assert_close(sample, target, rtol=0, atol=1e-4)


def test_the_published_way_is_all_of_250_steps_on_a_cosine_schedule():
    assert (Sampling().sampler, Sampling().steps) == ("ddpm", Settings().timesteps)
    model = MedDDPM(Settings(network=SMALL, timesteps=10), SHAPE)
    assert torch.equal(model.signal, cosine_shares(10))
    empty = Batch(torch.zeros(1, 1, *SHAPE), torch.ones(1))
    with pytest.raises(Refused, match=r"sampling.steps: 250 is more than the 10 timesteps"):
        model.generate(empty, lambda: torch.zeros(1, 1, *SHAPE), Sampling())
