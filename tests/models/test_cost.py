"""What is counted is what happens: against the same models run for real, small."""

import resource

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from brainlapse.models import FAMILIES, Batch
from brainlapse.models.cost import Convolution, cost_of, sample_cost
from brainlapse.models.stored import Recipe

SHAPE = (16, 20, 16)
NETWORK = {"patch": 2, "channels": [8, 16], "attention_levels": []}


# Torch counts attention on a GPU only. Two products of N x N x c forward; backward does one again, and four.
ATTENTION = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: lambda q, *_, **__: 4 * _products(q),
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: lambda g, q, *_, **__: (
        10 * _products(q)
    ),
}


def _products(shape):
    batch, heads, places, channels = shape
    return batch * heads * places**2 * channels


def recipe_of(family="diffusion", shape=SHAPE, **row):
    if family != "average":
        row = {"network": NETWORK} | row
    return Recipe.read({"seed": 0, "grid": {"shape": list(shape)}, "family": family, **row})


def real_pair(batch):
    """Brains that fill the volume, so that no loss is empty."""
    facts = {name: torch.zeros(batch) for name in ("age", "sex", "diagnosis")}
    volume = torch.zeros(batch, 1, *SHAPE)
    return Batch(volume, torch.ones(batch), volume + 0.1, facts)


def counted_for_real(recipe, batch):
    """FLOPs forward and of the step, by torch's own counter, and the bytes that are saved between."""
    model, forward, step, most = recipe.build(), 0, 0, 0
    own = {tensor.untyped_storage()._cdata for tensor in (*model.parameters(), *model.buffers())}
    pairs = real_pair(batch)
    given = {pairs.source.untyped_storage()._cdata, pairs.target.untyped_storage()._cdata}
    for player in model.players():
        saved = {}

        def keep(tensor, saved=saved):
            storage = tensor.untyped_storage()
            if storage._cdata not in own | given:
                saved[storage._cdata] = storage.nbytes()
            return tensor

        with FlopCounterMode(display=False, custom_mapping=ATTENTION) as counter:
            with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
                loss = model.loss(pairs, player)
            forward += counter.get_total_flops()
            most = max(most, sum(saved.values()))
            loss.backward()
        step += counter.get_total_flops()
    return forward, step, most


@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "average"])
def test_every_family_costs_what_it_does(family):
    recipe = recipe_of(family)
    forward, step, saved = counted_for_real(recipe, 2)
    cost = cost_of(recipe, 2)
    assert cost.parameters == sum(parameter.numel() for parameter in recipe.build().parameters())
    assert (cost.forward_flops, cost.step_flops) == (forward, step)
    assert step > 1.9 * forward > 0
    assert cost.activation_bytes == pytest.approx(saved, rel=0.01)
    assert cost.peak_bytes >= cost.activation_bytes


def test_a_family_that_learns_nothing_costs_nothing():
    cost = cost_of(recipe_of("average"), 1)
    assert (cost.parameters, cost.step_flops, cost.activation_bytes, cost.dearest) == (0, 0, 0, None)


def test_the_cost_grows_with_the_batch_and_half_precision_keeps_about_half():
    recipe = recipe_of()
    one, three = cost_of(recipe, 1), cost_of(recipe, 3)
    numbers = 10_000  # linear layers on the timestep, which do not grow with the volume
    assert three.step_flops == pytest.approx(3 * one.step_flops, abs=100 * numbers)
    assert three.activation_bytes == pytest.approx(3 * one.activation_bytes, rel=0.05)
    half = cost_of(recipe_of(predict="x0"), 3, "bf16").activation_bytes
    assert 0.45 < half / cost_of(recipe_of(predict="x0"), 3).activation_bytes < 0.75


def test_recomputing_keeps_less_and_computes_more():
    recipe = recipe_of()
    plain, again = cost_of(recipe, 2), cost_of(recipe, 2, recompute=True)
    assert again.activation_bytes < 0.75 * plain.activation_bytes
    assert plain.step_flops < again.step_flops < plain.step_flops + 1.01 * plain.forward_flops


def test_counting_leaves_the_random_state_as_it_was():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    cost_of(recipe_of(), 1)
    sample_cost(recipe_of(), 1, 2)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_full_size_is_counted_without_its_memory():
    recipe = recipe_of(
        predict="epsilon", diffuse="image", shape=(128, 160, 128),
        network={"patch": 1, "channels": [32, 64, 128, 256], "attention_levels": []},
    )  # fmt: skip
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    cost = cost_of(recipe, 1)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert cost.activation_bytes > 8 * 2**30 and grown < 0.3 * 2**30


def test_the_dearest_convolution_is_a_layer_of_the_network():
    convolution = cost_of(recipe_of(predict="x0"), 2).dearest
    # Where the skip joins: 16 channels from below and 8 from beside it.
    assert convolution == Convolution((2, 24, 8, 10, 8), (8, 24, 3, 3, 3), (1, 1, 1))
    assert convolution.flops == 2 * (2 * 8 * 10 * 8) * (8 * 24 * 27)


@pytest.mark.parametrize(
    ("family", "sampling", "steps", "calls"),
    [
        ("diffusion", {}, 1, 1),
        ("diffusion", {"sampler": "ddpm"}, 7, 7),
        ("diffusion", {"sampler": "dpm++"}, 7, 7),
        ("flow", {"sampler": "euler"}, 4, 4),
        ("flow", {"sampler": "heun"}, 4, 8),
        ("med_ddpm", {}, 250, 250),
        ("regression", {}, 9, 1),
        ("vae", {}, 1, 1),
        ("gan", {}, 1, 1),
        ("average", {}, 1, 0),
    ],
)
def test_the_calls_of_the_network_are_counted(family, sampling, steps, calls):
    recipe = recipe_of(family)
    cost, one = sample_cost(recipe, 2, steps, **sampling), sample_cost(recipe, 2, 1, **sampling)
    assert cost.evaluations == calls
    assert cost.flops * one.evaluations == one.flops * calls


def test_a_sample_costs_what_it_does_for_real():
    recipe = recipe_of("flow", start="usual")
    model, asked = recipe.build(), real_pair(1)
    sampling = recipe.family.Sampling(steps=5)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.generate(asked, lambda: torch.randn(1, 1, *SHAPE), sampling)
    assert sample_cost(recipe, 1, 5).flops == counter.get_total_flops() > 0
