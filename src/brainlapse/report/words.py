"""Numbers as the page writes them: few digits, a true minus sign, and n/a where there is nothing."""

import math
from collections.abc import Callable

import pandas as pd


def number(value: float, digits: int = 3, sign: bool = False) -> str:
    """A number with fixed digits; `sign` shows a plus as well."""
    if value is None or pd.isna(value):
        return "n/a"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("+-")
    return text.replace("-", "−")


def significant(value: float) -> str:
    """A number with three significant digits."""
    if value is None or pd.isna(value):
        return "n/a"
    return f"{value:#.3g}".rstrip(".").replace("-", "−") if abs(value) < 1000 else number(value, 0)


def bounds(low: float, high: float, written: Callable[[float], str]) -> str:
    """`[0.900, 0.921]`, each number written by `written`; empty without bounds."""
    return "" if pd.isna(low) or pd.isna(high) else f"[{written(low)}, {written(high)}]"


def with_interval(value: float, low: float, high: float, digits: int = 3, sign: bool = False) -> str:
    """`0.912 [0.900, 0.921]`; without bounds only the number."""
    return f"{number(value, digits, sign)} {bounds(low, high, lambda one: number(one, digits, sign))}".strip()


def plural(count: int, noun: str) -> str:
    """`1 scan`, `2 scans`, `2 people`."""
    many = {"person": "people"}.get(noun, noun + "s")
    return f"{count:,} {noun if count == 1 else many}"
