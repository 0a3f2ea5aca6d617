"""From noise to a clean volume in few or many steps.

Song et al. 2021 ("DDIM"), eq. 12 and 16: one update, whose `eta` says how much
fresh noise a step adds. eta 0 is DDIM; eta 1 over all T timesteps is the
ancestral sampler of DDPM with the posterior's own variance.

DPM-Solver++(2M) (Lu et al. 2022, "DPM-Solver++", algorithm 2) is DDIM's update
towards a better x_0: the answers at two timesteps are continued to the middle of
the step, linearly in lambda = log(sqrt(a) / sqrt(1 - a)). A step from or to where
lambda is infinite, pure noise or the clean volume, has nothing to continue and is
DDIM's own, which is exact there.

The timesteps are equally spaced and each step lands on the very next one, the
last on the clean volume: nothing is left of the noise at the end.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch

from brainlapse.errors import Refused
from brainlapse.models.batch import Noise
from brainlapse.models.settings import at_least, one_of


class Sampler(NamedTuple):
    """How much fresh noise a step adds, and of how many answers it makes its x_0."""

    eta: float
    order: int


SAMPLERS = {"ddim": Sampler(0.0, 1), "ddpm": Sampler(1.0, 1), "dpm++": Sampler(0.0, 2)}


@dataclass(frozen=True)
class Sampling:
    """The `sampling` of a row that diffuses: editing it trains nothing again."""

    sampler: str = "ddim"  # ddim, dpm++: no noise after the first; ddpm: ancestral, noise at every step
    steps: int = 1  # network calls; 1 gives the expected follow-up
    draws: int = 1  # follow-ups for each request

    def __post_init__(self):
        one_of("sampling.sampler", self.sampler, tuple(SAMPLERS))
        at_least("sampling.steps", self.steps, 1)
        at_least("sampling.draws", self.draws, 1)


def sampled(
    clean_at: Callable[[torch.Tensor, int], torch.Tensor],  # (x_t, t) to the x_0 it points to
    noise: Noise,
    signal: torch.Tensor,  # (T,) share of signal variance a_t
    sampler: str,
    steps: int,
) -> torch.Tensor:
    """Return the clean volume at the end of `steps` calls of `clean_at`.

    Refused if there are fewer timesteps than steps.
    """
    eta, order = SAMPLERS[sampler]
    times = path(len(signal), steps)
    x, before, clean_before = noise(), None, None
    for now, after in zip(times, [*times[1:], None], strict=True):
        clean = clean_at(x, now)
        if after is None:
            return clean
        a, a_after = signal[now], signal[after]
        pointed = clean
        if order == 2 and before is not None:
            pointed = clean + _continued(signal[before], a, a_after) * (clean - clean_before)
        told_noise = (x - a.sqrt() * pointed) / (1 - a).sqrt()
        fresh = eta * ((1 - a_after) / (1 - a) * (1 - a / a_after)).sqrt()
        x = a_after.sqrt() * pointed + (1 - a_after - fresh**2).clamp(min=0).sqrt() * told_noise
        if fresh > 0:
            x = x + fresh * noise()
        before, clean_before = now, clean
    raise AssertionError("a path has at least one step")


def path(timesteps: int, steps: int) -> list[int]:
    """The timesteps to visit, from T - 1 down, equally spaced; the step after the last is "clean"."""
    if steps > timesteps:
        raise Refused(f"sampling.steps: {steps} is more than the {timesteps} timesteps.")
    return torch.linspace(timesteps - 1, -1, steps + 1, dtype=torch.float64).round().long()[:-1].tolist()


def _continued(a_before: torch.Tensor, a: torch.Tensor, a_after: torch.Tensor) -> torch.Tensor:
    """1 / (2 r) of algorithm 2: half this step's length in lambda by the last one's; 0 after pure noise."""
    before, now, after = (share.logit() / 2 for share in (a_before, a, a_after))
    return (after - now) / (2 * (now - before))
