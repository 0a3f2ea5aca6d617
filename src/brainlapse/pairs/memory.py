"""Where people were after the last run, in a file that Snakemake does not know and so does not delete.

A line stands for a person under one seed and one set of amounts. Lines of
other seeds and amounts, and of people who are not in the study any more, are
kept: whoever undoes an edit or comes back gets what they had.
"""

from pathlib import Path

import pandas as pd

from brainlapse import tables
from brainlapse.errors import Refused
from brainlapse.pairs.amounts import SPLITS
from brainlapse.pairs.splitting import Place

MEMORY = tables.Table(
    "splits_memory.tsv",
    "a person under one seed and one set of amounts",
    (
        tables.Column("asked", "text", "seed and amounts of the config"),
        tables.Column("person", "text", "the person, in any cohort and spelling"),
        tables.Column("split", "text", "where they are", allowed=SPLITS),
        tables.Column("was", "text", "what they were dealt, if they moved up since", True, SPLITS),
        tables.Column("here", "text", "whether the last such run had them", allowed=("yes", "no")),
    ),
    key=("asked", "person"),
)


def asked(seed: int, amounts: dict) -> str:
    """What a memory belongs to: `seed 0, train 1125, validation 14, test rest`."""
    return ", ".join([f"seed {seed}", *(f"{split} {amounts[split]}" for split in SPLITS)])


def recall(folder: Path, of: str) -> dict[str, Place]:
    """Return the remembered places of `of`, by person; empty without a memory."""
    rows = _read(folder)
    rows = rows[rows["asked"] == of]
    return {
        row.person: Place(row.split, row.was if isinstance(row.was, str) else None, row.here == "yes")
        for row in rows.itertuples()
    }


def remember(folder: Path, of: str, places: dict[str, Place]) -> None:
    """Put these places in the stead of those of `of`; all others stay as they are."""
    rows = _read(folder)
    new = [(of, person, p.split, p.was, "yes" if p.here else "no") for person, p in places.items()]
    kept = rows[rows["asked"] != of].to_numpy(dtype=object).tolist()
    both = pd.DataFrame(kept + new, columns=MEMORY.names)
    tables.write(both.sort_values(["asked", "person"]), folder / MEMORY.name, MEMORY)


def _read(folder: Path) -> pd.DataFrame:
    path = folder / MEMORY.name
    if not path.exists():
        return pd.DataFrame(columns=MEMORY.names)
    try:
        return tables.read(path, MEMORY)
    except Refused as refusal:
        raise Refused(
            f"{refusal} This file says where people were in the last run; mend it, or remove it to deal "
            "everybody anew."
        ) from None
