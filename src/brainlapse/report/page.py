"""From the study to the page: gathers the parts and fills the template, which escapes all text."""

import json
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from brainlapse.report import people
from brainlapse.report.caveats import caveats
from brainlapse.report.contact import contact_sheet
from brainlapse.report.examples import RULE, Example, examples
from brainlapse.report.figures import consort, curves, gains, sweep, ventricles
from brainlapse.report.numbers import IMAGE_CELLS, VOLUME_CELLS, distance_table, score_table
from brainlapse.report.pictures import example_picture
from brainlapse.report.provenance import versions
from brainlapse.report.study import Study
from brainlapse.report.verdict import verdict
from brainlapse.report.words import number, plural

PRIMARY = "brainlapse"  # the model that is judged, unless the settings name another one


def render(study: Study, settings: dict) -> str:
    """The page as HTML. `settings`: `title`, `config` (shown as it is), and perhaps `primary`."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    cohorts = [_cohort(study, cohort, settings.get("primary", PRIMARY)) for cohort in study.cohorts]
    return environment.get_template("page.html.j2").render(
        title=settings["title"],
        cohorts=cohorts,
        curves=curves.draw(study.journals),
        flows=[(flow, consort.draw(flow), consort.describe(flow)) for flow in people.flows(study)],
        splits=people.splits(study),
        contact=contact_sheet(study),
        caveats=caveats(study, settings["config"]),
        config=json.dumps(settings["config"], indent=2, ensure_ascii=False),
        versions=versions(),
        missing=study.missing,
    )


def _cohort(study: Study, cohort: str, primary: str) -> dict:
    """All that the page shows of one cohort's scores."""
    models = study.models(cohort, primary)
    rows, distances = (t[t["cohort"] == cohort] for t in (study.comparisons, study.distributions))
    judged, swept = study.judged(cohort), study.swept(cohort)
    shown = examples(study, cohort, models) if models else []
    return {
        "name": cohort,
        "models": models,
        "verdict": verdict(rows, models[0]) if models else [],
        "rule": RULE.format(model=models[0]) if models else "",
        "examples": [_captioned(example) for example in shown],
        "gains": gains.draw(rows, models),
        "images": score_table(rows, models, IMAGE_CELLS),
        "volumes": score_table(rows, models, VOLUME_CELLS),
        "distances": distance_table(distances, models),
        "ventricles": ventricles.draw(judged, rows, models),
        "sweep": sweep.draw(swept, judged, models),
        "people": plural(judged["subject"].nunique(), "person"),
        "requests": plural(judged["request"].nunique(), "follow-up"),
    }


def _captioned(example: Example) -> dict:
    request = example.request
    years = number(request["interval_years"], 1)
    return {
        "image": example_picture(example),
        "heading": f"{request['subject']}, {years} years",
        "caption": f"{request['source_scan']} → {request['target_scan']}. Chosen as: {example.chosen_as}. "
        f"Gain in ssim_brain over copying {number(example.gain, 4, sign=True)}.",
        "alt": f"Source, true follow-up after {years} years and the samples of "
        f"{', '.join(example.samples)} for {request['subject']}, with the change from the source below each.",
    }
