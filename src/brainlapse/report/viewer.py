"""Volumes to look through in the page: slices of all three planes, linked, without anything to load.

Each volume is a mosaic of its axial slices, cropped to the brain, in 8 bits. viewer.js cuts
the planes out of it. Where scripts do not run the page's pictures stay.
"""

import io

import numpy as np
from PIL import Image

from brainlapse.report.examples import Example
from brainlapse.report.pictures import box_of, largest, smoothed_change
from brainlapse.report.style import data_uri


def viewer(example: Example, limit: float, name: str) -> dict | None:
    """What viewer.js needs: mosaics, their shape (right, front, top), where to begin; None without samples.

    Change maps hold 0 at 128 and reach -limit and limit at 1 and 255.
    """
    if not example.samples:
        return None
    model, sample = next(iter(example.samples.items()))
    volumes = {"source": example.source, "true follow-up": example.truth, model: sample}
    changes = {"true change": example.truth, "predicted change": sample}
    box = box_of(example.brain)
    smooth = {title: smoothed_change(volume, example) for title, volume in changes.items()}
    begin = [int(at - part.start) for at, part in zip(largest(smooth["true change"]), box, strict=True)]
    panels = [_panel(title, _grey(volume[box]), "grey") for title, volume in volumes.items()]
    panels += [_panel(title, _signed(change[box], limit), "change") for title, change in smooth.items()]
    shape = [part.stop - part.start for part in box]
    return {"name": name, "shape": shape, "begin": begin, "panels": panels, "limit": f"{limit:.2f}"}


def _grey(volume: np.ndarray) -> np.ndarray:
    return np.rint(127.5 * (np.clip(volume, -1, 1) + 1)).astype(np.uint8)


def _signed(change: np.ndarray, limit: float) -> np.ndarray:
    part = np.clip(np.nan_to_num(change) / limit, -1, 1)
    return np.rint(128 + 127 * part).astype(np.uint8)


def _panel(title: str, voxels: np.ndarray, kind: str) -> dict:
    """The axial slices under each other, each with its front on top, as PNG."""
    right, front, top = voxels.shape
    mosaic = voxels.transpose(2, 1, 0).reshape(top * front, right)
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(mosaic)).save(stream, "PNG", optimize=True)
    return {"title": title, "kind": kind, "image": data_uri(stream.getvalue(), "image/png")}
