"""The adversarial network: two players, each with its own loss, and only one that is asked afterwards."""

from dataclasses import replace

import pytest
import torch
from test_vae import noise_of, samples

from brainlapse.models import Batch
from brainlapse.models.change import brain_mean
from brainlapse.models.gan import GAN
from brainlapse.models.settings import settings_from

# No level of it is 2 deep: there, on a CPU, torch 2.13 gets the bfloat16 gradient of a 3D convolution's
# weights partly from memory that nobody wrote.
SHAPE = (20, 8, 4)
NETWORK = {"patch": 2, "channels": [8, 16], "attention_levels": []}


def gan(shaken=0.0, **settings):
    torch.manual_seed(0)
    model = GAN(settings_from(GAN.Settings, {"network": NETWORK, "latent": 4, **settings}), SHAPE)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += shaken * torch.randn_like(parameter)
    return model


def people(count=4, seed=0):
    """Brains of random brightness, two planes of background; all grow darker, and the scanner adds noise."""
    generator = torch.Generator().manual_seed(seed)
    brightness = 0.3 + 0.2 * torch.rand(count, 1, 1, 1, 1, generator=generator)
    source = brightness.expand(count, 1, *SHAPE).clone()
    source[:, :, :2] = -1.0
    target = source - 0.8 + 0.1 * torch.randn(source.shape, generator=generator).clamp(-2, 2)
    return Batch(source, torch.full((count,), 2.0), torch.where(source > -1, target, -1.0))


def judged(model, followup, batch):
    """The discriminator's logits."""
    return model.discriminator(model.generator.change(batch, followup), batch)


def loss(model, batch, player, seed=0):
    torch.manual_seed(seed)
    return model.loss(batch, player)


def made_from(model, batch):
    with torch.no_grad():
        return model.generator(batch, torch.randn(len(batch.source), 4))


def trained(model, steps, *players):
    """The model after its players took turns on fresh people at every step."""
    adams = {name: torch.optim.Adam(model.players()[name], lr=1e-3, betas=(0.5, 0.999)) for name in players}
    for step in range(steps):
        for player, adam in adams.items():
            adam.zero_grad()
            loss(model, people(seed=step), player, step).backward()
            adam.step()
    return model


def test_the_discriminator_learns_to_tell_what_is_smoother_than_real():
    model, new = gan(predict="change"), people(32, seed=10_000)
    # An untrained generator says what usually happens, which is right but for the scanner's noise.
    model.generator.usual.mean[:, 3:].fill_(-0.4)  # of brightness
    model.generator.usual.sd.fill_(0.1)
    trained(model, 40, "discriminator")
    with torch.no_grad():
        real, false = (
            judged(model, one, new).mean(dim=(1, 2, 3, 4)) for one in (new.target, made_from(model, new))
        )
    assert (real > 0).float().mean() > 0.9 and (false < 0).float().mean() > 0.9


def test_the_generator_learns_while_they_take_turns():
    model, new = gan(), people(32, seed=10_000)
    model.calibrate([new])
    before = brain_mean((made_from(model, new) - new.target).abs(), new.brain)
    trained(model, 60, "discriminator", "generator")
    # The noise of the target, 0.1 · sqrt(2/π) = 0.08, nobody can foretell.
    assert before > 0.3 and brain_mean((made_from(model, new) - new.target).abs(), new.brain) < 0.16


def test_the_sample_does_not_ask_the_discriminator():
    model, batch = gan(shaken=0.1), people()
    before = samples(model, batch, noise_of(batch))
    with torch.no_grad():
        for parameter in model.players()["discriminator"]:
            parameter.zero_()
    assert torch.equal(samples(model, batch, noise_of(batch)), before)


def test_draws_differ_and_the_same_noise_is_the_same_draw():
    model, batch = gan(shaken=0.1), people()
    draw = samples(model, batch, noise_of(batch))
    assert torch.equal(samples(model, batch, noise_of(batch)), draw)
    assert not torch.allclose(samples(model, batch, noise_of(batch, 1)), draw)


def test_the_generator_is_told_what_the_discriminator_says():
    model, batch = gan(shaken=0.1, l1=0), people()
    loss(model, batch, "generator").backward()
    assert all(p.grad.abs().sum() > 0 for p in model.players()["generator"])
    assert all(p.requires_grad and p.grad is None for p in model.players()["discriminator"])


def test_a_generator_that_is_believed_pays_its_error_alone():
    model, batch = gan(shaken=0.1, l1=7), people()
    with torch.no_grad():
        for parameter in model.discriminator.last.parameters():
            parameter.fill_(0)
        model.discriminator.last[-1].bias.fill_(50.0)
    paid = loss(model, batch, "generator")
    torch.manual_seed(0)
    error = brain_mean((made_from(model, batch) - batch.target).abs(), batch.brain)
    torch.testing.assert_close(paid, 7 * error)


def test_the_penalty_is_the_squared_slope_of_the_mean_logit_at_the_real_change():
    batch, losses = people(1), []
    for r1 in (0.0, 0.5):
        model = gan(shaken=0.1, r1=r1)
        model.generator.usual.sd.fill_(0.3)
        losses.append(loss(model, batch, "discriminator"))
    model.double()
    batch = replace(batch, source=batch.source.double(), target=batch.target.double())
    change = model.generator.change(batch, batch.target).requires_grad_()
    model.discriminator(change, batch).mean().backward()
    slope = torch.where(batch.brain, change.grad, 0.0)
    # A walk along the slope: a difference quotient, which no differentiation can get wrong.
    step = 1e-3 * slope / slope.norm()
    with torch.no_grad():
        ahead, behind = (model.discriminator(change + way * step, batch).mean() for way in (1, -1))
    steepness = ((ahead - behind) / 2e-3).item()
    assert steepness > 0
    penalty = 0.5 / 2 * batch.brain.sum().item() * steepness**2
    assert (losses[1] - losses[0]).item() == pytest.approx(penalty, rel=1e-2)


def test_the_discriminator_sees_source_and_interval_but_not_outside_the_brain():
    model, batch = gan(shaken=0.1), people()
    with torch.no_grad():
        said = judged(model, batch.target, batch)
        darker = torch.where(batch.brain, batch.source - 0.1, -1.0)
        for other in ({"source": darker}, {"interval_years": torch.ones(4)}):
            assert not torch.allclose(judged(model, batch.target, replace(batch, **other)), said)
    around = replace(batch, target=torch.where(batch.brain, batch.target, 0.7))
    assert torch.equal(loss(model, around, "discriminator"), loss(model, batch, "discriminator"))


def test_what_it_says_of_one_followup_does_not_depend_on_the_others():
    model, batch = gan(shaken=0.1), people()
    with torch.no_grad():
        together = judged(model, batch.target, batch)
        alone = judged(model, batch.target[:1], Batch(batch.source[:1], batch.interval_years[:1]))
    torch.testing.assert_close(alone, together[:1], rtol=0, atol=1e-5)


@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_bf16_is_near_fp32(player):
    model, batch = gan(shaken=0.02), people()
    exact = loss(model, batch, player)
    with torch.autocast("cpu", torch.bfloat16):
        rough = loss(model, batch, player)
    rough.backward()
    assert all(torch.isfinite(p.grad).all() for p in model.players()[player])
    torch.testing.assert_close(rough, exact, rtol=0.03, atol=0)
