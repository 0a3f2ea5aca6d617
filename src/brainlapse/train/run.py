"""The state of a training run, and the one step that changes it."""

import copy
import math
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import nn

from brainlapse.models import Batch
from brainlapse.models.conditions import forgotten
from brainlapse.train.settings import TrainingSettings

_LARGEST_GRADIENT = 1.0
_FORGOTTEN = 0.1  # share of the people of whom a fact is withheld, so that the network can do without


class Run:
    """A model, the running average of its weights, Adam for each of its players, and the step."""

    def __init__(self, model: nn.Module, settings: TrainingSettings, seed: int, device: torch.device):
        self.settings, self.seed, self.device = settings, seed, device
        # On a CPU this layout makes convolutions 1.4 to 1.8 times faster; on a GPU
        # group normalisation would convert there and back (pytorch #111824).
        layout = torch.channels_last_3d if device.type == "cpu" else torch.contiguous_format
        self.model = model.to(device).to(memory_format=layout).train()
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self.step = 0
        self.skipped = 0  # steps whose loss or gradient was no finite number
        self.skipped_in_a_row = 0
        self.optimisers = {
            name: torch.optim.Adam(parameters, lr=settings.learning_rate, fused=True)
            for name, parameters in self.model.players().items()
        }

    def __str__(self) -> str:
        parameters = sum(parameter.numel() for parameter in self.model.parameters())
        # Weights, their gradient, two moments of Adam and the average, 4 bytes each.
        return f"{parameters / 1e6:.1f} M parameters, {20 * parameters / 2**20:.0f} MiB to train them"

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

    def calibrate(self, batches) -> None:
        """Fit what the model normalises with, for the average too."""
        self.model.calibrate(batches)
        self._average_buffers()

    def advance(self, batch: Batch) -> float:
        """One step of every player; returns the sum of their losses, which may be NaN or infinite.

        The random numbers of a step depend on seed and step alone, so a run that
        was killed goes on as the one that was not.
        """
        torch.manual_seed(self.seed * 1_000_003 + self.step)
        batch = replace(batch, facts=forgotten(batch.facts, _FORGOTTEN))
        losses = [self._play(name, batch) for name in self.optimisers]
        finite = all(math.isfinite(loss) for loss in losses)
        self.skipped += not finite
        self.skipped_in_a_row = 0 if finite else self.skipped_in_a_row + 1
        if finite:
            self._update_average()
        self.step += 1
        return sum(losses)

    def tensors(self) -> dict[str, torch.Tensor]:
        """All tensors that decide how the run goes on, by name."""
        found = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        found |= {f"average.{name}": tensor for name, tensor in self.average.state_dict().items()}
        for player, optimiser in self.optimisers.items():
            for index, moments in optimiser.state_dict()["state"].items():
                found |= {f"adam.{player}.{index}.{name}": value for name, value in moments.items()}
        return found

    def counts(self) -> dict[str, int]:
        """The numbers that decide how the run goes on."""
        return {
            "step": self.step,
            "skipped": self.skipped,
            "skipped_in_a_row": self.skipped_in_a_row,
        }

    def restore(self, tensors: Mapping[str, torch.Tensor], counts: Mapping[str, int]) -> None:
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

    def _play(self, name: str, batch: Batch) -> float:
        """One step of one player; nothing changes if its loss or gradient is not finite."""
        optimiser = self.optimisers[name]
        parameters = optimiser.param_groups[0]["params"]
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.precision == "bf16"):
            loss = self.model.loss(batch, name)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(parameters, _LARGEST_GRADIENT, foreach=True)
        if not torch.isfinite(loss + norm):
            return math.nan
        optimiser.param_groups[0]["lr"] = self.learning_rate
        optimiser.step()
        return loss.item()

    def _update_average(self) -> None:
        """Exponential moving average, which at first follows quickly: (1 + k) / (10 + k) after k steps."""
        keep = min(self.settings.ema, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(self.model.parameters()), 1 - keep)
        self._average_buffers()

    def _average_buffers(self) -> None:
        for average, buffer in zip(self.average.buffers(), self.model.buffers(), strict=True):
            average.copy_(buffer)


def _laid_out(value: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """A moment in the memory layout of its weight: fused Adam walks through both side by side."""
    return torch.empty_like(like).copy_(value) if value.shape == like.shape else value


def _below(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
