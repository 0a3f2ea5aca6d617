"""Do the gates tell a good head from a wrong one, and how far from both does each limit lie?

Every head goes through the chain as it is, and every n-th again in ways that happen: its voxels in another
order than the header says, a cut field of view, another voxel size, another contrast. All limits are opened,
so that every figure is measured; which gate would have held the head is then asked of config.yaml's limits.

    PYTHONPATH=src python benchmarks/gates.py --heads HEADS [MORE HEADS] --rows ROWS.tsv
"""

import argparse
import copy
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from scipy import ndimage

PROJECT = Path(__file__).parents[1]
sys.path.insert(0, str(PROJECT / "src"))

from brainlapse.config import complete, preprocess_settings  # noqa: E402
from brainlapse.preprocess.gates import broken_limits, cut_cm2, missing_percent, turn_degrees  # noqa: E402
from brainlapse.preprocess.geometry import Image, covered  # noqa: E402
from brainlapse.preprocess.inputs import check_geometry, read_scan  # noqa: E402
from brainlapse.preprocess.quarantine import Quarantined  # noqa: E402
from brainlapse.preprocess.subject import Ground, begin  # noqa: E402
from brainlapse.writing import write_text  # noqa: E402

# What config.yaml says, with the defaults of the schema; and the same with every limit of a figure opened.
SETTINGS = preprocess_settings(complete(yaml.safe_load((PROJECT / "config.yaml").read_text())))
OPENED = {
    "brain_ml": [0, 1e9],
    "template_correlation": -1,
    "missing_percent": 100,
    "edge_percent": 100,
    "cut_cm2": 1e9,
    "turn_degrees": 180,
}
FIGURES = ("template_correlation", "brain_volume_ml", "turn_degrees", "cut_cm2", "template_missing")


def main() -> None:
    """Add what --rows does not hold yet, a row a head and change; print a Markdown table, a change a row."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--heads", type=Path, required=True, nargs="+", help="folders of T1 images of heads")
    parser.add_argument(
        "--every", type=int, default=8, help="change every n-th head of a folder, from the n/2-th on"
    )
    parser.add_argument("--rows", type=Path, required=True, help="TSV to write and to go on with")
    options = parser.parse_args()
    ground, rows = opened_ground(), []
    if options.rows.exists():
        kept = pd.read_csv(options.rows, sep="\t", keep_default_na=False, na_values=["n/a"])
        rows = kept.to_dict("records")
    done = {(row["change"], row["head"]) for row in rows}
    for change, path in planned(options.heads, options.every):
        named = {"change": change, "head": path.name.split(".")[0]}
        if tuple(named.values()) not in done:
            rows.append(named | measured(CHANGES[change], path, ground))
            write(pd.DataFrame(rows), options.rows)
    print(summary(pd.DataFrame(rows)))


def opened_ground() -> Ground:
    """The stage's settings with every limit of a figure opened."""
    settings = copy.deepcopy(SETTINGS)
    settings["limits"] |= OPENED
    return Ground.of(settings)


def write(rows: pd.DataFrame, path: Path) -> None:
    """Whole or not at all: a kill leaves the rows before."""
    text = rows.to_csv(sep="\t", index=False, na_rep="n/a", float_format="%.4g")
    write_text(path, text)


