"""The gallery: one page a cohort on which a person looks through all scans, the worst first.

The page opens from disk and loads nothing but the scans' own pictures. Its
script and its style lie beside this file and are put into it.
"""

import base64
import hashlib
import html
import json
import re
from pathlib import Path

import pandas as pd

from brainlapse import tables
from brainlapse.writing import write_text

# Which end of a figure is suspicious: low, high, or far from the median either way, as a ratio.
WORST = {
    "brain_volume_ml": "far",
    "template_correlation": "low",
    "baseline_correlation": "low",
    "residual": "high",
    "gain": "far",
    "edge_percent": "high",
    "cut_cm2": "high",
    "missing_percent": "high",
    "turn_degrees": "high",
}
UNITS = {"ml": "mL", "percent": "%", "cm2": "cm²", "degrees": "°"}
TEXTS = ["subject", "scan", "status", "reason", "picture", "image"]


def write_gallery(quality: pd.DataFrame, out: Path) -> None:
    """Write `out`/quality.html, the page of one cohort, from its quality table.

    `quality` has the columns of tables.QUALITY; its paths are relative to
    `out`. A subject's rows are shown in the order in which they stand. All of
    its text is hostile input here: it is escaped, and no script but the page's own runs.
    """
    script = _beside("gallery.js")
    digest = hashlib.sha256(script.encode()).digest()
    parts = {
        "title": html.escape(", ".join(dict.fromkeys(quality["cohort"]))),
        "style": _beside("gallery.css"),
        "script": script,
        "script_sha256": base64.b64encode(digest).decode(),
        "data": _inert(json.dumps(_content(quality), ensure_ascii=False, allow_nan=False)),
    }
    # One pass, so that a subject named {{ script }} stays a subject.
    page = re.sub(r"\{\{ (\w+) \}\}", lambda found: parts[found[1]], _beside("gallery.html"))
    write_text(out / "quality.html", page)


def figure_columns() -> list[tables.Column]:
    """The columns of quality.tsv that are figures of a scan's quality."""
    return [column for column in tables.QUALITY.columns if column.kind == "number"]


def label(name: str) -> str:
    """A column's name for people: brain_volume_ml → brain volume, mL."""
    words, _, unit = name.rpartition("_")
    if unit in UNITS:
        return f"{words.replace('_', ' ')}, {UNITS[unit]}"
    return name.replace("_", " ")


def _content(quality: pd.DataFrame) -> dict:
    """What the script reads: the figures, and a list a scan of TEXTS and of the figures' values."""
    columns = figure_columns()
    figures = [
        {"label": label(column.name), "meaning": column.meaning, "worst": WORST[column.name]}
        for column in columns
    ]
    texts = [[None if pd.isna(value) else str(value) for value in quality[name]] for name in TEXTS]
    numbers = [[_number(value) for value in quality[column.name]] for column in columns]
    return {"figures": figures, "scans": list(zip(*texts, *numbers, strict=True))}


def _number(value: float) -> float | None:
    finite = pd.notna(value) and abs(value) != float("inf")
    return float(f"{value:.5g}") if finite else None


def _inert(text: str) -> str:
    """JSON that cannot end the script element it stands in."""
    return text.replace("<", "\\u003c")


def _beside(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
