"""The diagnosis of each clinical day of OASIS-3, from a clinician's impression or the CDR.

OASIS-3 writes a clinician's impression in words (dx1). How they are put into
CN, MCI and AD here is our choice, not the study's: normal → CN; uncertain or
questionable, and incipient → MCI; Alzheimer's dementia whatever it comes with → AD;
any other dementia → none of them. Where there are no words, the global CDR stands
in: 0 → CN, 0.5 → MCI, 1 and above → AD.
"""

import logging
import re

import pandas as pd

from brainlapse.manifest.oasis3_tables import cells_of, is_clinical, numbers_of, without_snapshots

OTHER = "other"  # a dementia of another kind: told, and none of ours
# The first that fits counts.
DX1 = (
    (re.compile(r"cannot be primary|non.?ad"), OTHER),
    (re.compile(r"^(ad dem|dat\b|alzheimer)"), "AD"),
    (re.compile(r"^(cognitively normal|normal|no dementia)"), "CN"),
    (re.compile(r"^(uncertain|unc:|0\.5 in memory|incipient|mci)"), "MCI"),
    (re.compile(r"vascular|dlbd|frontotemp|dementia/pd|proaph|^active"), OTHER),
)

log = logging.getLogger(__name__)


def clinical_days(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the clinical days with a diagnosis: those of 2024, and where it has none of a day, the ADRC's.

    Columns: subject, when (days since entry) and diagnosis (CN, MCI, AD or OTHER).
    """
    new = {name: table for name, table in tables.items() if is_clinical(table, "days")}
    old = {name: table for name, table in tables.items() if is_clinical(table, "visit")}
    if not new and not old:
        log.warning("manifest: no UDSb4_cdr and no ADRC clinical data, so no diagnosis is known")
    visits = pd.DataFrame(columns=["subject", "when", "diagnosis"])
    unknown: set[str] = set()
    for kind, found in (("UDSb4_cdr", new), ("ADRC clinical data", old)):
        told = [_diagnosed(table, unknown) for table in without_snapshots(kind, found)]
        more = pd.concat([visits.head(0), *told]).dropna()
        known = pd.MultiIndex.from_frame(visits[["subject", "when"]])
        more = more[~pd.MultiIndex.from_frame(more[["subject", "when"]]).isin(known)]
        visits = pd.concat([visits, more], ignore_index=True)
    if unknown:
        log.warning("manifest: dx1 is taken as no diagnosis where it is %s", ", ".join(sorted(unknown)))
    return visits


def _diagnosed(table: pd.DataFrame, unknown: set[str]) -> pd.DataFrame:
    """The clinical days of a table; words that are not known are added to `unknown`."""
    days = numbers_of(table, "days")
    labelled = cells_of(table, "visit").astype("str").str.extract(r"_d(-?\d+)$", expand=False)
    words = cells_of(table, "dx1")
    said = words.map(_in_our_words, na_action="ignore").astype(object)
    unknown |= set(words[said.isna()].dropna())
    said = said.where(said.notna() | words.isna(), OTHER)
    return pd.DataFrame(
        {
            "subject": cells_of(table, "subject"),
            "when": days.fillna(pd.to_numeric(labelled)),
            "diagnosis": said.where(said.notna(), numbers_of(table, "cdr").map(_by_cdr, na_action="ignore")),
        }
    )


def _in_our_words(dx1: str) -> str | None:
    words = " ".join(dx1.lower().split())
    return next((meaning for form, meaning in DX1 if form.search(words)), None)


def _by_cdr(cdr: float) -> str | None:
    return "AD" if cdr >= 1 else {0.0: "CN", 0.5: "MCI"}.get(cdr)
