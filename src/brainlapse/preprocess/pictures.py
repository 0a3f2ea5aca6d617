"""The picture by which a person judges a preprocessed scan in two seconds."""

import numpy as np
from PIL import Image as Picture
from scipy import ndimage

PANEL_PIXELS = 240
MASK_COLOUR, TEMPLATE_COLOUR = (255, 60, 60), (80, 255, 120)
TEMPLATE_WHITE = 0.75
LARGEST_DIFFERENCE = 0.5  # of the volume's range of 2 that is drawn in full red or blue


def qc_picture(
    volume: np.ndarray, mask: np.ndarray, template_t1: np.ndarray, baseline: np.ndarray | None = None
) -> Picture.Image:
    """Return an RGB picture: the brain in three planes, twice, and for a follow-up the change.

    First row: the outline of the brain mask (red) and of the template's white
    matter (green). Second row: the volume alone. Third row, follow-ups only:
    volume minus baseline, brighter in red and darker in blue.
    """
    grey = np.repeat(((volume + 1) * 127.5).astype(np.uint8)[..., None], 3, axis=-1)
    rows = [_outlined(grey, mask, template_t1), _planes(grey)]
    if baseline is not None:
        rows.append(_planes(_change(volume - baseline)))
    scale = max(1, round(PANEL_PIXELS / max(volume.shape)))
    height = max(panel.shape[0] for panel in rows[0])
    page = np.concatenate([np.concatenate([_padded(p, height) for p in row], axis=1) for row in rows])
    return Picture.fromarray(np.kron(page, np.ones((scale, scale, 1), dtype=np.uint8)))


def _planes(volume: np.ndarray) -> list[np.ndarray]:
    """Middle sagittal-beside-midline, coronal and axial plane, up is up, the left of the picture is left."""
    x, y, z, _ = volume.shape
    cuts = volume[int(0.42 * x)], volume[:, y // 2], volume[:, :, z // 2]
    return [np.ascontiguousarray(cut.transpose(1, 0, 2)[::-1]) for cut in cuts]


def _outlined(grey: np.ndarray, mask: np.ndarray, template_t1: np.ndarray) -> list[np.ndarray]:
    drawn = []
    parts = (mask, template_t1 > TEMPLATE_WHITE)
    layers = [_planes(np.repeat(part[..., None], 3, axis=-1)) for part in parts]
    for panel, brain, white in zip(_planes(grey), *layers, strict=True):
        panel[_edge(white[..., 0])] = TEMPLATE_COLOUR
        panel[_edge(brain[..., 0])] = MASK_COLOUR
        drawn.append(panel)
    return drawn


def _edge(mask: np.ndarray) -> np.ndarray:
    return mask & ~ndimage.binary_erosion(mask)


def _change(difference: np.ndarray) -> np.ndarray:
    part = np.clip(difference / LARGEST_DIFFERENCE, -1, 1)
    fade = 1 - np.abs(part)
    colours = np.stack([np.where(part > 0, 1, fade), fade, np.where(part < 0, 1, fade)], axis=-1)
    return (255 * colours).astype(np.uint8)


def _padded(panel: np.ndarray, height: int) -> np.ndarray:
    return np.pad(panel, ((0, height - panel.shape[0]), (0, 0), (0, 0)), mode="edge")
