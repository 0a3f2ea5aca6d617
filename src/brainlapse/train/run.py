"""The state of a training run, and the one step that changes it."""

import copy
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from brainlapse.models import Batch
from brainlapse.models.conditions import forgotten
from brainlapse.train.pairs import unpacked
from brainlapse.train.ranks import ALONE, Ranks
from brainlapse.train.settings import TrainingSettings

_HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}
_FORGOTTEN = 0.1  # share of the people of whom a fact or an earlier scan is withheld, to learn to do without


class Run:
    """A model, the running average of its weights, Adam for each of its players, and the step.

    With several `ranks`, this process's share of a run: its weights are those of
    all, and it computes some of each step's parts.
    """

    def __init__(
        self,
        model: nn.Module,
        settings: TrainingSettings,
        seed: int,
        device: torch.device,
        ranks: Ranks = ALONE,
    ):
        self.settings, self.seed, self.device, self.ranks = settings, seed, device, ranks
        # On a CPU this layout makes convolutions 1.4 to 1.8 times faster; on a GPU
        # group normalisation would convert there and back (pytorch #111824).
        layout = torch.channels_last_3d if device.type == "cpu" else torch.contiguous_format
        self.model = model.to(device).to(memory_format=layout).train()
        self.average = copy.deepcopy(self.model).requires_grad_(False).eval()
        self.step = 0
        self.skipped = 0  # steps whose loss or gradient was no finite number
        self.skipped_in_a_row = 0
        self.optimisers = {
            name: torch.optim.Adam(parameters, settings.learning_rate, settings.betas, fused=True)
            for name, parameters in self.model.players().items()
        }
        # float16 has few exponents: the loss is scaled up so that small gradients do not become 0.
        self.scaler = torch.amp.GradScaler(device.type, enabled=settings.precision == "fp16")

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step: a linear rise, then constant or half a cosine down to 0."""
        settings = self.settings
        rise = min(1.0, (self.step + 1) / (settings.warmup_steps + 1))
        if settings.schedule == "constant":
            return settings.learning_rate * rise
        run_down = max(settings.steps - settings.warmup_steps, 1)
        done = max(self.step - settings.warmup_steps, 0) / run_down
        return settings.learning_rate * rise * (1 + math.cos(math.pi * min(done, 1.0))) / 2

    @property
    def parts(self) -> range:
        """Which parts of a step's batch this process computes, one after the other."""
        accumulate = self.settings.accumulate
        return range(self.ranks.rank * accumulate, (self.ranks.rank + 1) * accumulate)

    def calibrate(self, batches: Iterable[Batch]) -> None:
        """Fit what the model normalises with, for the average too; all ranks get the first one's model."""
        if self.ranks.first:
            self.model.calibrate(batches)
        for tensors in (self.model.parameters(), self.model.buffers(), self.average.parameters()):
            self.ranks.broadcast_(tensors)
        self._average_buffers()

    def advance(self, parts: Sequence[Batch]) -> dict[str, float]:
        """One step of every player; returns the loss of each, which may be NaN.

        `parts` are the packed batches of this process's `parts`; one at a time
        is on the device. The random numbers of a part depend on seed, step and
        part alone: a run that was killed goes on as the one that was not, and
        two processes draw what one with twice the parts does.
        """
        losses = {name: self._play(player, name, parts) for player, name in enumerate(self.optimisers)}
        self.scaler.update()
        finite = all(math.isfinite(loss) for loss in losses.values())
        self.skipped += not finite
        self.skipped_in_a_row = 0 if finite else self.skipped_in_a_row + 1
        if finite:
            self._update_average()
        self.step += 1
        return losses

    def tensors(self) -> dict[str, torch.Tensor]:
        """All tensors that decide how the run goes on, by name."""
        found = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        found |= {f"average.{name}": tensor for name, tensor in self.average.state_dict().items()}
        for player, optimiser in self.optimisers.items():
            for index, moments in optimiser.state_dict()["state"].items():
                found |= {f"adam.{player}.{index}.{name}": value for name, value in moments.items()}
        return found

    def counts(self) -> dict[str, Any]:
        """The numbers that decide how the run goes on."""
        return {
            "step": self.step,
            "skipped": self.skipped,
            "skipped_in_a_row": self.skipped_in_a_row,
            "scaler": self.scaler.state_dict(),
        }

    def restore(self, tensors: Mapping[str, torch.Tensor], counts: Mapping[str, Any]) -> None:
        """Become the run whose `tensors` and `counts` these are."""
        self.model.load_state_dict(_below("model.", tensors))
        self.average.load_state_dict(_below("average.", tensors))
        for player, optimiser in self.optimisers.items():
            state = optimiser.state_dict()
            for key, value in _below(f"adam.{player}.", tensors).items():
                index, name = key.split(".")
                like = optimiser.param_groups[0]["params"][int(index)]
                state["state"].setdefault(int(index), {})[name] = _laid_out(value, like)
            optimiser.load_state_dict(state)
        self.step, self.skipped = counts["step"], counts["skipped"]
        self.skipped_in_a_row = counts["skipped_in_a_row"]
        self.scaler.load_state_dict(counts["scaler"])

    def _play(self, player: int, name: str, parts: Sequence[Batch]) -> float:
        """One step of one player; nothing changes if its loss or gradient is not finite."""
        optimiser = self.optimisers[name]
        parameters = optimiser.param_groups[0]["params"]
        optimiser.zero_grad(set_to_none=True)
        with self.ranks.together():
            losses = [
                self._add_gradient(batch, part, player, name)
                for part, batch in zip(self.parts, parts, strict=True)
            ]
        # Averaged while still scaled, so that every rank finds the same numbers finite or not.
        loss = self.ranks.average_(parameters, sum(losses))
        self.scaler.unscale_(optimiser)
        norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None], foreach=True)
        if not torch.isfinite(loss + norm):
            return math.nan
        if self.settings.clip > 0:
            nn.utils.clip_grads_with_norm_(parameters, self.settings.clip, norm, foreach=True)
        optimiser.param_groups[0]["lr"] = self.learning_rate
        optimiser.step()
        return loss.item()

    def _add_gradient(self, packed: Batch, part: int, player: int, name: str) -> torch.Tensor:
        """Add one part's share of the gradient; return its share of the loss."""
        drawn = np.random.SeedSequence([self.seed, self.step, part, player])
        torch.manual_seed(int(drawn.generate_state(1, np.uint64)[0]))
        batch = forgotten(unpacked(packed, self.device), _FORGOTTEN)
        half = _HALF.get(self.settings.precision)
        with torch.autocast(self.device.type, half, enabled=half is not None):
            loss = self.model.loss(batch, name) / self.settings.accumulate
        self.scaler.scale(loss).backward()
        return loss.detach()

    def _update_average(self) -> None:
        """Exponential moving average, which at first follows quickly: (1 + k) / (10 + k) after k steps."""
        keep = min(self.settings.ema, (1 + self.step) / (10 + self.step))
        weights = list(self.model.parameters())
        if weights:  # a family may have nothing to learn
            with torch.no_grad():
                torch._foreach_lerp_(list(self.average.parameters()), weights, 1 - keep)
        self._average_buffers()

    def _average_buffers(self) -> None:
        for average, buffer in zip(self.average.buffers(), self.model.buffers(), strict=True):
            average.copy_(buffer)


def _laid_out(value: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """A moment in the memory layout of its weight: fused Adam walks through both side by side."""
    return torch.empty_like(like).copy_(value) if value.shape == like.shape else value


def _below(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
