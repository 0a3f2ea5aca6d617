"""One step of training: rates, averages, precision, parts, and what recomputing and compiling leave alone."""

import shutil

import pytest
import torch
from toy_training import (
    NETWORK,
    advance,
    assert_close,
    assert_same,
    fresh_run,
    no_pictures,
    options_for,
    pairs_of,
    settings_with,
)

from brainlapse.errors import Refused
from brainlapse.models import FAMILIES
from brainlapse.models.unet import Block
from brainlapse.train.loop import train as train_loop


@pytest.fixture
def pairs(study):
    return pairs_of(options_for(study, study))


def test_the_learning_rate_rises_and_falls():
    run = fresh_run(settings_with(steps=100, warmup_steps=10))
    rates = []
    for run.step in range(100):
        rates.append(run.learning_rate)
    assert rates[0] == pytest.approx(1e-3 / 11) and max(rates) == rates[10] == pytest.approx(1e-3)
    assert rates == sorted(rates[:10]) + sorted(rates[10:], reverse=True) and rates[-1] < 1e-6


def test_without_an_average_it_is_the_weights(pairs):
    run = fresh_run(settings_with(ema=0))
    advance(run, pairs, 2)
    average, weights = run.average.state_dict(), run.model.state_dict()
    assert all(torch.equal(average[name], weights[name]) for name in weights)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_learns_about_what_float32_learns(pairs, precision):
    # No level has a side below 3 voxels: there oneDNN's bfloat16 weight gradients are wrong (torch 2.13).
    row = {"predict": "epsilon", "diffuse": "image", "network": NETWORK | {"patch": 2}}
    losses = {}
    for used in ("fp32", precision):
        run = fresh_run(settings_with(precision=used) | row)
        losses[used] = [step["network"] for step in advance(run, pairs, 6)]
        assert all(parameter.dtype == torch.float32 for parameter in run.model.parameters())
    assert losses[precision] != losses["fp32"]
    assert losses[precision] == pytest.approx(losses["fp32"], rel=0.05)


def test_a_batch_in_parts_is_the_batch_where_nothing_is_drawn_at_random(pairs):
    whole = fresh_run(settings_with("regression", batch=4))
    parts = fresh_run(settings_with("regression", batch=4, accumulate=4))
    assert [len(run.parts) for run in (whole, parts)] == [1, 4]
    losses = [[step["network"] for step in advance(run, pairs, 3)] for run in (whole, parts)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    assert_close(parts, whole, tolerance=1e-3)


def test_each_part_draws_for_itself(pairs):
    drawn = []
    for part in (0, 0, 1):
        run = fresh_run(settings_with(accumulate=2))
        run.calibrate(pairs.spread())
        drawn.append(run._add_gradient(pairs.batch([0, 1]), part, 0, "network").item())
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_gradient_is_clipped_only_if_it_is_asked_for(pairs):
    norms = {}
    for clip in (0.0, 1e-4):
        run = fresh_run(settings_with(clip=clip, warmup_steps=0))
        advance(run, pairs, 1)
        gradients = [p.grad for p in run.model.parameters() if p.grad is not None]
        norms[clip] = torch.nn.utils.get_total_norm(gradients).item()
    assert norms[1e-4] == pytest.approx(1e-4, rel=1e-2) and norms[0.0] > 1e-3


def test_adam_forgets_as_fast_as_it_is_told(pairs):
    moments = {}
    for beta in (0.9, 0.5):
        run = fresh_run(settings_with(betas=[beta, 0.99]))
        advance(run, pairs, 1)
        *_, moments[beta] = (t for name, t in run.tensors().items() if name.endswith("exp_avg"))
    # The last layer's, which alone learns in the first step: (1 - beta) times the gradient.
    assert moments[0.9].abs().max() > 0
    torch.testing.assert_close(moments[0.5], 5 * moments[0.9])


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_recomputed_is_the_same(pairs, family):
    kept, recomputed = (fresh_run(settings_with(family), recomputed=it) for it in (False, True))
    assert advance(recomputed, pairs, 2) == advance(kept, pairs, 2)
    assert_same(recomputed, kept)


def test_recomputing_keeps_fewer_activations(pairs):
    saved = {}
    for it in (False, True):
        run, bytes_saved = fresh_run(settings_with(), recomputed=it), []
        run.calibrate(pairs.spread())
        assert all(module.recompute == it for module in run.model.modules() if isinstance(module, Block))

        def noted(tensor, into=bytes_saved):
            into.append(tensor.nbytes)
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(noted, lambda tensor: tensor):
            advance(run, pairs, 0)
            run._add_gradient(pairs.batch([0]), 0, 0, "network")
        saved[it] = sum(bytes_saved)
    assert saved[True] < 0.8 * saved[False]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="compiling for a CPU needs a C++ compiler")
def test_what_is_compiled_is_the_same_but_for_rounding(pairs):
    row = {"network": {"patch": 8, "channels": [8], "attention_levels": []}}
    eager, compiled = (fresh_run(settings_with() | row, compiled=it) for it in (False, True))
    losses = [[step["network"] for step in advance(run, pairs, 3)] for run in (eager, compiled)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
    assert eager.tensors().keys() == compiled.tensors().keys()
    assert compiled.model.network._compiled_call_impl is not None
    assert_close(compiled, eager, tolerance=1e-2)


OUT_OF_MEMORY = {
    "GPU": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB."),
    "CPU": RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried …"),
    "Python": MemoryError(),
}


@pytest.mark.parametrize("error", OUT_OF_MEMORY.values(), ids=OUT_OF_MEMORY)
def test_want_of_memory_says_what_to_lower(pairs, error):
    run = fresh_run(settings_with(batch=4, accumulate=2))

    def too_large(batch, player):
        raise error

    run.model.loss = too_large
    with pytest.raises(Refused, match=r"training.batch: 2 pair\(s\) at once.*training.accumulate above 2"):
        train_loop(run, pairs, None, None, no_pictures(run, pairs), checkpoint_minutes=10)


def test_another_error_is_no_want_of_memory(pairs):
    run = fresh_run(settings_with())

    def broken(batch, player):
        raise RuntimeError("a defect")

    run.model.loss = broken
    with pytest.raises(RuntimeError, match="a defect"):
        train_loop(run, pairs, None, None, no_pictures(run, pairs), checkpoint_minutes=10)


def test_a_batch_no_memory_holds_is_told_for_real(pairs):
    """The CPU's own allocator is asked for a petabyte."""
    run = fresh_run(settings_with())
    run.model.loss = lambda batch, player: torch.empty(2**50).sum()
    with pytest.raises(Refused, match="do not fit into the memory of this machine"):
        train_loop(run, pairs, None, None, no_pictures(run, pairs), checkpoint_minutes=10)
