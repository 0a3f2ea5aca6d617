"""What MR_json says of OASIS-3's MR sessions: the scanner, and which sessions there should be."""

import pandas as pd

from brainlapse.manifest import selection
from brainlapse.manifest.bids_sidecars import tesla
from brainlapse.manifest.oasis3_names import SESSION
from brainlapse.manifest.oasis3_tables import cells_of, is_of_sessions


def mr_sessions(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return what MR_json says of each MR session, a row a table row.

    Columns: subject, day (since entry), field_strength_t, manufacturer, and
    `where` it stands; None where the label is no session's.
    """
    names = ["subject", "day", "field_strength_t", "manufacturer", "where"]
    found = [pd.DataFrame(columns=names, dtype=object)]
    for name, table in tables.items():
        if is_of_sessions(table):
            parts = cells_of(table, "label").astype("str").str.extract(rf"^{SESSION.pattern}$")
            strength = cells_of(table, "field_strength").map(tesla, na_action="ignore")
            where = pd.Series([f"{name}, line {line}" for line in table.index], index=table.index)
            told = (parts[0], pd.to_numeric(parts[1]), strength, cells_of(table, "manufacturer"), where)
            found.append(pd.concat(told, axis=1, keys=names).astype(object))
    return pd.concat(found, ignore_index=True).astype({"day": "float64"})


def with_scanner(rows: pd.DataFrame, sessions: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with field strength and manufacturer of their session where no side file told them."""
    keys = ["subject", "day"]
    wanted = pd.MultiIndex.from_frame(rows[keys])
    for name in ("field_strength_t", "manufacturer"):
        told = sessions.dropna(subset=[*keys, name]).drop_duplicates([*keys, name])
        told = told[~told.duplicated(keys, keep=False)].set_index(keys)[name]
        rows[name] = rows[name].fillna(told.reindex(wanted).set_axis(rows.index))
    return rows


def sessions_without_image(sessions: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each session without any image, and for each table row that names no session."""
    keys = ["subject", "day"]
    named = sessions.dropna(subset=keys).sort_values([*keys, "where"])
    there = pd.MultiIndex.from_frame(rows[keys])
    absent = named[~pd.MultiIndex.from_frame(named[keys]).isin(there)]
    lost = absent.groupby(keys)["where"].agg(detail="first", table_rows="size").reset_index()
    lost = lost.assign(visit=[f"d{int(day):04d}" for day in lost["day"]], reason=selection.NO_FILE)
    nameless = sessions.loc[sessions["subject"].isna(), ["where"]].rename(columns={"where": "detail"})
    nameless = nameless.assign(table_rows=1, reason=selection.NO_IDENTIFIER)
    return pd.concat([lost.astype(object), nameless.sort_values("detail").astype(object)])
