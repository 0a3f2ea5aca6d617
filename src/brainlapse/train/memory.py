"""When memory does not suffice: how to tell, and what to lower."""

import resource

import torch

from brainlapse.errors import Refused
from brainlapse.train.settings import TrainingSettings


def is_of_memory(error: BaseException) -> bool:
    """Whether an error says that there is not enough memory, on a GPU or on the CPU.

    Torch has a kind of its own for GPUs; its allocator for CPUs raises a plain RuntimeError.
    """
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)


def what_to_lower(training: TrainingSettings, processes: int, device: torch.device) -> Refused:
    """The refusal of a training whose step does not fit, naming the keys that help."""
    together = training.batch // (training.accumulate * processes)
    where = "of the GPU" if device.type == "cuda" else "of this machine"
    advice = "set train.recompute to true, or take fewer network.channels"
    if together > 1:
        advice = f"raise training.accumulate above {training.accumulate}, lower training.batch, {advice}"
    return Refused(
        f"training.batch: {together} pair(s) at once do not fit into the memory {where}. "
        f"To need less, {advice}."
    )


def most_memory(device: torch.device) -> str:
    """What this process needed at most, in words."""
    if device.type == "cuda":
        return f"{torch.cuda.max_memory_allocated(device) / 2**30:.1f} GiB of GPU memory at most"
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB of memory at most"
