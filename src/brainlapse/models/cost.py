"""What a model costs, counted: parameters, operations and memory, without doing the work.

Large tensors are fake: they have a shape, a type and a lifetime, and no memory.
The model's own `loss` and `generate` run on them, each operation is counted as
torch reaches it, and so are the bytes that are alive. Small tensors, a schedule
or an interval, are real, so that code may look at them.

Counted is what torch does eagerly, with the attention kernel that keeps the
N x N matrix out of memory. A multiplication and an addition are two operations;
norms, activations and the optimiser are not counted, as is the custom.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Any
from weakref import finalize

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count
from torch.utils.weak import WeakIdKeyDictionary

from brainlapse.models.batch import Batch
from brainlapse.models.conditions import FACTS, HISTORY
from brainlapse.models.stored import Recipe

HALF = ("bf16", "fp16")
_SMALL = 1 << 15  # numbers; a tensor of fewer is real
_LARGEST_KERNEL = 7  # voxels along a side, of a layer
_EARLIER_SCANS = 3  # where a model is told any: as many as the config lists by default
_aten = torch.ops.aten


@dataclass(frozen=True)
class Convolution:
    """One convolution: shape of its input, shape of its weight, stride. It is where a network's time goes."""

    input: tuple[int, ...]
    weight: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def places(self) -> int:
        """Voxels that come out, of the whole batch, with the padding that keeps the size."""
        sides = [-(-side // step) for side, step in zip(self.input[2:], self.stride, strict=True)]
        return self.input[0] * math.prod(sides)

    @property
    def flops(self) -> int:
        """Of one pass forward."""
        return 2 * self.places * math.prod(self.weight)


@dataclass(frozen=True)
class Cost:
    """Of one training step; bytes beside the weights, their gradients and the optimiser's state."""

    parameters: int
    forward_flops: int  # the losses of all players; with one network this is one evaluation of it
    step_flops: int  # forward and backward, all players one after the other
    activation_bytes: int  # kept for the backward pass, by the player that keeps most
    peak_bytes: int  # alive at once, what is thrown away soon included
    convolutions: frozenset[Convolution]  # its layers, each kind once

    @property
    def dearest(self) -> Convolution | None:
        """The convolution that takes most operations."""
        return max(self.convolutions, key=lambda convolution: convolution.flops, default=None)


@dataclass(frozen=True)
class SampleCost:
    """Of one batch of samples."""

    evaluations: int  # calls of the network
    flops: int


def cost_of(recipe: Recipe, batch: int, precision: str = "fp32", recompute: bool = False) -> Cost:
    """Return what a training step of `batch` pairs costs.

    `precision` is that of the convolutions (fp32, bf16, fp16); `recompute` as
    the training loop sets it: blocks keep their input alone for the backward pass.
    Takes a second or so whatever the size, and leaves the random state as it was.
    """
    with _without_doing():
        model = recipe.build()
        for module in model.modules():
            if recompute and hasattr(module, "recompute"):
                module.recompute = True
        pairs = _batch(recipe, batch)
        # As in every part of a step but the first, the gradients are there already.
        for parameter in model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        forward, step, kept, alive = 0, 0, 0, _Alive()
        for player in model.players():
            with _counter() as counter, alive:
                # Fake tensors say that they lie on the CPU, whatever the device will be.
                with torch.autocast("cpu", torch.bfloat16, enabled=precision in HALF):
                    loss = model.loss(pairs, player)
                forward += counter.get_total_flops()
                kept = max(kept, alive.now)
                loss.backward()
            step += counter.get_total_flops()
            del loss
        parameters = sum(parameter.numel() for parameter in model.parameters())
    return Cost(parameters, forward, step, kept, alive.most, frozenset(alive.convolutions))


def sample_cost(recipe: Recipe, batch: int, steps: int, **sampling: Any) -> SampleCost:
    """Return what `batch` samples of `steps` steps cost, the sampler's other keys in `sampling`.

    A family without steps costs what it costs. Every step after the first costs
    the same, so only the first two are counted.
    """
    settings = recipe.family.Sampling(**sampling)
    if "steps" not in {field.name for field in fields(settings)}:
        return _sampled(recipe, batch, settings)
    one = _sampled(recipe, batch, replace(settings, steps=1))
    if steps == 1:
        return one
    two = _sampled(recipe, batch, replace(settings, steps=2))
    more = steps - 1
    return SampleCost(
        one.evaluations + more * (two.evaluations - one.evaluations),
        one.flops + more * (two.flops - one.flops),
    )


def _sampled(recipe: Recipe, batch: int, sampling: Any) -> SampleCost:
    with _without_doing(), torch.no_grad():
        model = recipe.build().eval()
        asked = replace(_batch(recipe, batch), target=None)
        calls = _calls_counted(model)
        with _counter() as counter:
            model.generate(asked, lambda: torch.randn_like(asked.source), sampling)
    return SampleCost(max(calls.values(), default=0), counter.get_total_flops())


def _calls_counted(model: nn.Module) -> dict[str, int]:
    """How often each of the model's networks is called, by name; it fills as they are."""
    calls: dict[str, int] = {}

    def noted(name: str):
        return lambda *_: calls.update({name: calls.get(name, 0) + 1})

    for name, child in model.named_children():
        if any(True for _ in child.parameters()):
            child.register_forward_hook(noted(name))
    return calls


def _batch(recipe: Recipe, pairs: int) -> Batch:
    """Pairs with all that a model can be told."""
    shape = recipe.grid.shape
    known = {name: torch.zeros(pairs) for name in FACTS}
    history = {}
    if HISTORY in recipe.settings.conditions:
        history["history"] = torch.zeros(pairs, _EARLIER_SCANS, *shape)
        history["history_years"] = torch.arange(1.0, _EARLIER_SCANS + 1).repeat(pairs, 1)
    source, target = (torch.zeros(pairs, 1, *shape) for _ in range(2))
    return Batch(source, torch.ones(pairs), target, known, **history)


def _counter() -> FlopCounterMode:
    # torch counts attention on a GPU only; the CPU's kernel does the same sums.
    flash = _aten._scaled_dot_product_flash_attention_for_cpu
    flash_backward = _aten._scaled_dot_product_flash_attention_for_cpu_backward
    formulas = {
        flash: lambda q, k, v, *_, **__: sdpa_flop_count(q, k, v),
        flash_backward: lambda grad, q, k, v, *_, **__: sdpa_backward_flop_count(grad, q, k, v),
    }
    return FlopCounterMode(display=False, custom_mapping=formulas)


@contextmanager
def _without_doing() -> Iterator[None]:
    """What is made in here is fake if it is large; the random state is put back afterwards."""
    with torch.random.fork_rng(devices=[]), _LargeIsFake():
        yield


class _LargeIsFake(TorchDispatchMode):
    """Turns every large tensor that is made, from nothing or from small ones, into a fake."""

    def __init__(self):
        super().__init__()
        self._fakes = FakeTensorMode(allow_non_fake_inputs=True)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        if any(map(_is_large, tensors)):
            return func(*args, **kwargs)
        if not tensors:  # made from nothing: how much, only a fake may tell
            with self._fakes:
                outcome = func(*args, **kwargs)
            if any(map(_is_large, tree_leaves(outcome))):
                return outcome
        outcome = func(*args, **kwargs)
        return tree_map(lambda leaf: self._fakes.from_tensor(leaf) if _is_large(leaf) else leaf, outcome)


def _is_large(value: object) -> bool:
    return isinstance(value, torch.Tensor) and value.numel() > _SMALL


class _Alive(TorchDispatchMode):
    """Counts the bytes of the tensors made under it that are alive, and notes the convolutions."""

    def __init__(self):
        super().__init__()
        self.now = self.most = 0
        self.convolutions: set[Convolution] = set()
        self._known = WeakIdKeyDictionary()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        for tensor in tree_leaves((args, kwargs)):
            if isinstance(tensor, torch.Tensor):  # made before: not ours to count
                self._known.setdefault(tensor.untyped_storage(), True)
        outcome = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(outcome):
            if isinstance(tensor, torch.Tensor):
                self._meet(tensor.untyped_storage())
        if func is _aten.convolution.default:
            self._note(*args)
        return outcome

    def _note(self, volume, weight, bias, stride, padding, dilation, transposed, *_) -> None:
        # The gradient of a weight is a convolution too, by a kernel as large as a volume: not a layer.
        if not transposed and max(weight.shape[2:]) <= _LARGEST_KERNEL:
            self.convolutions.add(Convolution(tuple(volume.shape), tuple(weight.shape), tuple(stride)))

    def _meet(self, storage: torch.UntypedStorage) -> None:
        if storage in self._known:
            return
        self._known[storage] = True
        self.now += storage.nbytes()
        self.most = max(self.most, self.now)
        finalize(storage, self._gone, storage.nbytes())

    def _gone(self, size: int) -> None:
        self.now -= size
