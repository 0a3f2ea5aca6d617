"""Does this follow-up look real, here, of this source after this time? The GAN's second network.

A PatchGAN (Isola et al. 2017, "pix2pix", section 3.2.2): a logit for each place,
which sees about 62 voxels along each axis, as the paper's sees 70 pixels. It is
told interval and facts by scale and shift in every block, as the generator is;
a constant map beside the image (broadcasting) is the shift alone, in the first
layer alone. Group normalisation, not the paper's batch normalisation, whose
judgement of one follow-up would depend on the others of its batch.
"""

import torch
from torch import nn

from brainlapse.models.batch import Batch
from brainlapse.models.conditions import numbers_of, numbers_told
from brainlapse.models.encoder import Encoder
from brainlapse.models.unet import NetworkSettings

_LEVELS = 2  # with patches of 2 voxels this gives the 62


class Discriminator(nn.Module):
    """Logits (B, 1, x, y, z), positive for real, of a standardised change (B, 1, X, Y, Z) of the source."""

    def __init__(self, network: NetworkSettings, conditions: tuple[str, ...]):
        super().__init__()
        self.conditions = conditions
        channels = network.channels[:_LEVELS]
        self.trunk = Encoder(network.patch, channels, ("change", "source"), numbers_told(conditions))
        self.last = nn.Sequential(nn.SiLU(), nn.Conv3d(channels[-1], 1, 1))

    def forward(self, change: torch.Tensor, batch: Batch) -> torch.Tensor:
        images = {"change": change, "source": batch.source}
        return self.last(self.trunk(images, numbers_of(batch, self.conditions))).float()
