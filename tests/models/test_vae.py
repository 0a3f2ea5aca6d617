"""The variational autoencoder: z is what the source does not tell, read while learning, drawn afterwards."""

from dataclasses import replace

import pytest
import torch
from torch.distributions import Normal, kl_divergence
from torch.utils.flop_counter import FlopCounterMode

from brainlapse.errors import Refused
from brainlapse.models import Batch
from brainlapse.models.settings import settings_from
from brainlapse.models.vae import VAE, divergence

SHAPE = (8, 12, 8)
NETWORK = {"patch": 2, "channels": [8, 16], "attention_levels": []}


def vae(shaken=0.0, **settings):
    torch.manual_seed(0)
    model = VAE(settings_from(VAE.Settings, {"network": NETWORK, "latent": 4, **settings}), SHAPE)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += shaken * torch.randn_like(parameter)
    return model


def people(count=2):
    """Brains with two planes of background; half of them grow darker and half brighter, nobody knows why."""
    source = torch.full((count, 1, *SHAPE), 0.2)
    source[:, :, :2] = -1.0
    step = torch.where(torch.arange(count) % 2 == 0, 0.4, -0.4)[:, None, None, None, None]
    return Batch(source, torch.full((count,), 2.0), torch.where(source > -1, source + step, -1.0))


def read(model, batch):
    """Mean and logarithm of the variance of the z that the encoder finds."""
    return model.encoder(model.generator.change(batch, batch.target), batch)


def samples(model, batch, noise):
    with torch.no_grad():
        return model.generate(batch, lambda: noise, model.Sampling())


def noise_of(batch, seed=0):
    return torch.randn(batch.source.shape, generator=torch.Generator().manual_seed(seed))


def test_the_divergence_is_that_of_normal_distributions_and_zero_at_the_prior():
    mean, log_variance = torch.randn(2, 5, 3)
    closed = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum(dim=1)
    torch.testing.assert_close(divergence(mean, log_variance), closed)
    assert (divergence(torch.zeros(5, 3), torch.zeros(5, 3)) == 0).all()


def test_before_it_learns_the_encoder_says_the_prior():
    mean, log_variance = read(vae(), people())
    assert mean.shape == log_variance.shape == (2, 4)
    assert (divergence(mean, log_variance) == 0).all()


def test_the_divergence_weighs_beta_over_the_voxels_of_the_brain():
    batch, losses = people(), []
    for beta in (0.0, 3.0):
        model = vae(shaken=0.1, beta=beta)
        torch.manual_seed(1)
        losses.append(model.loss(batch, "network"))
    nats = divergence(*read(model, batch)).sum()
    torch.testing.assert_close(losses[1] - losses[0], 3.0 * nats / batch.brain.sum())


def test_the_encoder_sees_the_target_the_source_and_the_interval_but_not_outside_the_brain():
    model, batch = vae(shaken=0.1), people()
    said = read(model, batch)[0]
    darker = torch.where(batch.brain, batch.source - 0.1, -1.0)
    for other in ({"target": batch.target * 0.9}, {"source": darker}, {"interval_years": torch.ones(2)}):
        assert not torch.allclose(read(model, replace(batch, **other))[0], said)
    around = replace(batch, target=torch.where(batch.brain, batch.target, 0.7))
    assert torch.equal(read(model, around)[0], said)


def test_another_z_is_another_sample_and_the_same_noise_the_same():
    model, batch = vae(shaken=0.1), people()
    noise = noise_of(batch)
    assert torch.equal(samples(model, batch, noise), samples(model, batch, noise))
    assert not torch.allclose(samples(model, batch, noise), samples(model, batch, noise_of(batch, 1)))


def test_z_are_the_first_numbers_of_the_noise():
    model, batch = vae(shaken=0.1), people()
    noise = noise_of(batch)
    flat = noise.flatten(1)
    after = torch.cat([flat[:, :4], torch.randn_like(flat[:, 4:])], dim=1).reshape(noise.shape)
    within = torch.cat([flat[:, :3], flat[:, 3:4] + 1, flat[:, 4:]], dim=1).reshape(noise.shape)
    assert torch.equal(samples(model, batch, noise), samples(model, batch, after))
    assert not torch.allclose(samples(model, batch, noise), samples(model, batch, within))


@pytest.mark.parametrize("predict", ["image", "change"])
def test_z_learns_to_carry_what_the_source_does_not_tell(predict):
    model, batch = vae(predict=predict), people(2)
    model.calibrate([batch])
    adam = torch.optim.Adam(model.players()["network"], lr=2e-3)
    for step in range(200):
        torch.manual_seed(step)
        adam.zero_grad()
        model.loss(batch, "network").backward()
        adam.step()
    with torch.no_grad():
        made = model.generator(batch, read(model, batch)[0])
    # Whoever is not told z can but say the source, which is 0.4 away from everybody's follow-up.
    assert (made - batch.target)[batch.brain].abs().mean() < 0.1
    # A z that is drawn tells some people to grow darker and others brighter.
    one = people(1)
    drawn = torch.stack(
        [(samples(model, one, noise_of(one, k)) - one.source)[one.brain].mean() for k in range(16)]
    )
    assert drawn.min() < -0.2 and drawn.max() > 0.2


def test_the_encoder_costs_little_beside_the_unet():
    shape = (32, 32, 32)
    model = VAE(
        settings_from(VAE.Settings, {"network": {"channels": [16, 32], "attention_levels": []}}), shape
    )
    source = torch.zeros(1, 1, *shape)
    batch = Batch(source, torch.ones(1), source)
    flops = {}
    for name, call in {
        "encoder": lambda: read(model, batch),
        "unet": lambda: model.generator(batch, torch.zeros(1, 64)),
    }.items():
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            call()
        flops[name] = counter.get_total_flops()
    assert 0 < flops["encoder"] < 0.15 * flops["unet"]


def test_a_z_longer_than_the_noise_is_refused():
    with pytest.raises(Refused, match=r"latent: 769 numbers are more than the 768 voxels"):
        vae(latent=769)
