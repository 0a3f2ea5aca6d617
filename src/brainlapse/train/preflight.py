"""Before the first step: what a training costs, whether it fits, and about how long it takes."""

import torch

from brainlapse.errors import Refused
from brainlapse.models.cost import HALF, Cost, cost_of
from brainlapse.models.stored import Recipe
from brainlapse.train.hardware import (
    flops_per_second,
    free_bytes,
    half_error,
    imitation_bytes,
    is_imitated,
)
from brainlapse.train.memory import what_to_lower
from brainlapse.train.ranks import processes_on_this_machine
from brainlapse.train.settings import TrainingSettings

LARGEST_HALF_ERROR = 0.01  # rounding makes about 0.002; a wrong kernel makes 0.1 and more
# Weights, their average, their gradients and the two moments of Adam, float32 each.
_BYTES_A_WEIGHT = 20
_IMITATED = (
    "this CPU has no {} of its own: torch imitates it, slowly and in more memory; "
    "training.precision: fp32 is better here"
)
_MORE_WITH_OTHERS = 4  # gradients once more, in one piece, where processes exchange them


def preflight(
    recipe: Recipe,
    training: TrainingSettings,
    device: torch.device,
    processes: int,
    recompute: bool = False,
) -> str:
    """Return in words what one process of the training needs, beside what the device has.

    Parameters, operations and memory are counted for what torch does eagerly,
    the time is an estimate. Raises Refused, with the keys to lower, for what
    cannot fit, and if this device's convolutions in half precision are wrong:
    cuDNN 9.8 to 9.10 were for some (pytorch #163539), and torch 2.13 on a CPU
    is for the weight of a volume two voxels wide.
    """
    part = training.batch // (training.accumulate * processes)
    cost = cost_of(recipe, part, training.precision, recompute)
    if not cost.convolutions:
        return f"{cost.parameters} parameters: nothing to learn in steps"
    need, free = bytes_needed(recipe, cost, part, training.precision, device, processes), free_bytes(device)
    sharing = processes_on_this_machine() if device.type == "cpu" else 1
    if need * sharing > free:
        raise _too_large(need * sharing, free, training, processes, device)
    arithmetic = _checked_arithmetic(cost, training.precision, device)
    flops = cost.step_flops * training.accumulate
    rate = flops_per_second(cost.dearest, training.precision, device)
    parts = f"{training.accumulate} part(s) of {part} pair(s)"
    return (
        f"{cost.parameters / 1e6:.1f} M parameters; {_flops(flops)} a step ({parts} a process, "
        f"{training.precision}); memory {_gib(need)} of {_gib(free // sharing)} free, of it "
        f"{_gib(cost.peak_bytes)} for activations; estimated time {_seconds(flops / rate)} a step, "
        f"{_seconds(flops / rate * training.steps)} for {training.steps} steps, if all ran at the "
        f"{_flops(rate)}/s measured at its dearest convolution{arithmetic}"
    )


def bytes_needed(
    recipe: Recipe, cost: Cost, part: int, precision: str, device: torch.device, processes: int = 1
) -> int:
    """Bytes that one process takes on its device for a step, beside what torch itself takes.

    Not in it: a GPU library's own workspace, and volumes kept on the device.
    """
    a_weight = _BYTES_A_WEIGHT + (_MORE_WITH_OTHERS if processes > 1 else 0)
    voxels = part
    for side in recipe.grid.shape:
        voxels *= side
    # Source and target as float32, beside the batch that the loader holds ready, packed.
    volumes = 2 * voxels * (4 + 1)
    imitation = imitation_bytes(cost.convolutions, precision, device)
    return a_weight * cost.parameters + cost.peak_bytes + volumes + imitation


def _checked_arithmetic(cost: Cost, precision: str, device: torch.device) -> str:
    """A few words on half precision here: every kind of convolution of the network is tried against fp32."""
    if precision not in HALF:
        return ""
    on_gpu = device.type == "cuda"
    by, version = ("cuDNN", torch.backends.cudnn.version()) if on_gpu else ("torch", torch.__version__)
    errors = {kind: half_error(kind, precision, device) for kind in cost.convolutions}
    worst = max(errors, key=errors.get)
    if errors[worst] > LARGEST_HALF_ERROR:
        raise Refused(
            f"training.precision: {precision} convolutions are wrong on this {'GPU' if on_gpu else 'CPU'} "
            f"with {by} {version}: {_shape(worst.input[1:])} by {_shape(worst.weight)} is {errors[worst]:.0%}"
            f" off fp32, where rounding makes {LARGEST_HALF_ERROR:.0%} at most. Set it to fp32, or "
            "install another version."
        )
    imitated = f"; {_IMITATED.format(precision)}" if is_imitated(precision, device) else ""
    return (
        f"; {precision} convolutions differ from fp32 by {errors[worst]:.2%} at most ({by} {version}; "
        f"{LARGEST_HALF_ERROR:.0%} would be refused){imitated}"
    )


def _shape(sides: tuple[int, ...]) -> str:
    return "×".join(map(str, sides))


def _too_large(
    need: int, free: int, training: TrainingSettings, processes: int, device: torch.device
) -> Refused:
    advice = what_to_lower(training, processes, device)
    return Refused(f"{advice} It would take {_gib(need)}, {_gib(free)} are free.")


def _gib(size: float) -> str:
    return f"{size / 2**30:.3g} GiB"


def _flops(count: float) -> str:
    return f"{count / 1e12:.3g} TFLOP" if count >= 1e12 else f"{count / 1e9:.3g} GFLOP"


def _seconds(seconds: float) -> str:
    for length, name in ((86400, "days"), (3600, "h"), (60, "min"), (1, "s")):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {name}"
    return f"{seconds * 1000:.1f} ms"
