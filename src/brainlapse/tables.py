"""The tables between the stages: their columns, types, units and allowed values.

All of them are TSV in UTF-8 with `n/a` for a missing value, as BIDS has it.
A stage reads with `read`, which checks, and writes with `write`, which checks
too: a table that breaks its promise stops where it is made.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from brainlapse.errors import Refused
from brainlapse.writing import write_text

MISSING = "n/a"
DIAGNOSES = ("CN", "MCI", "AD")
SEXES = ("F", "M", "O")
DIAGNOSIS_SOURCES = ("visit", "enrolment")
SPLITS_ALLOWED = ("train", "validation", "test")
CONTRASTED = ("pair", "interaction")


@dataclass(frozen=True)
class Column:
    """One column: its name, what it holds, and which values it may take.

    `kind` is text, integer, number (float) or date (YYYY-MM-DD, kept as text).
    """

    name: str
    kind: str
    meaning: str
    optional: bool = False
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table's name, what one row is, its columns in order, and its key columns."""

    name: str
    row: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """The column names in order."""
        return [column.name for column in self.columns]


_COHORT = Column("cohort", "text", "name of the cohort in config.yaml")
_SUBJECT = Column("subject", "text", "the study's own id of the person")
_SCAN = Column("scan", "text", "id of the scan, unique in its cohort")
_MODEL = Column("model", "text", "row of `models` in config.yaml, or the floor `copy`, `rescan` or `zero`")
_SPLIT = Column("split", "text", "which part the subject belongs to", allowed=SPLITS_ALLOWED)
_INTERVAL = Column("interval_years", "number", "days between the two acquisitions / 365.25")
_REGION = Column("region", "text", "where it was measured")
_METRIC = Column("metric", "text", "name of the metric, with its convention")
_ABOUT_THE_SOURCE = (
    Column("age_years", "number", "age at the source scan", optional=True),
    Column("sex", "text", "sex as recorded", optional=True, allowed=SEXES),
    Column("diagnosis", "text", "diagnosis at the source scan", optional=True, allowed=DIAGNOSES),
)
_HISTORY = (
    Column(
        "history", "text", "earlier scans of the subject than the source, newest first; commas between", True
    ),
    Column("history_years", "text", "how long before the source each of them was made, years", True),
)

