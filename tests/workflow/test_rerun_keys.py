"""Every key of the configuration reruns what the schema declares for it, no rule more and none less.

The keys come from the schema: a new one without a declaration, or with a wrong
one, fails here. Each is edited alone, in a study that gives every key a value.
"""

import copy
from pathlib import Path

import pytest
import yaml
from study import TINY

from brainlapse import config as study
from brainlapse.config_keys import NAME, family_keys, study_keys

SCHEMA = yaml.safe_load(study.SCHEMA.read_text(encoding="utf-8"))
# In the order of the data: what an edit can change of each of a rule's jobs.
SETTINGS = {
    "phantom": lambda config: {
        name: study.phantom_settings(config)
        for name, cohort in config["cohorts"].items()
        if cohort["reader"] == "phantom"
    },
    "manifest": lambda config: {name: study.manifest_settings(config, name) for name in config["cohorts"]},
    "preprocess": lambda config: {"every scan": study.preprocess_settings(config)},
    "gather": lambda config: {"every cohort": study.gather_settings(config)},
    "pairs": lambda config: {"all": study.pairs_settings(config)},
    "choice": lambda config: {name: study.choice_settings(config, name) for name in config["cohorts"]},
    "train": lambda config: {name: study.train_settings(config, name) for name in study.trained(config)},
    "sample": lambda config: {
        name: (
            study.sample_settings(config, name),
            study.weights_of(config, name),
            config["sample"]["shards"],
        )
        for name in config["models"]
    },
    "score": lambda config: {"every model": study.score_settings(config)},
    "compare": lambda config: {"all": study.compare_settings(config)},
    "report": lambda config: {"all": study.report_settings(config)},
    "subjects": lambda config: {"all": study.subjects_settings(config)},
}
RULES = tuple(SETTINGS)
# Values that no rule of the schema can find by itself.
VALUES = {
    "results": "elsewhere", "cohorts.NAME.root": "data/other", "cohorts.NAME.columns": {"age": "AGE"},
    "cohorts.NAME.people": "other", "preprocess.template": "OASIS30ANTs", "splits.train": 3,
    "splits.validation": 1, "splits.test": 1, "splits.file": "splits.tsv",
    "evaluate.inception_weights": "weights.pth", "evaluate.label_maps": "maps", "report.title": "another",
    "conditions": ["source", "interval", "age"], "weights": "other", "patch": 4,
    "seed": 5, "evaluate.references": ["copy"], "evaluate.ablations": {}, "full": "other",
    "no_source": "edited", "no_interval": "edited", "neither": "edited",
}  # fmt: skip


def another(path: str, rules: dict):
    """A value that the schema allows and that is not the default."""
    if "enum" in rules:
        return next(value for value in rules["enum"] if value != rules.get("default", rules["enum"][0]))
    for name in (path, path.rpartition(".")[2]):
        if name in VALUES:
            return VALUES[name]
    default = rules.get("default")
    if rules["type"] == "boolean":
        return not default
    if rules["type"] == "array":
        return [another(path, {**rules["items"], "default": default[0]}), *default[1:]]
    if rules["type"] == "integer":
        return (default or 0) + 1
    if rules["type"] == "number":
        return default * 0.9 if default else 0.1
    raise AssertionError(f"{path}: add a value to VALUES")


def study_of(row: dict, reader: str = "adni") -> dict:
    """A study of two cohorts, to edit the first, and of two models, to edit the second."""
    config = copy.deepcopy(TINY)
    config["cohorts"]["adni"]["reader"] = reader
    config["cohorts"]["another"] = {"reader": "bids", "root": "data/another"}
    config["models"] = {"other": dict(row), "edited": row}
    less = dict.fromkeys(("no_source", "no_interval", "neither"), "other")
    config["evaluate"]["ablations"] = {"any": {"full": "edited", **less}}
    return config


