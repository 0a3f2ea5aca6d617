"""A contact sheet of the preprocessing's own pictures, a person each, small."""

import io

from PIL import Image, UnidentifiedImageError

from brainlapse.report.study import Study
from brainlapse.report.style import data_uri

SHOWN = 6
WIDTH_PIXELS = 520


def contact_sheet(study: Study) -> list[dict]:
    """At most SHOWN pictures, of people evenly spaced over the list: `name` and data URI `image`."""
    accepted = study.quality[study.quality["status"] == "accepted"].dropna(subset="picture")
    people = accepted.drop_duplicates(["cohort", "subject"]).reset_index(drop=True)
    chosen = sorted({round(n * (len(people) - 1) / (SHOWN - 1)) for n in range(SHOWN)}) if len(people) else []
    sheet = []
    for row in people.loc[chosen].itertuples():
        path = study.results / "2_preprocess" / row.cohort / row.picture
        image = small(path)
        if image is None:
            study.missing.append(f"{path}: cannot be read")
        else:
            sheet.append({"name": f"{row.subject}, {row.scan}", "image": image})
    return sheet


def small(path) -> str | None:
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
