"""The study's configuration: check it, complete it, and hand each stage the part it depends on.

The schema (workflow/schemas/config.schema.yaml) is the one description of
every key. This module is read with the Snakefile, so it imports nothing heavy.
"""

import difflib
import json
from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import jsonschema
import yaml

from brainlapse.errors import Refused

SCHEMA = Path(__file__).parents[2] / "workflow" / "schemas" / "config.schema.yaml"
FLOORS = ("copy", "rescan", "zero")


def laid_over(files: Iterable[Path], more: dict | None = None) -> dict:
    """Return the configurations of YAML files laid over each other key by key, the last on top, then `more`.

    Rows that share a YAML anchor are told apart: Snakemake's own merging would put
    what an overlay names of one row into all that share a mapping with it.
    Raises Refused for a file that cannot be read.
    """
    config = {}
    for file in files:
        try:
            told = yaml.safe_load(Path(file).read_text(encoding="utf-8")) or {}
            told = json.loads(json.dumps(told))  # a mapping that stands in two places becomes two
        except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError) as error:
            raise Refused(f"{file} cannot be read: {error}") from None
        if not isinstance(told, dict):
            raise Refused(f"{file} is no configuration: it has no keys.")
        _lay_over(config, told)
    _lay_over(config, more or {})
    return config


def _lay_over(below: dict, above: dict) -> None:
    for key, value in above.items():
        if isinstance(value, dict) and isinstance(below.get(key), dict):
            _lay_over(below[key], value)
        else:
            below[key] = value


def complete(config: dict, schema: Path = SCHEMA) -> dict:
    """Return the config with what is set to null left out and every default filled in.

    Raises Refused with one line for each wrong key: its path, what is wrong
    and what to write instead.
    """
    rules = _rules(schema)
    written = config
    config = {key: _without_nulls(value) for key, value in config.items()}
    problems = [_in_words(error) for error in _errors(config, rules)]
    if not problems:
        config["models"] = {name: _whole_row(name, config["models"]) for name in config["models"]}
        problems = [problem for name in config["models"] for problem in _row_problems(name, config, rules)]
        problems += _cohort_problems(config["cohorts"]) + _ablation_problems(written)
    if problems:
        raise Refused("\n  ".join(["the configuration has mistakes:", *problems]))
    config = _with_defaults(config, rules, rules["$defs"])
    families = {
        name: _with_defaults(row, rules["families"][row["family"]], rules["$defs"])
        for name, row in config["models"].items()
    }
    if unpaced := _rows_without_a_pace_to_draw(families):
        raise Refused(
            f"models.{unpaced[0]}.sampling.pace: drawn needs a pace that is foretold: start: paced, "
            "and not diffuse: image. Set one of the two otherwise."
        )
    ablations = _whole_ablations(config["evaluate"]["ablations"], families)
    return {**config, "models": families, "evaluate": {**config["evaluate"], "ablations": ablations}}


@cache
def _rules(schema: Path) -> dict:
    return yaml.safe_load(schema.read_text(encoding="utf-8"))