def planned(folders: list[Path], every: int) -> Iterator[tuple[str, Path]]:
    """All heads as they are, then every change of some heads, a head after the other."""
    heads = [sorted(folder.glob("*.nii*")) for folder in folders]
    yield from ((AS_IT_IS, path) for path in chain(*heads))
    for path in chain(*(of_folder[every // 2 :: every] for of_folder in heads)):
        yield from ((change, path) for change in CHANGES if change != AS_IT_IS)


def measured(change: Callable[[Image], Image], path: Path, ground: Ground) -> dict:
    """The figures of one head after one change, its CPU seconds, and what set it aside without any figure."""
    head = change(read_scan(path, SETTINGS["limits"]))
    started, figures, before = time.process_time(), {}, []
    try:
        check_geometry(head.data.shape, head.affine, SETTINGS["limits"])
    except Quarantined as problem:
        before.append(problem.reason)
    try:
        baseline = begin(head, ground)
    except Quarantined as problem:
        before.append(problem.reason)
    else:
        seen = covered(baseline.head, ground.grid.shape, ground.grid.affine, baseline.to_scan)
        figures = baseline.prepared.figures | {
            "template_missing": missing_percent(ground.template_t1 > 0.1, seen),
            "cut_cm2": cut_cm2(baseline.mask, head),
            "turn_degrees": turn_degrees(baseline.to_scan),
        }
    cpu_s = time.process_time() - started
    return {name: figures.get(name) for name in FIGURES} | {"cpu_s": cpu_s, "before": ", ".join(before)}


def summary(rows: pd.DataFrame) -> str:
    """A Markdown table: least, median and most of each figure for each change, and what the gates say.

    The gates are asked anew, so that a limit can be tried on rows that are there.
    """
    columns = ["change", "heads", *FIGURES, "held", "by"]
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for change, group in rows.groupby("change", sort=False):
        reasons = [held_by(row) for row in group.to_dict("records")]
        counts = Counter(reason for each in reasons for reason in each)
        said = ", ".join(f"{reason} {count}" for reason, count in counts.most_common())
        cells = [change, len(group), *(_range(group[name].dropna()) for name in FIGURES)]
        lines.append(f"| {' | '.join(map(str, [*cells, sum(map(bool, reasons)), said]))} |")
    return "\n".join(lines)


def held_by(row: dict) -> list[str]:
    """The reasons for which the gates would set a measured head aside."""
    figures = {name: row[name] for name in FIGURES if not np.isnan(row[name])}
    before = [row["before"]] if row["before"] else []
    after = [reason for reason, _ in broken_limits(figures, SETTINGS["limits"])] if figures else []
    return list(dict.fromkeys(before + after))


def _range(values: pd.Series) -> str:
    return " / ".join(_short(value) for value in values.quantile([0, 0.5, 1])) if len(values) else "n/a"


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def turned(*axes: int, flip: tuple[int, ...] = ()) -> Callable[[Image], Image]:
    """Another order of the voxels' axes, some backwards; the header goes with the axes, not with the turn."""

    def change(head: Image) -> Image:
        data = np.flip(head.data.transpose(axes), flip)
        size = head.voxel_mm[list(axes)]
        affine = np.diag([*size, 1.0])
        affine[:3, 3] = -size * (np.array(data.shape) - 1) / 2
        return Image(np.ascontiguousarray(data), affine)

    return change


def cut_at_the_top(lost_mm: float) -> Callable[[Image], Image]:
    """Without what lies above a plane so far below the crown's skin."""

    def change(head: Image) -> Image:
        skin = head.data > 0.2 * np.percentile(head.data, 98)
        area = ndimage.binary_opening(skin).sum(axis=(0, 1)) * np.prod(head.voxel_mm[:2])
        crown = np.flatnonzero(area > 1000)[-1]  # the highest slice with 10 cm² of head
        return head.like(head.data[:, :, : crown - round(lost_mm / head.voxel_mm[2])])

    return change


def resized(factor: float) -> Callable[[Image], Image]:
    """With voxels said to be larger or smaller than they are."""
    return lambda head: Image(head.data, head.affine @ np.diag([factor] * 3 + [1.0]))


def dark_for_bright(head: Image) -> Image:
    """White matter dark and fluid bright, as in T2 weighting; the air stays black."""
    top = np.percentile(head.data, 99.5)
    return head.like(np.where(head.data > 0.1 * top, np.clip(1.1 * top - head.data, 0, None), head.data))


AS_IT_IS = "as it is"
CHANGES: dict[str, Callable[[Image], Image]] = {
    AS_IT_IS: lambda head: head,
    "upside down": turned(0, 1, 2, flip=(2,)),
    "back to front": turned(0, 1, 2, flip=(1,)),
    "upside down and back to front": turned(0, 1, 2, flip=(1, 2)),
    "right and front swapped": turned(1, 0, 2),
    "front and top swapped": turned(0, 2, 1),
    "right and top swapped": turned(2, 1, 0),
    "turned 90° about the right-left axis": turned(0, 2, 1, flip=(1,)),
    "cut 25 mm below the crown": cut_at_the_top(25),
    "cut 45 mm below the crown": cut_at_the_top(45),
    "half the voxel size": resized(0.5),
    "1.5 times the voxel size": resized(1.5),
    "dark for bright": dark_for_bright,
    "left and right exchanged": turned(0, 1, 2, flip=(0,)),
}


if __name__ == "__main__":
    main()
