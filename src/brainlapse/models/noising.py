"""Noise schedules, and the three ways to say what stands in a noisy volume.

Notation: x_0 clean, x_t noisy, a_t the share of variance that is still signal
(alpha-bar of Ho et al. 2020, "DDPM"), so that x_t = sqrt(a_t) x_0 + sqrt(1 - a_t) epsilon.
"""

import math

import torch

_OFFSET = 0.008  # s of Nichol and Dhariwal: the first steps must not be too small to notice
_LARGEST_BETA = 0.999  # theirs too: without it nothing is left of the signal at T - 1


def linear_shares(timesteps: int, beta: tuple[float, float]) -> torch.Tensor:
    """(T,) the products a_t of (1 - beta), beta rising linearly (Ho et al. 2020, section 4)."""
    betas = torch.linspace(*beta, timesteps, dtype=torch.float64)
    return torch.cumprod(1 - betas, dim=0).float()


def cosine_shares(timesteps: int) -> torch.Tensor:
    """(T,) a_t that fall like a squared cosine (Nichol and Dhariwal 2021, "Improved DDPM", eq. 17)."""
    times = torch.arange(timesteps + 1, dtype=torch.float64) / timesteps
    f = torch.cos((times + _OFFSET) / (1 + _OFFSET) * math.pi / 2).square()
    betas = (1 - f[1:] / f[:-1]).clamp(max=_LARGEST_BETA)
    return torch.cumprod(1 - betas, dim=0).float()


def noised(clean: torch.Tensor, noise: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
    """x_t (Ho et al., eq. 4)."""
    return a.sqrt() * clean + (1 - a).sqrt() * noise


def to_say(predict: str, clean: torch.Tensor, noise: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
    """What a network that knew everything would say: `epsilon`, `v`, or x_0 for any other word."""
    if predict == "epsilon":
        return noise
    if predict == "v":
        return a.sqrt() * noise - (1 - a).sqrt() * clean  # Salimans and Ho 2022, section 4
    return clean


def clean_from(predict: str, said: torch.Tensor, noisy: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
    """The x_0 that an answer about x_t amounts to; for epsilon `a` must not be 0."""
    if predict == "epsilon":
        return (noisy - (1 - a).sqrt() * said) / a.sqrt()
    if predict == "v":
        return a.sqrt() * noisy - (1 - a).sqrt() * said
    return said
