"""The flow that the page tells is that of the two funnels, with each reason at its step."""

import pandas as pd

from brainlapse import tables
from brainlapse.report.people import flows
from brainlapse.report.study import Study

MANIFEST = [("rows", 10, 5), ("images", 8, 5), ("visits", 6, 3)]
PAIRS = [("scans of the manifest", 6, 3), ("accepted by preprocessing", 4, 2), ("pairs", 2, 2)]


def write(rows: list, path, table: tables.Table) -> None:
    """Rows as mappings, or as tuples of the table's first columns; all are of one cohort."""
    names = [name for name in table.names if name != "cohort"]
    frame = pd.DataFrame(
        [row if isinstance(row, dict) else dict(zip(names, row, strict=False)) for row in rows]
    )
    tables.write(frame.assign(cohort="toy").reindex(columns=table.names), path / table.name, table)


def study(results, pairs=PAIRS) -> Study:
    """A results folder with funnels, rejected rows, quarantined scans and the pairs of two people."""
    reasons = [("images", "no row"), ("visits", "one"), ("visits", "one")]
    write(MANIFEST, results / "1_manifest/toy", tables.FUNNEL)
    write(
        [{"step": step, "reason": why} for step, why in reasons], results / "1_manifest/toy", tables.REJECTED
    )
    seen = ["brain volume: 12 mL", "brain volume: 13 mL"]
    quality = [("a", f"I{n}", "quarantined", reason) for n, reason in enumerate(seen)]
    write(quality, results / "2_preprocess/toy", tables.QUALITY)
    write([("a", "train"), ("b", "test")], results / "3_pairs", tables.SPLITS)
    paired = [("1", "a", "train", "I1", "I2", 1.0), ("2", "b", "test", "I3", "I4", 1.0)]
    write(paired, results / "3_pairs", tables.PAIRS)
    if pairs:
        write(pairs, results / "3_pairs", tables.FUNNEL)
    return Study(results)


def test_the_two_funnels_are_one_flow(tmp_path):
    (flow,) = flows(study(tmp_path))
    assert [(s.name, s.rows, s.unit, s.people) for s in flow.steps] == [
        ("rows", 10, "row", 5),
        ("images", 8, "scan", 5),
        ("visits", 6, "scan", 3),
        ("accepted by preprocessing", 4, "scan", 2),
        ("pairs", 2, "pair", 2),
    ]
    assert flow.ends == [("train", 1, 1), ("validation", 0, 0), ("test", 1, 1)]


def test_each_reason_stands_at_its_step_without_the_figure_that_was_seen(tmp_path):
    (flow,) = flows(study(tmp_path))
    told = {s.name: (s.lost, s.lost_unit, s.lost_people, s.reasons) for s in flow.steps}
    assert told["images"] == (2, "row", 0, [("no row", 1), ("further row about the same image", 1)])
    assert told["visits"] == (2, "scan", 2, [("one", 2)])
    assert told["accepted by preprocessing"] == (2, "scan", 1, [("brain volume", 2)])
    assert told["pairs"] == (0, "scan", 0, [])


def test_a_study_before_pairs_has_the_manifests_flow(tmp_path):
    (flow,) = flows(study(tmp_path, pairs=None))
    assert [step.name for step in flow.steps] == ["rows", "images", "visits"]
