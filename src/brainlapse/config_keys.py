"""The keys of config.yaml as the schema lists them, each with the rule that an edit of it runs again first.

`reruns` is declared once, in the schema: at the key or at the section around
it. The documentation and the tests of what reruns are made from here.
"""

from collections.abc import Iterator
from dataclasses import dataclass

NAME = "NAME"  # in a path, where the user names the row


@dataclass(frozen=True)
class Key:
    """A key's path with dots between, what the schema says of it, and the first rule that an edit reruns."""

    path: str
    rules: dict
    reruns: str


def study_keys(schema: dict) -> Iterator[Key]:
    """Every key but those of a row of `models`."""
    yield from _keys(schema, schema["$defs"], "", "")


def family_keys(schema: dict, family: str) -> Iterator[Key]:
    """Every key of a row of `models` of that family, their paths as within the row."""
    yield from _keys(
        schema["families"][family], schema["$defs"], "", schema["properties"]["models"]["reruns"]
    )


def _keys(section: dict, definitions: dict, prefix: str, reruns: str) -> Iterator[Key]:
    for name, rules in section.get("properties", {}).items():
        rules = {**definitions[rules["$ref"].rpartition("/")[2]], **rules} if "$ref" in rules else rules
        path, first = f"{prefix}{name}", rules.get("reruns", reruns)
        others = rules.get("additionalProperties")
        if "properties" in rules:
            yield from _keys(rules, definitions, f"{path}.", first)
        else:
            yield Key(path, rules, first)
        if isinstance(others, dict) and "properties" in others:
            yield from _keys(others, definitions, f"{path}.{NAME}.", first)