def canonical(settings: dict) -> str:
    """Settings as JSON that depends on their values only, not on the order of the keys."""
    return json.dumps(settings, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def phantom_settings(config: dict) -> dict:
    """What the phantom study depends on."""
    return {"seed": config["seed"], **config["phantom"]}


def manifest_settings(config: dict, cohort: str) -> dict:
    """What a cohort's manifest depends on."""
    keys = ("reader", "root", "role", "date_format", "columns", "selection")
    return {key: config["cohorts"][cohort][key] for key in keys if key in config["cohorts"][cohort]}


def preprocess_settings(config: dict) -> dict:
    """What a preprocessed scan depends on."""
    parts = {key: value for key, value in config["preprocess"].items() if key != "store"}
    return {"grid": config["grid"], **parts}


def gather_settings(config: dict) -> dict:
    """What the packed store of a cohort depends on, beside its scans."""
    return {**preprocess_settings(config), "store": config["preprocess"]["store"]}


def pairs_settings(config: dict) -> dict:
    """What pairs and splits depend on; `people` says whose subject ids a cohort has."""
    cohorts = config["cohorts"]
    studies = {"adni": "adni", "phantom": "adni", "aibl": "aibl", "oasis3": "oasis3"}
    people = {name: c.get("people") or studies.get(c["reader"], name) for name, c in cohorts.items()}
    parts = {key: config[key] for key in ("seed", "pairs", "splits")}
    return {**parts, "external": _external(config), "people": people}


def choice_settings(config: dict, cohort: str) -> dict:
    """What the pairs of one cohort depend on, whatever other cohorts there are."""
    asked = pairs_settings(config)
    asked["external"], asked["people"] = cohort in asked["external"], asked["people"][cohort]
    return asked


def train_settings(config: dict, model: str) -> dict:
    """What a trained model depends on: its row without `sampling`."""
    row = {key: value for key, value in config["models"][model].items() if key not in ("sampling", "weights")}
    return {"seed": config["seed"], "grid": config["grid"], **row}


def train_options(config: dict) -> str:
    """How training is computed, as options of its command: no result depends on them."""
    how = config["train"]
    words = [f"--{key} {how[key]}" for key in ("processes", "pictures", "volumes")]
    words.append(f"--checkpoint-minutes {how['checkpoint_minutes']:g}")
    return " ".join(words + [f"--{key}" for key in ("compile", "recompute") if how[key]])


def sample_settings(config: dict, model: str) -> dict:
    """What a model's samples depend on, beside its weights."""
    sampling = {} if model in FLOORS else config["models"][model]["sampling"]
    intervals = config["evaluate"]["intervals_years"]
    native = config["sample"]["native"]
    return {"seed": config["seed"], "intervals_years": intervals, "sampling": sampling, "native": native}


def score_settings(config: dict) -> dict:
    """What the scores of a sample depend on."""
    asked = config["evaluate"]
    return {
        "seed": config["seed"],
        "change_threshold": asked["change_threshold"],
        "inception_weights": asked.get("inception_weights"),
        "label_maps": asked.get("label_maps"),
    }


def compare_settings(config: dict) -> dict:
    """What the comparisons depend on, beside the scores: which rows and cohorts are compared with which."""
    parts = {key: config["evaluate"][key] for key in ("bootstrap", "references", "ablations")}
    same = {"models": sorted(config["models"]), "external": _external(config), "seeds": seed_groups(config)}
    return {"seed": config["seed"], **parts, **same}


def seed_groups(config: dict) -> dict[str, list[str]]:
    """The rows that differ in nothing but the seed of their training, by the first name of each group."""
    groups = defaultdict(dict)
    for name in sorted(config["models"]):
        row = dict(config["models"][name])
        row.pop("weights", None)
        seed = row.pop("seed", config["seed"])
        groups[canonical(row)].setdefault(seed, name)
    alike = (sorted(of_seeds.values()) for of_seeds in groups.values() if len(of_seeds) > 1)
    return {names[0]: names for names in alike}


def report_settings(config: dict) -> dict:
    """What the report depends on, beside the results: it shows the whole configuration."""
    return {**config["report"], "config": config, "subjects": "subjects/index.html"}


def subjects_settings(config: dict) -> dict:
    """What the pages of people depend on, beside the results."""
    return dict(config["report"])


def weights_of(config: dict, model: str) -> str:
    """The row whose network the model uses: itself, unless it names another one in `weights`."""
    return config["models"][model].get("weights", model)


def trained(config: dict) -> list[str]:
    """The rows that are trained."""
    return [name for name, row in config["models"].items() if "weights" not in row]


def _external(config: dict) -> list[str]:
    return sorted(name for name, cohort in config["cohorts"].items() if cohort["role"] == "external")


def _without_nulls(value):
    if not isinstance(value, dict):
        return value
    return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}


def _whole_row(name: str, models: dict) -> dict:
    """A row with `weights` takes its family, network and training from the row it names."""
    row = models[name]
    other = models.get(row.get("weights"))
    if other is None or "weights" in other:
        return dict(row)
    own = {key: value for key, value in row.items() if key != "sampling"}
    sampling = {**other.get("sampling", {}), **row.get("sampling", {})}
    return {**other, **own, "sampling": sampling}


