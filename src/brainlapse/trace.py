"""Say what made a file, back to the download, and whether it would be made in the same way today.

    python -m brainlapse trace results/5_sample/brainlapse/adni/samples.tsv

Reads the records that the stages leave (provenance.py), this code, and the
configuration: the one that was run last, which the workflow writes beside the
results, or the one that is named.
"""

import argparse
import json
import os
from collections.abc import Iterator
from pathlib import Path

from brainlapse import config as study
from brainlapse.errors import Refused
from brainlapse.fingerprint import code_by_file, code_of
from brainlapse.provenance import run_behind, state_of
from brainlapse.resolved import RESOLVED
from brainlapse.why import flat, settings_changed

SHOWN = 12  # inputs, and files of code
# The settings of a rule's run in a configuration, for what the run was about.
SETTINGS = {
    "phantom": lambda config, about: study.phantom_settings(config),
    "manifest": lambda config, about: study.manifest_settings(config, about["cohort"]),
    "preprocess": lambda config, about: study.preprocess_settings(config),
    "gather": lambda config, about: study.gather_settings(config),
    "show": lambda config, about: study.preprocess_settings(config),
    "pairs": lambda config, about: study.pairs_settings(config),
    "train": lambda config, about: study.train_settings(config, about["model"]),
    "sample": lambda config, about: study.sample_settings(config, about["model"]),
    "sample_shard": lambda config, about: study.sample_settings(config, about["model"]),
    "score": lambda config, about: study.score_settings(config),
    "compare": lambda config, about: study.compare_settings(config),
    "report": lambda config, about: study.report_settings(config),
    "subjects": lambda config, about: study.subjects_settings(config),
}


def run(options: argparse.Namespace) -> None:
    """Print how `options.file` came about; Refused if no record tells of it."""
    print(traced(options.file, options.config))


def traced(file: Path, configs: list[Path] | None = None) -> str:
    """How the file came about, as text."""
    if not file.exists():
        raise Refused(f"{file} is not there.")
    run = run_behind(file)
    if run is None:
        raise Refused(
            f"{file}: no record tells of it. It was made by hand, by an edition of brainlapse before records "
            "were kept, or its record (*.provenance.json beside it or in a folder above) was left behind."
        )
    config, named = _config(file, configs)
    return "\n".join([str(file), *_run_lines(run, file, config, named), "", *_chain_lines(run, config)])


def differences(run: dict, config: dict | None) -> list[str]:
    """What would be otherwise if the file were made today: settings, code and inputs, a line each."""
    return [*_settings_differ(run, config), *_code_differs(run), *_inputs_differ(run)]


def _run_lines(run: dict, file: Path, config: dict | None, named: str) -> Iterator[str]:
    host, code = run["host"], run["code"]
    yield _line("made by", f"{_title(run)} (run {run['id']}, started by {host['started_by']})")
    yield _line("command", f"python -m brainlapse {' '.join(run['command'])}")
    yield _line("when", f"{run['started'][:19]}Z, {run['seconds']:.1f} s")
    yield _line("where", f"{host['system']}, {host['cores']} cores, {host['gpu'] or 'no GPU'}")
    yield _line("with", ", ".join(f"{name} {version}" for name, version in run["versions"].items()))
    yield _line("seed", run["settings"].get("seed", "none: nothing is drawn by chance"))
    yield _line("content", _content(run, file))
    yield _line("code", f"{code['part']} {code['fingerprint']}, {_or_same(_code_differs(run), 'as today')}")
    settings = flat(run["settings"])
    yield _line("settings", f"{len(settings)} values, {_compared(run, config, named)}")
    yield from (
        _line("", f"{key}: {json.dumps(value, ensure_ascii=False)}") for key, value in settings.items()
    )
    yield _line("made of", f"{len(run['inputs'])} files, {_or_same(_inputs_differ(run), 'the same today')}")
    for path, state in list(run["inputs"].items())[:SHOWN]:
        yield _line("", f"{_shown(path, run)}  {_state(state)}")
    if len(run["inputs"]) > SHOWN:
        yield _line("", f"and {len(run['inputs']) - SHOWN} more")


def _chain_lines(run: dict, config: dict | None) -> Iterator[str]:
    """A line for each kind of run before this one, from the download on, and what differs today."""
    yield "how it came about"
    by_title = {}
    for before in _runs_before(run):
        by_title.setdefault(before["rule"], []).append(before)
    for rule, runs in by_title.items():
        told = list(dict.fromkeys(line for one in runs for line in differences(one, config)))
        name = _title(runs[0]) if len(runs) == 1 else f"{rule} ×{len(runs)}"
        yield _line(name, _or_same(told, "settings, code and inputs as today"))


