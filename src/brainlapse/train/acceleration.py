"""Two ways to train the same model with less: compiled in less time, recomputed in less memory.

Neither changes more than rounding. Both are for the U-Nets, which cost nearly
all. What a family computes around them is left as it is: random draws there must
be those of a training that is not compiled, and a discriminator is
differentiated twice, which compiled code cannot be, and called with weights that
are no longer there when its activations would be recomputed.
"""

from collections.abc import Iterator

from torch import nn

from brainlapse.models.guided_unet import GuidedUNet
from brainlapse.models.unet import UNet


def compile_networks(model: nn.Module) -> None:
    """Compile the model's U-Nets in place; the names of the weights stay as they are."""
    for network in _networks(model):
        network.compile()


def recompute_blocks(model: nn.Module) -> None:
    """Let every block of the U-Nets that can forget its activations and compute them again."""
    for network in _networks(model):
        for module in network.modules():
            if hasattr(module, "recompute"):
                module.recompute = True


def _networks(model: nn.Module) -> Iterator[nn.Module]:
    return (module for module in model.modules() if isinstance(module, UNet | GuidedUNet))
