"""A page for each person whose follow-ups were predicted, and a list of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pandas as pd

from brainlapse import tables
from brainlapse.report.contact import small
from brainlapse.report.figures import course
from brainlapse.report.outside import Trained, with_intensities
from brainlapse.report.page import PRIMARY, environment
from brainlapse.report.pixels import colour_bar
from brainlapse.report.study import FLOORS, Study
from brainlapse.report.subject_pictures import CHANGE_LIMIT, Slices
from brainlapse.report.subject_volumes import (
    TRUE,
    predicted_volumes,
    usual_errors,
    volume_table,
    years_of,
)
from brainlapse.report.words import number
from brainlapse.volumes import read_volume
from brainlapse.writing import whole_folder, write_text


def write_subjects(study: Study, settings: dict, folder: Path) -> int:
    """Write `folder` anew, a page a person and index.html; return how many people it has.

    `settings`: `title`, and perhaps `primary` and `subject_pages`, the most
    pages to write. One person's volumes are in memory at a time.
    """
    trained, people = Trained(study), list(_people(study, settings.get("primary", PRIMARY)))
    template, bar = environment().get_template("subject.html.j2"), colour_bar()
    written = []
    with whole_folder(folder) as beside:
        for person in islice(people, settings.get("subject_pages")):
            about = _about(study, trained, person)
            html = template.render(title=settings["title"], bar=bar, limit=CHANGE_LIMIT, **about)
            write_text(beside / person.path, html)
            written.append({"person": person, "warnings": len(about["warnings"])})
        listed = environment().get_template("subjects.html.j2")
        models = sorted({person.model for person in people})
        html = listed.render(title=settings["title"], people=written, found=len(people), models=models)
        write_text(beside / "index.html", html)
    return len(written)


@dataclass(frozen=True)
class Person:
    """Whom a page is about: their requests of one model, and the model's scores of the whole cohort."""

    cohort: str
    subject: str
    model: str
    requests: pd.DataFrame
    images: pd.Series  # of each request's first draw, below the model's samples of the cohort
    scores: pd.DataFrame

    @property
    def path(self) -> str:
        return f"{self.cohort}/{self.subject}.html"

    @property
    def swept(self) -> pd.DataFrame:
        """What was asked without a true follow-up, all of it from one scan."""
        return self.requests[self.requests["target_scan"].isna()].sort_values("interval_years")

    @property
    def scan(self) -> str:
        """The scan that the page starts from: that of the sweep."""
        return self.swept["source_scan"].iloc[0]

    @property
    def followed(self) -> pd.DataFrame:
        """The requests from the same scan whose follow-up came true."""
        from_it = self.requests["source_scan"] == self.scan
        return self.requests[from_it & self.requests["target_scan"].notna()].sort_values("interval_years")


def _people(study: Study, primary: str) -> Iterator[Person]:
    """Everybody of whom the sweep was asked, by cohort and id."""
    for cohort in study.cohorts:
        model = next((name for name in study.models(cohort, primary) if name not in FLOORS), primary)
        folder = study.results / "5_sample" / model / cohort
        if not (folder / "samples.tsv").exists():
            continue
        requests = tables.read(folder / "requests.tsv", tables.REQUESTS)
        samples = tables.read(folder / "samples.tsv", tables.SAMPLES)
        images = samples[samples["draw"] == 0].set_index("request")["image"]
        scores = study.scores[(study.scores["cohort"] == cohort) & (study.scores["model"] == model)]
        for subject, asked in requests.groupby("subject", sort=True):
            if asked["target_scan"].isna().any():
                yield Person(cohort, str(subject), model, asked, images, scores)


def _about(study: Study, trained: Trained, person: Person) -> dict:
    """All that the page of one person shows."""
    folder = study.results / "2_preprocess" / person.cohort
    quality = study.quality[study.quality["cohort"] == person.cohort].set_index("scan")
    measured = with_intensities(study, quality.loc[[person.scan]]).loc[person.scan]
    scans = study.scans[(study.scans["cohort"] == person.cohort) & (study.scans["scan"] == person.scan)]
    swept = person.swept[person.swept["interval_years"] > 0]
    own = person.scores[person.scores["subject"] == person.subject]
    predicted = predicted_volumes(own, swept["request"])
    errors, others = usual_errors(person.scores, person.subject)
    picture = measured["picture"]
    return {
        "person": person,
        "facts": _facts(scans, measured),
        "warnings": trained.warnings(scans.iloc[0], measured, list(swept["interval_years"]))
        if len(scans)
        else [f"Scan {person.scan} is not in scans.tsv, so what is known of it cannot be compared."],
        **_columns(study, person, swept, quality, folder),
        "courses": _courses(predicted, own, person, errors),
        "volumes": volume_table(predicted, errors, others, person.model),
        "quality": small(folder / picture) if pd.notna(picture) else None,
    }


def _columns(study: Study, person: Person, swept: pd.DataFrame, quality: pd.DataFrame, folder: Path) -> dict:
    """`predicted` and `came`: columns of slices, of what was predicted and of the scans that came."""
    samples = study.results / "5_sample" / person.model / person.cohort
    source, _ = read_volume(folder / quality.at[person.scan, "image"])
    mask, _ = read_volume(folder / quality.at[person.scan, "mask"])
    slices = Slices(source, mask > 0)
    predicted = [
        slices.column(
            f"after {years_of(row.interval_years)}", read_volume(samples / person.images[row.request])[0]
        )
        for row in swept.itertuples()
    ]
    came = [
        slices.column(
            f"after {number(row.interval_years, 1)} years",
            read_volume(folder / quality.at[row.target_scan, "image"])[0],
        )
        for row in person.followed.itertuples()
    ]
    return {"predicted": [slices.column("source"), *predicted], "came": came}


def _courses(predicted: pd.DataFrame, own: pd.DataFrame, person: Person, errors: dict) -> list[dict]:
    """A figure a region."""
    came = own[own["request"].isin(person.followed["request"]) & (own["metric"] == TRUE)]
    return [
        {
            "region": region,
            "image": course.draw(
                part, came[came["region"] == region], errors[region].after if region in errors else None
            ),
        }
        for region, part in predicted.groupby("region", sort=False)
    ]


def _facts(scans: pd.DataFrame, measured: pd.Series) -> list[tuple[str, str]]:
    """What is known of the scan, each as a word and its value."""
    told = {
        "age": "age_years", "sex": "sex", "diagnosis": "diagnosis",
        "field strength, T": "field_strength_t", "acquired": "acquired",
    }  # fmt: skip
    known = [(word, scans.iloc[0][column]) for word, column in told.items()] if len(scans) else []
    found = [
        (word, number(value, 1) if isinstance(value, float) else str(value))
        for word, value in known
        if pd.notna(value)
    ]
    return [
        *found,
        ("brain volume, mL", number(measured["brain_volume_ml"], 0)),
        ("agreement with the template", number(measured["template_correlation"], 3)),
    ]