def _runs_before(run: dict) -> list[dict]:
    """This run and all those behind its inputs, once each, those that came first first."""
    found, waiting = {}, [run]
    for one in waiting:
        if one["id"] not in found:
            found[one["id"]] = one
            behind = (
                run_behind(_place(path, one)) for path, state in one["inputs"].items() if "run" in state
            )
            waiting.extend(filter(None, behind))
    return sorted(found.values(), key=lambda one: one["started"])


def _settings_differ(run: dict, config: dict | None) -> list[str]:
    if config is None or not _is_asked(run["rule"], config):
        return []
    about = run["about"]
    for table, name in (("models", about.get("model")), ("cohorts", about.get("cohort"))):
        if name is not None and name not in config[table] and name not in study.FLOORS:
            return [f"{table}.{name} is not in the configuration"]
    now = json.loads(study.canonical(SETTINGS[run["rule"]](config, about)))
    return list(settings_changed(run["settings"], now))


def _is_asked(rule: str, config: dict) -> bool:
    """Whether the configuration has settings for the rule: a phantom study may have been made by hand."""
    made_here = any(cohort["reader"] == "phantom" for cohort in config["cohorts"].values())
    return rule in SETTINGS and (rule != "phantom" or made_here)


def _code_differs(run: dict) -> list[str]:
    """The files of code that are other ones today; of a stage that is gone, that."""
    code = run["code"]
    if code["fingerprint"] == code_of(code["part"]):
        return []
    now = code_by_file(code["part"])
    files = sorted(name for name in {*code["files"], *now} if code["files"].get(name) != now.get(name))
    more = f" and {len(files) - SHOWN} more" if len(files) > SHOWN else ""
    return [f"the code was edited: {', '.join(files[:SHOWN])}{more}"]


def _inputs_differ(run: dict) -> list[str]:
    found = []
    for path, then in run["inputs"].items():
        maker = then.get("run")
        content = {key: value for key, value in then.items() if key != "run"}
        now = state_of(_place(path, run), content)
        if now is None:
            found.append(f"{_shown(path, run)} is not there any more")
        elif now != content:
            found.append(f"{_shown(path, run)} has changed since")
        elif maker and "sha256" not in content and (run_behind(_place(path, run)) or {}).get("id") != maker:
            found.append(f"{_shown(path, run)} was made again since, in another way")
    return found


def _content(run: dict, file: Path) -> str:
    then = run["outputs"][os.path.relpath(os.path.abspath(file), run["record"].parent)]
    same = state_of(file, then) == then
    return f"{_state(then)}, {'as it was made' if same else 'CHANGED since it was made'}"


def _compared(run: dict, config: dict | None, named: str) -> str:
    if config is None:
        return f"not compared: there is no {RESOLVED} above the file, and no --config was given"
    return f"against {named}: {_or_same(_settings_differ(run, config), 'the same')}"


def _config(file: Path, configs: list[Path] | None) -> tuple[dict | None, str]:
    """The configuration to compare with, complete, and its name."""
    if configs:
        return study.complete(study.laid_over(configs)), " + ".join(map(str, configs))
    above = (folder / RESOLVED for folder in Path(os.path.abspath(file)).parents)
    path = next((path for path in above if path.exists()), None)
    return (study.complete(study.laid_over([path])), os.path.relpath(path)) if path else (None, "")


def _title(run: dict) -> str:
    about = " on ".join(run["about"][key] for key in ("model", "cohort") if key in run["about"])
    return " ".join(
        filter(None, [run["rule"], about or run["about"].get("subject"), run["about"].get("shard")])
    )


def _place(path: str, run: dict) -> Path:
    return Path(os.path.normpath(run["record"].parent / path))


def _shown(path: str, run: dict) -> str:
    return os.path.relpath(_place(path, run))


def _state(state: dict) -> str:
    kind = next(key for key in ("sha256", "listing", "bytes") if key in state)
    of = f" (rows of {state['rows_of']})" if "rows_of" in state else ""
    by = f", of run {state['run']}" if "run" in state else ""
    return (f"{state['bytes']} bytes" if kind == "bytes" else f"{kind} {state[kind][:16]}") + of + by


def _or_same(lines: list[str], same: str) -> str:
    if not lines:
        return same
    more = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return "\n".join(
        [f"differs today in {len(lines)}:", *(_line("", f"  {line}") for line in lines[:SHOWN] + more)]
    )


def _line(name: str, text: object) -> str:
    return f"    {name:<10}  {text}"
