"""The processes that train one model together, and what they must agree on.

Each has the whole model and computes its share of a step's parts; gradients are
averaged and every process takes the same step. torchrun starts them, on one
machine or many, and says to each who it is.

Gradients are averaged by one reduction a player, after the backward pass, and
not by torch's DistributedDataParallel: that wraps one forward call and expects
it to reach every weight, while a family has several players, whose losses reach
a part of the weights each, and several parts a step.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn

from brainlapse.errors import Failed, Refused


@dataclass(frozen=True)
class Ranks:
    """This process, number `rank` of `size`; `launcher` is the process that started it for torchrun."""

    rank: int = 0
    size: int = 1
    launcher: int | None = None

    @property
    def first(self) -> bool:
        """Whether it is this process that writes files and lines on the screen."""
        return self.rank == 0

    def any(self, said: bool) -> bool:
        """Whether any process said yes; all wait for all."""
        if self.size == 1:
            return said
        flag = torch.tensor(int(said), dtype=torch.int32)
        dist.all_reduce(flag, op=dist.ReduceOp.MAX)
        return bool(flag)

    def deserted(self) -> bool:
        """Whether the launcher was killed. Its processes live on, and another may be starting theirs anew."""
        return self.launcher is not None and os.getppid() != self.launcher

    @contextmanager
    def together(self) -> Iterator[None]:
        """A block that fails in every process if it fails in one: none is left waiting."""
        error = None
        try:
            yield
        except Exception as caught:
            error = caught
        if not self.any(error is not None):
            return
        told = self.gathered(None if error is None else str(error))
        if error is None:
            raise Failed("another process of this training failed; it says why.")
        if isinstance(error, Refused) and str(error) in told[: self.rank]:
            raise SystemExit(2)  # a file that is wrong is wrong for all; a person wants to hear so once
        raise error

    def average_(self, parameters: Sequence[nn.Parameter], loss: torch.Tensor) -> torch.Tensor:
        """Average the gradients over the processes, in place; return the loss averaged likewise."""
        if self.size == 1:
            return loss
        for parameter in parameters:
            if parameter.grad is None:  # all processes must hand in vectors of one length
                parameter.grad = torch.zeros_like(parameter)
        gradients = [parameter.grad for parameter in parameters]
        # Summed in one piece: many small messages would each wait for the slowest process.
        flat = torch.cat([*(gradient.flatten() for gradient in gradients), loss.float().reshape(1)])
        dist.all_reduce(flat)
        flat /= self.size
        *pieces, (loss,) = flat.split([*(gradient.numel() for gradient in gradients), 1])
        for gradient, piece in zip(gradients, pieces, strict=True):
            gradient.copy_(piece.view(gradient.shape))
        return loss

    def broadcast_(self, tensors: Iterable[torch.Tensor]) -> None:
        """Give every process the first one's tensors, in place."""
        if self.size > 1:
            for tensor in tensors:
                sent = tensor.detach().contiguous()
                dist.broadcast(sent, src=0)
                tensor.detach().copy_(sent)

    def gathered(self, value) -> list:
        """The values of all processes, by rank."""
        values = [value] * self.size
        if self.size > 1:
            dist.all_gather_object(values, value)
        return values


ALONE = Ranks()


def processes_together(asked: int) -> int:
    """How many processes train one model: as torchrun says, if it started this one, or as asked."""
    return int(os.environ["WORLD_SIZE"]) if dist.is_torchelastic_launched() else asked


def processes_on_this_machine() -> int:
    """How many of them share the cores of this machine."""
    return int(os.environ["LOCAL_WORLD_SIZE"]) if dist.is_torchelastic_launched() else 1


@contextmanager
def joined() -> Iterator[tuple[Ranks, torch.device]]:
    """Yield who this process is and what it computes on; alone, unless torchrun started it."""
    gpu = torch.cuda.is_available()
    if not dist.is_torchelastic_launched():
        yield ALONE, torch.device("cuda" if gpu else "cpu")
        return
    if gpu:
        _take_gpu(int(os.environ["LOCAL_RANK"]))
    # Small agreements travel by gloo even between GPUs: they need no memory there, and wait for no kernel.
    dist.init_process_group("cpu:gloo,cuda:nccl" if gpu else "gloo")
    try:
        ranks = Ranks(dist.get_rank(), dist.get_world_size(), os.getppid())
        yield ranks, torch.device("cuda", torch.cuda.current_device()) if gpu else torch.device("cpu")
    finally:
        dist.destroy_process_group()


def _take_gpu(number: int) -> None:
    if number >= torch.cuda.device_count():
        raise Refused(
            f"train.processes: there is no GPU for process {number + 1} of this machine; it has "
            f"{torch.cuda.device_count()}. Start as many processes as it has GPUs."
        )
    torch.cuda.set_device(number)
