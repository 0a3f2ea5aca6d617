"""Settings: from a mapping, as JSON or YAML have it, to a checked frozen dataclass."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from brainlapse.errors import Refused


def settings_from(kind: type, values: Mapping[str, Any], key: str = "") -> Any:
    """Return a `kind` (a dataclass, possibly of dataclasses) filled with `values` over its defaults.

    Lists become tuples. Raises Refused, with the key's full name, for a key
    that `kind` does not have; what a value may be is checked by `kind` itself.
    """
    if not isinstance(values, Mapping):
        raise Refused(f"{key.rstrip('.')}: must be a mapping of keys to values, not {values!r}.")
    known = {field.name: field for field in fields(kind)}
    for name in values:
        if name not in known:
            raise Refused(f"{key}{name}: there is no such key. The keys are {', '.join(known) or 'none'}.")
    filled = {}
    for name, value in values.items():
        nested = known[name].type
        if is_dataclass(nested):
            value = settings_from(nested, value, f"{key}{name}.")
        filled[name] = tuple(value) if isinstance(value, list) else value
    return kind(**filled)


def one_of(key: str, value: Any, allowed: tuple[str, ...]) -> None:
    """Refuse a value that is none of the allowed ones."""
    if value not in allowed:
        raise Refused(f"{key}: must be one of {', '.join(allowed)}, not {value!r}.")


def at_least(key: str, value: Any, least: float, whole: bool = True) -> None:
    """Refuse what is no number, is less than `least`, or is broken where whole numbers are asked for."""
    kinds = int if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not value >= least:
        raise Refused(f"{key}: must be a {'whole ' * whole}number of at least {least:g}, not {value!r}.")