def edited(config: dict, path: str, value) -> dict:
    """The config with one value changed; NAME is the first row of what it stands in."""
    config = copy.deepcopy(config)
    *outer, last = path.split(".")
    inner = config
    for part in outer:
        inner = inner[next(iter(inner))] if part == NAME else inner.setdefault(part, {})
    inner[last] = value
    return config


def rules_changed(before: dict, after: dict) -> list[str]:
    """The rules of which an edit changes a job, in the order of the data; the report shows all keys."""
    before, after = study.complete(before), study.complete(after)
    jobs = {rule: (of(before), of(after)) for rule, of in SETTINGS.items()}
    return [rule for rule, (old, new) in jobs.items() if any(old.get(job) != new[job] for job in new)]


def first(rules: list[str]) -> str:
    return rules[0]


STUDY_KEYS = {key.path: key for key in study_keys(SCHEMA) if key.path not in ("cohorts", "models")}
ROW_KEYS = {
    (family, key.path): key
    for family in SCHEMA["families"]
    for key in family_keys(SCHEMA, family)
    if key.path != "family" and "const" not in key.rules
}


@pytest.mark.parametrize("path", STUDY_KEYS)
def test_a_key_of_the_study_reruns_what_is_declared(path):
    reader = "phantom" if path.startswith("phantom.") else "adni"
    key, config = STUDY_KEYS[path], study_of({"family": "average"}, reader)
    after = edited(config, path, another(path, key.rules))
    changed = rules_changed(config, after)
    if key.reruns == "everything":
        assert changed == ["report"]  # no rule's settings: all its files are others
    else:
        assert first(changed) == key.reruns


@pytest.mark.parametrize(("family", "path"), ROW_KEYS)
def test_a_key_of_a_row_reruns_what_is_declared(family, path):
    needs = {"start": "paced"} if path == "sampling.pace" else {}
    key, config = ROW_KEYS[family, path], study_of({"family": family, **needs})
    after = edited(config, f"models.edited.{path}", another(path, key.rules))
    assert first(rules_changed(config, after)) == key.reruns


def test_every_rule_that_has_settings_is_judged_by_them():
    """A rule of the workflow that takes settings and is missing here would be judged by nobody."""
    rules = {}
    for path in sorted((Path(study.SCHEMA).parents[1] / "rules").glob("[0-9]_*.smk")):
        name = None
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith(("rule ", "checkpoint ")):
                name = line.split()[1].rstrip(":")
            elif line.strip().startswith("settings=settings(study."):
                rules[name] = line.strip().removeprefix("settings=settings(study.").split("_settings")[0]
    assert set(rules.values()) <= set(RULES), rules


ORDER = (
    "manifest", "preprocess", "gather", "show", "pairs", "train", "sample", "score", "compare",
    "report", "subjects",
)  # fmt: skip
# What the study that is dry-run lacks: files, a second cohort, a package.
NEED_MORE = ("cohorts.NAME.root", "splits.file", "cohorts.NAME.role", "preprocess.brain")
IN_A_DRY_RUN = [
    path
    for path in STUDY_KEYS
    if not path.startswith(("phantom.", "evaluate.ablations")) and path not in NEED_MORE
]


def runs_from(first: str) -> set[str]:
    """The rule and all that follow it; of what the manifest will bring a dry run knows no scan."""
    if first in ("everything", "manifest"):
        return set(ORDER) - {"preprocess", "show"}
    return set(ORDER[ORDER.index(first) :])


def runs_of(key) -> set[str]:
    """What an edit of the key runs: of what the report alone shows, the title stands on other pages too."""
    if key.reruns == "report" and not key.path.startswith("report."):
        return {"report"}
    return runs_from(key.reruns)


@pytest.mark.slow
@pytest.mark.parametrize("path", IN_A_DRY_RUN)
def test_snakemake_runs_what_is_declared_for_a_key(finished, path):
    key = STUDY_KEYS[path]
    finished.configure(edited(TINY, path, another(path, key.rules)))
    assert finished.would_run() - {"sample_shard", "template"} == runs_of(key)
