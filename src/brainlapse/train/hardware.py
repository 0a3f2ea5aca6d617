"""What this machine offers a training: free memory, speed, and whether half precision is right on it."""

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F

from brainlapse.models.cost import Convolution

_MEASURED_SECONDS = 0.3
# Of a convolution that a slow core does in a moment, to be timed, or to be tried among many.
_TIMED_FLOPS, _TRIED_FLOPS = 5e8, 5e7
_SMALL_SIDE = 4  # voxels; kernels for smaller volumes are others
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def free_bytes(device: torch.device) -> int:
    """Bytes of memory that this process may still take on the device.

    On a CPU that is what the machine could give without swapping, or what the
    container or the cluster's job leaves, whichever is less.
    """
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return min(_available(), *_left_in_cgroups())


def flops_per_second(convolution: Convolution, precision: str, device: torch.device) -> float:
    """The rate at which this convolution runs forward and backward, measured for a fraction of a second.

    On a CPU it is measured on a part of the volume, in the layout that the training loop takes there.
    """
    convolution = _on_a_part(convolution, _TIMED_FLOPS) if device.type == "cpu" else convolution
    layout = torch.channels_last_3d if device.type == "cpu" else torch.contiguous_format
    inputs = [tensor.to(device, memory_format=layout) for tensor in _drawn(convolution)]

    def pass_through() -> None:
        _with_gradients(convolution, inputs, DTYPES[precision])

    return 3 * convolution.flops / _seconds_each(pass_through, device)


def half_error(convolution: Convolution, precision: str, device: torch.device) -> float:
    """How far a convolution and its gradients in half precision are from float32's.

    Root mean square of the difference as a part of that of what is right, for the
    worst of the three; rounding makes about 0.002. On a CPU it is tried on a part
    of a large volume.
    """
    one = replace(convolution, input=(1, *convolution.input[1:]))
    one = _on_a_part(one, _TRIED_FLOPS) if device.type == "cpu" else one
    # Already rounded, so that only what the convolution does differs.
    inputs = [tensor.to(DTYPES[precision]).float().to(device) for tensor in _drawn(one)]
    with torch.backends.cudnn.flags(enabled=True, benchmark=torch.backends.cudnn.benchmark, allow_tf32=False):
        right = _with_gradients(one, inputs, torch.float32)
        found = _with_gradients(one, inputs, DTYPES[precision])
    return max(relative_error(a, b) for a, b in zip(found, right, strict=True))


def imitation_bytes(convolutions: Iterable[Convolution], precision: str, device: torch.device) -> int:
    """Bytes that torch takes to imitate half precision, beside the tensors it is given; 0 where it need not.

    It copies the neighbours of each voxel side by side (im2col: 27 times the volume for a kernel of 3),
    for the gradients of weight and volume one such copy each. The largest convolution counts.
    """
    if not is_imitated(precision, device):
        return 0
    return max((2 * 2 * one.places * math.prod(one.weight[1:]) for one in convolutions), default=0)


def is_imitated(precision: str, device: torch.device) -> bool:
    """Whether this CPU cannot compute in half precision by itself (those without AVX-512 cannot)."""
    if device.type != "cpu" or precision == "fp32":
        return False
    known = {
        "bf16": torch.ops.mkldnn._is_mkldnn_bf16_supported,
        "fp16": torch.ops.mkldnn._is_mkldnn_fp16_supported,
    }
    return not known[precision]()


def relative_error(found: torch.Tensor, right: torch.Tensor) -> float:
    """Root mean square of the difference, as a part of that of what is right; NaN counts as infinite."""
    error = ((found.float() - right.float()).norm() / right.float().norm()).item()
    return error if math.isfinite(error) else math.inf


def _drawn(convolution: Convolution) -> list[torch.Tensor]:
    """A volume, a weight and the gradient of what comes out, about normal all three; always the same ones."""
    draws = torch.Generator().manual_seed(0)
    sides = [-(-side // by) for side, by in zip(convolution.input[2:], convolution.stride, strict=True)]
    shape_out = (convolution.input[0], convolution.weight[0], *sides)
    shapes = (convolution.input, convolution.weight, shape_out)
    volume, weight, gradient = (torch.randn(shape, generator=draws) for shape in shapes)
    return [volume, weight / math.sqrt(math.prod(convolution.weight[1:])), gradient]


def _with_gradients(
    convolution: Convolution, inputs: list[torch.Tensor], kind: torch.dtype
) -> list[torch.Tensor]:
    """What comes out, and the gradients of volume and weight, computed in `kind`."""
    volume, weight, gradient = (tensor.to(kind) for tensor in inputs)
    learnt = (volume.requires_grad_(), weight.requires_grad_())
    padding = [side // 2 for side in convolution.weight[2:]]
    out = F.conv3d(*learnt, stride=convolution.stride, padding=padding)
    gradient = gradient[..., : out.shape[2], : out.shape[3], : out.shape[4]]
    return [out.detach(), *torch.autograd.grad(out, learnt, gradient)]


def _on_a_part(convolution: Convolution, flops: float) -> Convolution:
    """The same one on a volume whose longest sides are halved until it is cheap enough, or small."""
    while convolution.flops > flops and max(convolution.input[2:]) > _SMALL_SIDE:
        sides = list(convolution.input[2:])
        sides[sides.index(max(sides))] = math.ceil(max(sides) / 2)
        convolution = replace(convolution, input=(*convolution.input[:2], *sides))
    return convolution


def _seconds_each(pass_through, device: torch.device) -> float:
    """Seconds of one call, the mean over as many as fit into the time to measure."""
    for _ in range(3 if device.type == "cuda" else 1):  # the first calls choose their kernel
        pass_through()
    _wait(device)
    began, calls = time.perf_counter(), 0
    while time.perf_counter() - began < _MEASURED_SECONDS:
        pass_through()
        _wait(device)
        calls += 1
    return (time.perf_counter() - began) / calls


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _available() -> int:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass  # not Linux
    return 1 << 62  # not known: nothing is refused


def _left_in_cgroups() -> Iterator[int]:
    """What each group of processes that has a limit leaves to this one; files in cache can be let go."""
    yield 1 << 62
    for folder in _own_cgroups():
        for limit, used, cached in (
            ("memory.max", "memory.current", ("active_file", "inactive_file")),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", ("total_active_file", "total_inactive_file")),
        ):
            try:
                most = int((folder / limit).read_text())
                now = int((folder / used).read_text())
                parts = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
                yield most - now + sum(int(parts.get(name, 0)) for name in cached)
            except (OSError, ValueError):
                continue  # no such file in this version, or the limit is "max"


def _own_cgroups() -> Iterator[Path]:
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        root = Path("/sys/fs/cgroup") / ("memory" if controllers else "")
        own = root / path.lstrip("/")
        yield from (folder for folder in (own, *own.parents) if folder.is_relative_to(root))