SCANS = Table(
    "scans.tsv",
    "a usable T1 scan",
    (
        _COHORT,
        _SUBJECT,
        Column("visit", "text", "the study's name of the visit", optional=True),
        _SCAN,
        Column("acquired", "date", "day of acquisition", optional=True),
        Column("days", "integer", "days since the subject's first scan"),
        Column("age_years", "number", "age at the scan", optional=True),
        Column("sex", "text", "sex as recorded", optional=True, allowed=SEXES),
        Column("diagnosis", "text", "diagnosis at the scan", optional=True, allowed=DIAGNOSES),
        Column(
            "diagnosis_source",
            "text",
            "visit: of the nearest clinical visit; enrolment: the group the person entered the study with, "
            "where the download has no table of clinical visits",
            optional=True,
            allowed=DIAGNOSIS_SOURCES,
        ),
        Column("field_strength_t", "number", "field strength in tesla", optional=True),
        Column("manufacturer", "text", "scanner manufacturer", optional=True),
        Column("description", "text", "series description as the study writes it", optional=True),
        Column("image", "text", "path of the image: the cohort's root and what lies below it"),
    ),
    key=("cohort", "scan"),
)
REJECTED = Table(
    "rejected.tsv",
    "a table row or a file that is not used",
    (
        _COHORT,
        Column("subject", "text", "the study's own id of the person", optional=True),
        Column("visit", "text", "the study's name of the visit", optional=True),
        Column("scan", "text", "id of the scan", optional=True),
        Column("image", "text", "path of the file", optional=True),
        Column("step", "text", "the step of funnel.tsv at which it was lost"),
        Column("reason", "text", "why, from a closed list"),
        Column("detail", "text", "what was seen, and in which file and line", optional=True),
    ),
)
FUNNEL = Table(
    "funnel.tsv",
    "a step of the selection",
    (
        _COHORT,
        Column("step", "text", "what is left after this step"),
        Column("rows", "integer", "rows, scans or pairs left, as the step says"),
        Column("subjects", "integer", "people left"),
    ),
    key=("cohort", "step"),
)
QUALITY = Table(
    "quality.tsv",
    "a scan of scans.tsv after preprocessing",
    (
        _COHORT,
        _SUBJECT,
        _SCAN,
        Column("status", "text", "whether later stages use it", allowed=("accepted", "quarantined")),
        Column("reason", "text", "why it was quarantined", optional=True),
        Column(
            "brain_volume_ml",
            "number",
            "volume of the subject's brain mask, that of the first accepted scan",
            optional=True,
        ),
        Column(
            "template_correlation",
            "number",
            "correlation with the template, both smoothed by 3 mm, where either has brain",
            optional=True,
        ),
        Column("baseline_correlation", "number", "correlation with the subject's first scan", optional=True),
        Column(
            "residual",
            "number",
            "median absolute difference from the first scan, on the scale of [-1, 1], well inside the brain",
            optional=True,
        ),
        Column("gain", "number", "factor that brought it to the brightness of the first scan", optional=True),
        Column("edge_percent", "number", "part of the brain in the grid's outermost layer, %", optional=True),
        Column(
            "cut_cm2", "number", "largest area at which a side of the scan cuts the brain, cm²", optional=True
        ),
        Column("missing_percent", "number", "part of the brain outside the scan, %", optional=True),
        Column("turn_degrees", "number", "angle of the head to where its header says it lies", optional=True),
        Column(
            "picture", "text", "the picture to judge it by, relative to this table's folder", optional=True
        ),
        Column("image", "text", "the preprocessed volume, relative to this table's folder", optional=True),
        Column("mask", "text", "its brain mask, relative to this table's folder", optional=True),
        Column("packed_row", "integer", "its row in volumes.npy beside this table", optional=True),
    ),
    key=("cohort", "scan"),
)
SPLITS = Table("splits.tsv", "a subject", (_COHORT, _SUBJECT, _SPLIT), key=("cohort", "subject"))
PAIRS = Table(
    "pairs.tsv",
    "an earlier and a later scan of one subject",
    (
        Column("pair", "text", "id of the pair"),
        _COHORT,
        _SUBJECT,
        _SPLIT,
        Column("source_scan", "text", "the earlier scan"),
        Column("target_scan", "text", "the later scan"),
        _INTERVAL,
        *_ABOUT_THE_SOURCE,
        *_HISTORY,
    ),
    key=("pair",),
)
REQUESTS = Table(
    "requests.tsv",
    "a volume to be generated",
    (
        Column("request", "text", "id of the request"),
        _COHORT,
        _SUBJECT,
        _SPLIT,
        Column("source_scan", "text", "the scan to start from"),
        Column("target_scan", "text", "the true follow-up; n/a in the interval sweep", optional=True),
        Column("interval_years", "number", "the number of years asked for"),
        *_ABOUT_THE_SOURCE,
        *_HISTORY,
        Column("seed", "integer", "seed of the noise, one for all requests of a source scan"),
    ),
    key=("request",),
)
SAMPLES = Table(
    "samples.tsv",
    "a generated volume",
    (
        Column("request", "text", "id of the request"),
        Column("draw", "integer", "0 for the first answer, 1, 2, … for further draws"),
        Column("image", "text", "the sample, relative to this table's folder"),
        Column(
            "native",
            "text",
            "the same in its source scan's own voxels (`sample.native`), relative to this table's folder",
            optional=True,
        ),
    ),
    key=("request", "draw"),
)
SCORES = Table(
    "scores.tsv",
    "one number",
    (
        _MODEL,
        _COHORT,
        _SPLIT,
        _SUBJECT,
        Column("request", "text", "id of the request"),
        Column("interval_years", "number", "the number of years asked for"),
        _REGION,
        _METRIC,
        Column("value", "number", "the number; n/a where it is undefined", optional=True),
    ),
    key=("model", "cohort", "request", "region", "metric"),
)
_AGAINST_COPY = (
    _REGION,
    _METRIC,
    Column("subjects", "integer", "number of people"),
    Column("requests", "integer", "number of requests"),
    Column("value", "number", "mean over subjects of the mean over their requests", optional=True),
    Column("value_low", "number", "2.5 % bound, bootstrap over subjects", optional=True),
    Column("value_high", "number", "97.5 % bound", optional=True),
    Column("gain", "number", "value minus the value of `copy`, paired", optional=True),
    Column("gain_low", "number", "2.5 % bound, bootstrap over subjects", optional=True),
    Column("gain_high", "number", "97.5 % bound", optional=True),
)
COMPARISONS = Table(
    "comparisons.tsv",
    "a model against copying the source, on the same requests",
    (
        _MODEL,
        _COHORT,
        _SPLIT,
        *_AGAINST_COPY,
    ),
    key=("model", "cohort", "split", "region", "metric"),
)
SUBGROUPS = Table(
    "subgroups.tsv",
    "comparisons.tsv again, for one part of the requests at a time",
    (
        _MODEL,
        _COHORT,
        _SPLIT,
        Column(
            "by", "text", "what parts the requests: a column of requests.tsv, or of scans.tsv at the source"
        ),
        Column(
            "level",
            "text",
            "the part: a value, or a range low–high that holds its lower bound; n/a: not known",
            optional=True,
        ),
        *_AGAINST_COPY,
    ),
    key=("model", "cohort", "split", "by", "level", "region", "metric"),
)
CONTRASTS = Table(
    "contrasts.tsv",
    "a difference between models on the same requests, with a test and its multiplicity",
    (
        Column(
            "contrast", "text", "a pair of models, or the interaction of two conditions", allowed=CONTRASTED
        ),
        _MODEL,
        Column("other", "text", "the model it is compared with; of an interaction the one told neither"),
        _COHORT,
        _SPLIT,
        _REGION,
        _METRIC,
        Column("subjects", "integer", "number of people with both"),
        Column(
            "difference", "number", "mean over subjects; docs/evaluation.md has the formulas", optional=True
        ),
        Column("difference_low", "number", "2.5 % bound, bootstrap over subjects", optional=True),
        Column("difference_high", "number", "97.5 % bound", optional=True),
        Column("p", "number", "Wilcoxon's signed-rank test over subjects, two-sided", optional=True),
        Column("p_holm", "number", "the same after Holm's correction over `tests`", optional=True),
        Column("tests", "integer", "number of contrasts of this cohort, split, region and metric"),
    ),
    key=("contrast", "model", "other", "cohort", "split", "region", "metric"),
)
COHORTS = Table(
    "cohorts.tsv",
    "a model on a cohort that it was not trained on, against other people of a cohort that it was trained on",
    (
        _MODEL,
        _COHORT,
        Column("other", "text", "the cohort it is compared with: its test people"),
        _REGION,
        _METRIC,
        Column("subjects", "integer", "number of people"),
        Column("other_subjects", "integer", "number of people of the other cohort"),
        Column("difference", "number", "mean over subjects minus that of the other cohort", optional=True),
        Column(
            "difference_low", "number", "2.5 % bound, bootstrap over both cohorts' subjects", optional=True
        ),
        Column("difference_high", "number", "97.5 % bound", optional=True),
        Column("gain_difference", "number", "the same of the gain over `copy`", optional=True),
        Column("gain_difference_low", "number", "2.5 % bound", optional=True),
        Column("gain_difference_high", "number", "97.5 % bound", optional=True),
    ),
    key=("model", "cohort", "other", "region", "metric"),
)
STABILITY = Table(
    "stability.tsv",
    "a value of comparisons.tsv over rows of config.yaml that differ in nothing but `seed`",
    (
        Column("model", "text", "one of the rows, by which the group is called"),
        _COHORT,
        _SPLIT,
        _REGION,
        _METRIC,
        Column("seeds", "integer", "number of seeds with a value"),
        Column("mean", "number", "mean over the seeds", optional=True),
        Column("sd", "number", "standard deviation over the seeds, the unbiased one", optional=True),
        Column("lowest", "number", "least value", optional=True),
        Column("highest", "number", "largest value", optional=True),
    ),
    key=("model", "cohort", "split", "region", "metric"),
)
DISTRIBUTIONS = Table(
    "distributions.tsv",
    "a distance between the set of samples and the set of true follow-ups",
    (
        _MODEL,
        _COHORT,
        _SPLIT,
        Column("metric", "text", "name of the distance, with its feature space"),
        Column("value", "number", "the distance", optional=True),
        Column("value_low", "number", "2.5 % bound, bootstrap over subjects", optional=True),
        Column("value_high", "number", "97.5 % bound", optional=True),
        Column("floor", "number", "the same distance between two disjoint real sets", optional=True),
        Column("n", "integer", "volumes in each set"),
        Column("n_floor", "integer", "volumes in each of the two real sets of the floor", optional=True),
        Column("floor_of", "text", "what the two real sets are: true follow-ups, and this", optional=True),
        Column("d", "integer", "number of features"),
    ),
    key=("model", "cohort", "split", "metric"),
)
TRUTH = Table(
    "truth.tsv",
    "a scan of the phantom study, as it was made",
    (
        _SUBJECT,
        _SCAN,
        Column("diagnosis", "text", "the group whose rates the subject follows", allowed=DIAGNOSES),
        Column("years", "number", "years since the subject's first scan"),
        Column("ventricles_ml", "number", "volume of the warped ventricle map"),
        Column("hippocampi_ml", "number", "volume of the warped hippocampus map, both sides"),
        Column("brain_ml", "number", "volume of the warped grey and white matter maps"),
    ),
    key=("scan",),
)
TABLES = (
    SCANS, REJECTED, FUNNEL, QUALITY, SPLITS, PAIRS, REQUESTS, SAMPLES, SCORES, COMPARISONS, SUBGROUPS,
    CONTRASTS, COHORTS, STABILITY, DISTRIBUTIONS, TRUTH,
)  # fmt: skip