def _cohort_problems(cohorts: dict) -> list[str]:
    if any(cohort.get("role") != "external" for cohort in cohorts.values()):
        return []
    return ["cohorts: all have `role: external`; one must be of `role: study`, for models to learn from."]


def _ablation_problems(written: dict) -> list[str]:
    """A row that is set to null is no mistake: its ablation is left out with it."""
    ablations = (written.get("evaluate") or {}).get("ablations") or {}
    known = list(written["models"])
    return [
        f"evaluate.ablations.{name}.{told}: {row} is no row of `models`{_nearest(row, known)}"
        for name, rows in ablations.items()
        for told, row in (rows or {}).items()
        if row not in known
    ]


def _rows_without_a_pace_to_draw(models: dict) -> list[str]:
    """Said before a row is trained for hours; the sample stage by itself would say so after."""
    return [
        name
        for name, row in models.items()
        if row["sampling"].get("pace") == "drawn"
        and (row.get("start") != "paced" or row.get("diffuse") == "image")
    ]


def _whole_ablations(ablations: dict, models: dict) -> dict:
    """Those whose four rows are all there."""
    return {name: rows for name, rows in ablations.items() if set(rows.values()) <= set(models)}


def _row_problems(name: str, config: dict, rules: dict) -> list[str]:
    row, where = config["models"][name], f"models.{name}"
    if name in FLOORS:
        return [f"{where}: this name is taken; {', '.join(FLOORS)} are always scored and need no row."]
    if "weights" in row and "family" not in row:
        near = _nearest(row["weights"], trained(config))
        return [f"{where}.weights: {row['weights']} is no trained row of `models`{near}"]
    if "family" not in row:
        return [f"{where}: lacks `family`, one of {', '.join(rules['families'])}."]
    if row["family"] not in rules["families"]:
        return [f"{where}.family: {row['family']!r} is not one of {', '.join(rules['families'])}."]
    family = {**rules["families"][row["family"]], "$defs": rules["$defs"]}
    return [_in_words(error, where) for error in _errors(row, family)]


def _errors(value: dict, rules: dict) -> list:
    errors = jsonschema.Draft202012Validator(rules).iter_errors(value)
    return sorted(errors, key=lambda error: [str(part) for part in error.absolute_path])


def _in_words(error: jsonschema.ValidationError, where: str = "") -> str:
    path = ".".join(part for part in (where, *map(str, error.absolute_path)) if part)
    if error.validator == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        unknown = [key for key in error.instance if key not in known]
        return "; ".join(
            f"{f'{path}.{key}'.lstrip('.')}: unknown key{_nearest(key, known)}" for key in unknown
        )
    if error.validator == "type":
        return f"{path}: must be {error.validator_value}, not {_shown(error.instance)}"
    if error.validator == "required":
        return f"{path or 'config'}: {error.message}."
    if error.validator == "enum":
        return f"{path}: {error.instance!r} is not one of {', '.join(map(str, error.validator_value))}."
    return f"{path}: {error.message}; it is {error.schema.get('description', 'described in docs/config.md')}"


def _nearest(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(str(key), known, n=1)
    return f"; did you mean `{near[0]}`?" if near else f"; known are {', '.join(known)}."


def _shown(value) -> str:
    if not isinstance(value, str):
        return f"{value!r}."
    try:
        return f"the text {value!r}: YAML reads a number only with a point, so write {float(value):.1e}."
    except ValueError:
        return f"the text {value!r}."


def _with_defaults(value, rules: dict, definitions: dict):
    """The value with the defaults of its schema filled in, all the way down."""
    if "$ref" in rules:
        rules = definitions[rules["$ref"].rpartition("/")[2]]
    if not isinstance(value, dict):
        return value
    known, others = rules.get("properties", {}), rules.get("additionalProperties")
    filled = {}
    for key, inner in known.items():
        named = definitions[inner["$ref"].rpartition("/")[2]] if "$ref" in inner else inner
        if key in value or "default" in inner or "default" in named:
            default = inner.get("default", named.get("default"))
            filled[key] = _with_defaults(value.get(key, default), named, definitions)
    rest = others if isinstance(others, dict) else {}
    return filled | {key: _with_defaults(value[key], rest, definitions) for key in value if key not in known}
