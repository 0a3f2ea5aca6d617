"""The metrics, one a file. Each file has a `REGION` (where it measures) and a pure `score(case) -> float`.

A score is NaN where it is undefined. To add a metric write a file and one line here.
"""

from types import ModuleType

from brainlapse.evaluate.metrics import (
    change_correlation,
    change_dice,
    change_error,
    change_sign_agreement,
    mae_brain,
    mae_changed,
    ms_ssim_volume_masked,
    psnr_brain,
    ssim_brain,
    ssim_volume,
    ssim_volume_masked,
)

METRICS: dict[str, ModuleType] = {
    "ssim_brain": ssim_brain,
    "ssim_volume": ssim_volume,
    "ssim_volume_masked": ssim_volume_masked,
    "ms_ssim_volume_masked": ms_ssim_volume_masked,
    "psnr_brain": psnr_brain,
    "mae_brain": mae_brain,
    "mae_changed": mae_changed,
    "change_correlation": change_correlation,
    "change_error": change_error,
    "change_dice": change_dice,
    "change_sign_agreement": change_sign_agreement,
}
