"""A contact sheet of the preprocessing's own pictures, a person each, small."""

import io

from PIL import Image, UnidentifiedImageError

from brainlapse.report.study import Study
from brainlapse.report.style import data_uri

SHOWN = 6
WIDTH_PIXELS = 520


def contact_sheet(study: Study) -> list[dict]:
    """At most SHOWN pictures, of people evenly spaced over the sorted list: `name` and data URI `image`."""
    first_of_each = {}
    for path in sorted(study.results.glob("2_preprocess/*/sub-*/ses-*/anat/*_qc.png")):
        first_of_each.setdefault(path.parents[2], path)
    paths = list(first_of_each.values())
    if not paths:
        study.missing.append("2_preprocess/*/sub-*/ses-*/anat/*_qc.png: nothing there")
    chosen = sorted({round(n * (len(paths) - 1) / max(1, SHOWN - 1)) for n in range(SHOWN)}) if paths else []
    pictures = [(paths[n].name.removesuffix("_qc.png"), _small(paths[n])) for n in chosen]
    return [{"name": name, "image": image} for name, image in pictures if image]


def _small(path) -> str | None:
    """The picture no wider than WIDTH_PIXELS; None if it cannot be read."""
    try:
        with Image.open(path) as picture:
            picture = picture.convert("RGB")
            picture.thumbnail((WIDTH_PIXELS, 10 * WIDTH_PIXELS))
            stream = io.BytesIO()
            picture.save(stream, "JPEG", quality=82)
    except (OSError, UnidentifiedImageError):
        return None
    return data_uri(stream.getvalue(), "image/jpeg")
