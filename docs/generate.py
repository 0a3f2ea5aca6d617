"""Write docs/config.md and docs/tables.md from the schema and from tables.py, their only source.

PYTHONPATH=src python docs/generate.py
"""

import json
from pathlib import Path

import yaml

from brainlapse import tables
from brainlapse.config_keys import Key, family_keys, study_keys

HERE = Path(__file__).parent
SCHEMA = HERE.parent / "workflow" / "schemas" / "config.schema.yaml"


def main() -> None:
    """Write both pages."""
    (HERE / "config.md").write_text(config_page(), encoding="utf-8")
    (HERE / "tables.md").write_text(tables_page(), encoding="utf-8")


def config_page() -> str:
    """Every key of config.yaml as Markdown."""
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    lines = [
        "# Every key of config.yaml",
        "",
        "Made from `workflow/schemas/config.schema.yaml` by `docs/generate.py`. An overlay names only what",
        "it changes; a cohort or a model set to `null` is left out. An unknown key is refused.",
        "",
        "*An edit reruns* that rule and all that follow it, nothing before it; every edit makes the report",
        "anew, which shows the whole configuration. What an edit of yours would run, and why, says",
        "",
        "    snakemake --dry-run --configfile config.yaml mine.yaml 2>&1 \\",
        "        | PYTHONPATH=src python -m brainlapse why",
        "",
        *_HEADER,
        *map(_row, study_keys(schema)),
    ]
    for name, family in schema["families"].items():
        lines += ["", f"## A row of `models` with `family: {name}`: {family['description']}", "", *_HEADER]
        lines += map(_row, family_keys(schema, name))
    return "\n".join(lines) + "\n"


def tables_page() -> str:
    """Every column of every table as Markdown."""
    lines = [
        "# Every column of every table",
        "",
        "Made from `src/brainlapse/tables.py` by `docs/generate.py`. Tables are TSV in UTF-8; `n/a` is a",
        "missing value.",
    ]
    for table in tables.TABLES:
        lines += ["", f"## {table.name}", "", f"A row is {table.row}.", ""]
        lines += ["| column | kind | meaning |", "|---|---|---|"]
        lines += [_column(column) for column in table.columns]
    return "\n".join(lines) + "\n"


_HEADER = ["| key | type | default | an edit reruns | meaning |", "|---|---|---|---|---|"]


def _row(key: Key) -> str:
    default = f"`{json.dumps(key.rules['default'])}`" if "default" in key.rules else ""
    meaning = key.rules.get("description", "")
    return f"| `{key.path}` | {_type(key.rules)} | {default} | {key.reruns} | {meaning} |"


def _type(rules: dict) -> str:
    if "enum" in rules:
        return ", ".join(f"`{value}`" for value in rules["enum"])
    if "anyOf" in rules:
        return "count, fraction or `rest`"
    if rules.get("type") == "object":
        return "a row a name"
    if rules.get("type") == "array":
        return f"list of {_type(rules['items'])}"
    return rules.get("type", "")


def _column(column: tables.Column) -> str:
    kind = column.kind + (", may be missing" if column.optional else "")
    allowed = f"; one of {', '.join(column.allowed)}" if column.allowed else ""
    return f"| `{column.name}` | {kind} | {column.meaning}{allowed} |"


if __name__ == "__main__":
    main()