def read(path: str | Path, table: Table) -> pd.DataFrame:
    """Read a table of this project and check it.

    Returns a frame with the table's columns in order: text as str, `integer`
    as Int64, `number` as float64; a missing value is NA or NaN. Raises Refused
    with file, line and column where the file breaks the table's promise.
    """
    try:
        raw = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, encoding="utf-8")
    except FileNotFoundError:
        raise Refused(f"{path} is not there. The stage that makes {table.name} must run first.") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise Refused(f"{path} cannot be read as a tab-separated table in UTF-8: {error}") from None
    absent = [name for name in table.names if name not in raw.columns]
    if absent:
        raise Refused(f"{path} lacks the column(s) {', '.join(absent)} of {table.name}.")
    raw = raw[table.names].replace(MISSING, None)
    frame = pd.DataFrame({column.name: _typed(raw[column.name], column, path) for column in table.columns})
    check(frame, table, path)
    return frame


def write(frame: pd.DataFrame, path: str | Path, table: Table) -> None:
    """Check a frame against its table and write it as a whole file.

    Columns the table does not name are left out; the row order is kept.
    """
    check(frame, table, path)
    text = frame[table.names].to_csv(sep="\t", index=False, na_rep=MISSING, lineterminator="\n")
    write_text(path, text)


