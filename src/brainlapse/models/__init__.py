"""The models: how a follow-up is learnt and generated, a family a file.

A family is a `torch.nn.Module` made from its settings and the grid's shape, with

- `Settings`, the keys of its row in config.yaml, and `Sampling`, the keys of the
  row's `sampling` (no training depends on these), both frozen dataclasses;
- `calibrate(batches)`, which fits buffers to training pairs before the first step,
  going through them as often as it must;
- `players()`, the parameters that each player optimises (a GAN has two);
- `loss(batch, player)`, a number to be minimised; its random draws come from
  torch's global generator, which the training loop seeds for every step;
- `generate(batch, noise, sampling)`, the follow-up (B, 1, X, Y, Z) in [-1, 1],
  exactly -1 outside the brain of the source. Each call of `noise` gives the next
  standard normal numbers of that shape.
"""

from brainlapse.models.average import Average
from brainlapse.models.batch import Batch
from brainlapse.models.diffusion import Diffusion
from brainlapse.models.flow import Flow
from brainlapse.models.gan import GAN
from brainlapse.models.med_ddpm import MedDDPM
from brainlapse.models.regression import Regression
from brainlapse.models.vae import VAE

FAMILIES = {
    "average": Average,
    "diffusion": Diffusion,
    "flow": Flow,
    "med_ddpm": MedDDPM,
    "regression": Regression,
    "vae": VAE,
    "gan": GAN,
}

__all__ = ["FAMILIES", "Batch"]
