"""torch-fidelity, importable also beside a torch without a GPU.

torch-fidelity imports torchvision, and torchvision as it comes from the package
index is built for GPUs: beside a CPU torch its operators are missing and the
import fails. Nothing here uses those operators, so that their schemas are
declared, only where they are missing, is enough.
"""

import torch

try:
    import torchvision  # noqa: F401
except RuntimeError:
    _MISSING = torch.library.Library("torchvision", "FRAGMENT")
    for _name in ("nms", "qnms"):
        _MISSING.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

import torch_fidelity as torch_fidelity