def read_all(paths: Sequence[str | Path], table: Table) -> pd.DataFrame:
    """Read several tables of one kind and put them under each other."""
    return pd.concat([read(path, table) for path in paths], ignore_index=True)


def check(frame: pd.DataFrame, table: Table, where: str | Path) -> None:
    """Raise Refused if a required value is missing, a value is not allowed or a key repeats."""
    for column in table.columns:
        if column.name not in frame.columns:
            raise Refused(f"{where} lacks the column {column.name} of {table.name}.")
        values = frame[column.name]
        if not column.optional and values.isna().any():
            raise Refused(_at(where, values.isna(), column, "is empty; it must have a value"))
        wrong = values.notna() & ~values.isin(column.allowed)
        if column.allowed and wrong.any():
            raise Refused(_at(where, wrong, column, f"must be one of {', '.join(column.allowed)}"))
    if table.key:
        repeated = frame.duplicated(list(table.key))
        if repeated.any():
            row = frame[repeated].iloc[0]
            named = ", ".join(f"{name}={row[name]}" for name in table.key)
            raise Refused(f"{where}, line {_line(repeated)}: {named} stands there twice.")


def _typed(values: pd.Series, column: Column, path: str | Path) -> pd.Series:
    if column.kind in ("text", "date"):
        return values.astype("str")
    numbers = pd.to_numeric(values, errors="coerce")
    wrong = numbers.isna() & values.notna()
    if column.kind == "integer":
        wrong |= numbers.notna() & (numbers % 1 != 0)
    if wrong.any():
        raise Refused(_at(path, wrong, column, f"is no {column.kind}: {values[wrong].iloc[0]!r}"))
    return numbers.astype("Int64" if column.kind == "integer" else "float64")


def _at(where: str | Path, wrong: pd.Series, column: Column, problem: str) -> str:
    return f"{where}, line {_line(wrong)}, column {column.name}: {problem}."


def _line(wrong: pd.Series) -> int:
    """The first marked row as a line of the file, whose first line is the header."""
    return int(wrong.to_numpy().argmax()) + 2
