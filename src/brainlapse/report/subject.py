"""A page for each person whose follow-ups were predicted, and a list of them."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from brainlapse import tables
from brainlapse.report.contact import small
from brainlapse.report.figures import course, prediction
from brainlapse.report.outside import Trained
from brainlapse.report.page import PRIMARY, environment
from brainlapse.report.rates import REGIONS
from brainlapse.report.study import Study
from brainlapse.report.table import PageTable, Row, numbers_of
from brainlapse.report.words import number
from brainlapse.volumes import read_volume
from brainlapse.writing import whole_folder, write_text

CHANGE_LIMIT = 0.1  # of the intensity range: where the scale of all these pages ends
_TRUE, _FORETOLD = "true_volume_change_percent", "volume_change_percent"
_ERROR = "volume_rate_error_percent_per_year"


def write_subjects(study: Study, settings: dict, folder: Path) -> int:
    """Write `folder` anew, a page a person and index.html; return how many people it has.

    One person's volumes are in memory at a time.
    """
    model, written = settings.get("primary", PRIMARY), []
    trained = Trained(study)
    template = environment().get_template("subject.html.j2")
    with whole_folder(folder) as beside:
        for cohort, subject, about in _people(study, model, trained):
            path = f"{cohort}/{subject}.html"
            write_text(beside / path, template.render(title=settings["title"], **about))
            written.append(
                {"path": path, "cohort": cohort, "subject": subject, "warnings": len(about["warnings"])}
            )
        listed = environment().get_template("subjects.html.j2")
        write_text(beside / "index.html", listed.render(title=settings["title"], people=written, model=model))
    return len(written)


def _people(study: Study, model: str, trained: Trained) -> Iterator[tuple[str, str, dict]]:
    for cohort in study.cohorts:
        path = study.results / "5_sample" / model / cohort / "requests.tsv"
        if not path.exists():
            continue
        requests = tables.read(path, tables.REQUESTS)
        samples = tables.read(path.parent / "samples.tsv", tables.SAMPLES)
        images = samples[samples["draw"] == 0].set_index("request")["image"]
        scores = study.scores[(study.scores["cohort"] == cohort) & (study.scores["model"] == model)]
        errors = _errors(scores)
        for subject, asked in requests.groupby("subject", sort=True):
            swept = asked[asked["target_scan"].isna()]
            if len(swept):
                yield (
                    cohort,
                    str(subject),
                    _about(study, trained, asked, swept, path.parent, images, scores, errors, model),
                )


def _about(
    study: Study,
    trained: Trained,
    asked: pd.DataFrame,
    swept: pd.DataFrame,
    folder: Path,
    images: pd.Series,
    scores: pd.DataFrame,
    errors: dict[str, float],
    model: str,
) -> dict:
    """All that the page of one person shows, which starts from the scan that the sweep starts from."""
    cohort, subject, scan = (swept.iloc[0][key] for key in ("cohort", "subject", "source_scan"))
    place = study.results / "2_preprocess" / cohort
    quality = study.quality[study.quality["cohort"] == cohort].set_index("scan")
    source, _ = read_volume(place / quality.at[scan, "image"])
    mask, _ = read_volume(place / quality.at[scan, "mask"])
    true = asked[(asked["source_scan"] == scan) & asked["target_scan"].notna()].sort_values("interval_years")
    wanted = swept[swept["interval_years"] > 0].sort_values("interval_years")
    volumes = {
        _years(row.interval_years): read_volume(folder / images[row.request])[0]
        for row in wanted.itertuples()
    }
    volumes |= {
        f"true, {row.interval_years:.1f}": read_volume(place / quality.at[row.target_scan, "image"])[0]
        for row in true.itertuples()
    }
    facts = study.scans[(study.scans["cohort"] == cohort) & (study.scans["scan"] == scan)]
    own = scores[scores["subject"] == subject]
    foretold = own[own["request"].isin(wanted["request"]) & (own["metric"] == _FORETOLD)]
    came = own[own["request"].isin(true["request"]) & (own["metric"] == _TRUE)]
    picture = quality.at[scan, "picture"]
    return {
        "cohort": cohort, "subject": subject, "scan": scan, "model": model,
        "facts": _facts(facts.iloc[0] if len(facts) else None, quality.loc[scan]),
        "warnings": trained.warnings(facts.iloc[0], quality.loc[scan], list(wanted["interval_years"]))
        if len(facts) else ["The scan is not in scans.tsv."],
        "picture": prediction.draw(source, mask > 0, volumes, CHANGE_LIMIT),
        "course": course.draw(foretold, came, errors),
        "volumes": _volumes(foretold, errors),
        "quality": small(place / picture) if pd.notna(picture) else None,
    }  # fmt: skip


def _errors(scores: pd.DataFrame) -> dict[str, float]:
    """By region the model's mean error of the rate over all people who were followed up, percent a year."""
    found = scores[scores["metric"] == _ERROR].groupby(["region", "subject"])["value"].mean()
    means = found.groupby("region").mean()
    return {region: float(means[region]) for region in REGIONS if region in means.index}


def _volumes(foretold: pd.DataFrame, errors: dict[str, float]) -> PageTable | None:
    """One row a number of years: each region's change with the usual error at that distance."""
    rows = []
    for years, part in foretold.groupby("interval_years"):
        by_region = part.set_index("region")["value"]
        rows.append(Row(_years(years), [
            (number(by_region.get(region), 1, sign=True), f"± {number(error * years, 1)}")
            for region, error in errors.items()
        ]))  # fmt: skip
    if not rows:
        return None
    return PageTable(
        "Foretold change of volume since the source, %. ± is the mean error of the rate over all people of "
        "the cohort who "
        "were followed up, times the years: how far such a prediction is usually off, not what is known of "
        "this person.",
        list(errors), rows, "after", numbers_of(foretold), "6_evaluate/scores.tsv",
    )  # fmt: skip


def _facts(scan: pd.Series | None, quality: pd.Series) -> list[tuple[str, str]]:
    told = {
        "age": "age_years", "sex": "sex", "diagnosis": "diagnosis",
        "field strength, T": "field_strength_t", "acquired": "acquired",
    }  # fmt: skip
    found = []
    for word, column in told.items():
        value = None if scan is None else scan[column]
        if value is not None and pd.notna(value):
            found.append((word, number(value, 1) if isinstance(value, float) else str(value)))
    found.append(("brain volume, mL", number(quality["brain_volume_ml"], 0)))
    return found


def _years(years: float) -> str:
    return f"{years:g} year{'' if years == 1 else 's'}"
