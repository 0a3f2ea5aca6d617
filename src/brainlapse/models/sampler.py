"""From noise to a clean volume in few or many steps.

Song et al. 2021 ("DDIM"), eq. 12 and 16: one update, whose `eta` says how much
fresh noise a step adds. eta 0 is DDIM; eta 1 over all T timesteps is the
ancestral sampler of DDPM with the posterior's own variance.

The timesteps are equally spaced and each step lands on the very next one, the
last on the clean volume: nothing is left of the noise at the end.
"""

from collections.abc import Callable

import torch

from brainlapse.models.batch import Noise

SAMPLERS = {"ddim": 0.0, "ddpm": 1.0}


def sampled(
    clean_at: Callable[[torch.Tensor, int], torch.Tensor],  # (x_t, t) to the x_0 it points to
    noise: Noise,
    signal: torch.Tensor,  # (T,) share of signal variance a_t
    sampler: str,
    steps: int,
) -> torch.Tensor:
    """Return the clean volume at the end of `steps` calls of `clean_at`."""
    times = path(len(signal), steps)
    x = noise()
    for now, after in zip(times, [*times[1:], None], strict=True):
        clean = clean_at(x, now)
        if after is None:
            return clean
        a, a_after = signal[now], signal[after]
        told_noise = (x - a.sqrt() * clean) / (1 - a).sqrt()
        fresh = SAMPLERS[sampler] * ((1 - a_after) / (1 - a) * (1 - a / a_after)).sqrt()
        x = a_after.sqrt() * clean + (1 - a_after - fresh**2).clamp(min=0).sqrt() * told_noise
        if fresh > 0:
            x = x + fresh * noise()
    raise AssertionError("a path has at least one step")


def path(timesteps: int, steps: int) -> list[int]:
    """The timesteps to visit, from T - 1 down, equally spaced; the step after the last is "clean"."""
    return torch.linspace(timesteps - 1, -1, steps + 1, dtype=torch.float64).round().long()[:-1].tolist()
