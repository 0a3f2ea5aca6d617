"""IDA's image tables, whatever their form and age → one frame of facts, a row a table row.

A table is known by its header, never by its name: collection names and
prefixes are free text, and the columns of a search export are its user's
choice. Which header means what is data: ida_columns.yaml, and the config.
"""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pandas as pd
import yaml

from brainlapse.manifest.dates import MISSING, parse_dates
from brainlapse.manifest.study_table import column
from brainlapse.manifest.units import STRONGEST_T

NEEDED = ("scan", "subject", "description")  # without these a table speaks of no image
CELLS = (
    "scan", "subject", "visit", "date", "description", "type", "modality", "group", "sex", "age",
    "field_strength", "manufacturer", "protocol",
)  # fmt: skip
IMAGE = re.compile(r"([ID]?)0*(\d+)", re.IGNORECASE)


@cache
def known_columns() -> dict[str, list[str]]:
    """Our word → the headers that mean it in IDA's tables."""
    return yaml.safe_load((Path(__file__).parent / "ida_columns.yaml").read_text(encoding="utf-8"))


def headers_for(added: dict) -> dict[str, list[str]]:
    """The known headers, each list led by those that the cohort's config adds."""
    own = {word: [names] if isinstance(names, str) else list(names) for word, names in added.items()}
    return {word: own.get(word, []) + names for word, names in known_columns().items()}


def is_image_table(table: pd.DataFrame, headers: dict[str, list[str]]) -> bool:
    """Whether each row of the table speaks of an image."""
    return all(column(table, *headers[word]) is not None for word in NEEDED)


def image_facts(
    name: str,
    table: pd.DataFrame,
    headers: dict[str, list[str]],
    date_format: str | None,
    settle: Callable[[pd.Series], Callable],  # of the scans: what dates.parse_dates asks where dates are open
) -> pd.DataFrame:
    """One image table in our words: CELLS in our units, `problem` with the date, `where` and `source`."""
    cells = {word: column(table, *names) for word, names in headers.items()}
    said = pd.DataFrame({word: texts for word, texts in cells.items() if texts is not None}, dtype=object)
    said = said.reindex(index=table.index, columns=[*CELLS])
    said = said.astype("str")
    said = said.mask(said.apply(lambda texts: texts.str.lower().isin(MISSING)))
    if cells["date"] is not None:
        scans = said["scan"].map(image_id, na_action="ignore")
        dates = parse_dates(cells["date"], name, cells["date"].name, date_format, settle(scans))
        said = said.assign(**dates)
    where = [f"{name}, line {line}" for line in table.index]
    return in_units(said.assign(where=where, source="table"))


def in_units(said: pd.DataFrame) -> pd.DataFrame:
    """Ids as `I123`, age in years, field strength in tesla, F or M, and descriptions with single spaces."""
    said = said.astype({word: "str" for word in CELLS if word != "date"})
    strength = said["field_strength"].fillna(_term(said["protocol"], "Field Strength"))
    tesla = pd.to_numeric(strength.str.extract(r"(\d+(?:\.\d+)?)", expand=False))
    sex = said["sex"].str.upper().str[:1]
    age = pd.to_numeric(said["age"], errors="coerce")
    return said.assign(
        # An id that begins with D is a derived image's.
        type=said["type"].mask(said["scan"].str.upper().str.startswith("D", na=False), "Processed"),
        scan=said["scan"].map(image_id, na_action="ignore"),
        age=age.where(age > 0),
        field_strength_t=tesla.where(tesla < STRONGEST_T),
        manufacturer=said["manufacturer"].fillna(_term(said["protocol"], "Manufacturer")),
        sex=sex.where(sex.isin(["F", "M"])),
        description=said["description"].str.replace(r"\s+", " ", regex=True),
    ).drop(columns=["field_strength", "protocol"])


def image_id(text: str) -> str | None:
    """`I118673` for `I118673`, `118673` and `D118673`; None for anything else."""
    found = IMAGE.fullmatch(text.strip())
    return f"I{found[2]}" if found else None


def snippet(headers: list[str], cohort: str) -> str:
    """What to add to a config for a table whose headers are not known."""
    words = "".join(f"\n          {word}: HEADER" for word in (*NEEDED, "date"))
    return (
        f"  its headers: {', '.join(headers[:40])}\n"
        "  If some of them mean what is needed here, say which in the config:\n"
        f"    cohorts:\n      {cohort}:\n        columns:{words}"
    )


def _term(protocol: pd.Series, term: str) -> pd.Series:
    """One entry of `key=value;key=value`, as the search export writes an image's protocol."""
    return protocol.str.extract(rf"(?:^|;)\s*{term}=([^;]+)", expand=False)
