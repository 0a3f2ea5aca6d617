"""From the study to the page: gathers the parts and fills the template, which escapes all text."""

import json
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from brainlapse.report import claims, compute, parts, people, rates, sureness
from brainlapse.report.caveats import caveats
from brainlapse.report.contact import contact_sheet
from brainlapse.report.examples import RULE, Example, examples
from brainlapse.report.failures import failures
from brainlapse.report.figures import consort, curves, gains, reliability, sweep, ventricles, years
from brainlapse.report.figures import rates as rate_figure
from brainlapse.report.methods import methods
from brainlapse.report.model_card import model_card
from brainlapse.report.numbers import (
    IMAGE_CELLS,
    MORE_CELLS,
    SWEEP_CELLS,
    distance_table,
    paper_table,
    score_table,
)
from brainlapse.report.pictures import common_limit, example_picture, first_picture
from brainlapse.report.stability import by_seed
from brainlapse.report.study import FLOORS, Study
from brainlapse.report.verdict import verdict
from brainlapse.report.viewer import viewer
from brainlapse.report.words import number, plural
from brainlapse.versions import versions

PRIMARY = "brainlapse"  # the model that is judged, unless the settings name another one


def render(study: Study, settings: dict) -> str:
    """The page as HTML. `settings`: `title`, `config` (shown as it is), and perhaps `primary`."""
    config, primary = settings["config"], settings.get("primary", PRIMARY)
    cohorts = [_cohort(study, cohort, primary, config) for cohort in study.cohorts]
    ranked = study.models(study.cohorts[0], primary) if study.cohorts else []
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            title=settings["title"],
            cohorts=cohorts,
            paper=paper_table(study, ranked),
            external=parts.external(study, ranked),
            curves=curves.draw(study.journals),
            flows=[(flow, consort.draw(flow), consort.describe(flow)) for flow in people.flows(study)],
            splits=people.splits(study),
            leakage=people.leakage(study),
            contact=contact_sheet(study),
            compute=compute.by_rule(study),
            failures=failures(study),
            methods=methods(study, config),
            card=model_card(study, config, primary),
            caveats=caveats(study, config),
            config=json.dumps(config, indent=2, ensure_ascii=False),
            versions=versions(),
            missing=study.missing,
            subjects=settings.get("subjects", ""),
        )
    )


def environment() -> Environment:
    """The templates of this folder; a name that is not given is an error."""
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip


def _cohort(study: Study, cohort: str, primary: str, config: dict) -> dict:
    """All that the page shows of one cohort's scores."""
    models = study.models(cohort, primary)
    rows, distances = (t[t["cohort"] == cohort] for t in (study.comparisons, study.distributions))
    judged, swept = study.judged(cohort), study.swept(cohort)
    shown = examples(study, cohort, models) if models else []
    limit = common_limit(shown)
    first = models[0] if models else ""
    best = claims.best(study, cohort, [model for model in models if model not in FLOORS])
    about = {
        "name": cohort,
        "models": models,
        "verdict": verdict(rows, first) if models else [],
        "rule": RULE.format(model=first),
        "first": _first(shown, limit),
        "examples": [_captioned(example, limit) for example in shown],
        "viewers": [viewer(example, limit, f"{cohort}-{n}") for n, example in enumerate(shown)],
        "people": plural(judged["subject"].nunique(), "person"),
        "requests": plural(judged["request"].nunique(), "follow-up"),
    }
    figures = {
        "gains": gains.draw(rows, models),
        "rates": rate_figure.draw(judged, rows, first),
        "ventricles": ventricles.draw(judged, rows, models),
        "sweep": sweep.draw(swept, judged, models),
        "years": years.draw(study.subgroups[study.subgroups["cohort"] == cohort], models),
        "reliability": reliability.draw(judged, models),
    }
    found = {
        "images": score_table(rows, models, IMAGE_CELLS, IMAGES, best),
        "more": score_table(rows, models, MORE_CELLS, MORE, best),
        "pairs": claims.pairs(study, cohort, first),
        "by_region": rates.by_region(study, cohort, first),
        "by_model": rates.by_model(study, cohort, models, "ventricles"),
        "retest": rates.retest_sentence(study, cohort),
        "by_years": parts.by_years(study, cohort, first),
        "swept": score_table(rows, [m for m in models if m != "zero"], SWEEP_CELLS, SWEPT, {}),
        "ablations": claims.ablations(study, cohort, config),
        "interactions": claims.interactions(study, cohort),
        "subgroups": parts.subgroups(study, cohort, first),
        "coverage": sureness.coverage(study, cohort, models),
        "distances": distance_table(distances, models),
        "times": compute.sampling_times(study, cohort, models, config),
        "seeds": by_seed(study, cohort),
    }
    return about | figures | found


IMAGES = (
    "The image and its change. Each person counts once; arrows say which way is better. A star marks the "
    "best model only where its difference from every model that it is contrasted with excludes 0."
)
MORE = "Further scores of the same samples, each named by its convention."
SWEPT = (
    "How each model reacts to the years asked for. The last column is the distance from the source when no "
    "time is asked for, in units of what another scan of the same day shows: at most 1 is within the noise."
)


def _first(shown: list[Example], limit: float) -> dict | None:
    """The picture of the first screen: the median follow-up, which stands first."""
    shown = [example for example in shown if example.samples]
    if not shown:
        return None
    example = shown[0]
    years_apart, model = number(example.request["interval_years"], 1), next(iter(example.samples))
    return {
        "image": first_picture(example, limit),
        "alt": f"An axial slice of the source, of the true follow-up after {years_apart} years and of "
        f"{model}, and the true and the predicted change.",
        "caption": f"{example.request['subject']}, {years_apart} years: the {example.chosen_as}. "
        "Purple became darker (tissue lost), orange brighter.",
    }


def _captioned(example: Example, limit: float) -> dict:
    request = example.request
    years_apart = number(request["interval_years"], 1)
    return {
        "image": example_picture(example, limit),
        "heading": f"{request['subject']}, {years_apart} years: {example.chosen_as}",
        "caption": f"{request['source_scan']} → {request['target_scan']}. "
        f"Gain in ssim_brain over copying {number(example.gain, 4, sign=True)}.",
        "alt": f"Source, true follow-up after {years_apart} years and the samples of "
        f"{', '.join(example.samples)} for {request['subject']}, with the change from the source below each.",
    }
