"""A feature space for distances between sets of volumes that needs no download: `random3d`.

A convolution net with fixed random weights. It is not trained: it sees
contrast, edges and texture at three scales, and knows nothing of anatomy.
Distances in it compare models with each other and with their floor, not with
a published FID. torch-fidelity knows it by the name `random3d`.
"""

import itertools

import numpy as np
import torch
from torch import nn

from brainlapse.evaluate.fidelity import torch_fidelity

NAME = "random3d"
WIDTHS = (1, 8, 16, 32)
DIMENSIONS = 2 * WIDTHS[-1]
_WEIGHT_SEED = 2411_05860
# Brings the features of a brain to about unit size, so that distances read as numbers near 1.
_SCALE = 10.0


class RandomExtractor(torch_fidelity.FeatureExtractorBase):
    """torch-fidelity's face of the space: (B, 1, X, Y, Z) on [0, 1] → ((B, 64),)."""

    def __init__(self, name: str = NAME, features_list: tuple[str, ...] = (NAME,), **_):
        super().__init__(name, list(features_list))
        # numpy's generator gives the same weights on every version of torch.
        rng = np.random.default_rng(_WEIGHT_SEED)
        self.layers = nn.ModuleList(
            _convolution(inputs, outputs, rng) for inputs, outputs in itertools.pairwise(WIDTHS)
        )
        self.requires_grad_(False)

    @staticmethod
    def get_provided_features_list() -> tuple[str, ...]:
        return (NAME,)

    @staticmethod
    def get_default_feature_layer_for_metric(metric: str) -> str:
        return NAME

    @staticmethod
    def can_be_compiled() -> bool:
        return False

    def forward(self, volumes: torch.Tensor) -> tuple[torch.Tensor]:
        """Mean and standard deviation over space of the last layer's channels."""
        seen = volumes
        for layer in self.layers:
            seen = nn.functional.leaky_relu(layer(seen), 0.2)
        seen = _SCALE * seen.flatten(2)
        return (torch.cat([seen.mean(dim=2), seen.std(dim=2)], dim=1),)


class RandomFeatures:
    """The same for one array: (X, Y, Z) on [0, 1] → (1, 64) float64."""

    def __init__(self):
        self.extractor = RandomExtractor()

    def __call__(self, volume: np.ndarray) -> np.ndarray:
        batch = torch.from_numpy(volume.astype(np.float32))[None, None]
        return self.extractor(batch)[0].double().numpy()


def _convolution(inputs: int, outputs: int, rng: np.random.Generator) -> nn.Conv3d:
    layer = nn.Conv3d(inputs, outputs, kernel_size=3, stride=2, padding=1, bias=False)
    scale = np.sqrt(2 / (27 * inputs))  # He et al. 2015, eq. 10
    weights = rng.standard_normal(layer.weight.shape) * scale
    layer.weight.data = torch.from_numpy(weights.astype(np.float32))
    return layer


torch_fidelity.register_feature_extractor(NAME, RandomExtractor)
