"""How long the manifest takes for a download of 100,000 rows and images, and again with one more zip.

It writes the download first (real headers, invented rows, tiny files), which is not timed.

    PYTHONPATH=tests/manifest .venv/stages/bin/python benchmarks/manifest.py --folder /tmp/manifest
"""

import argparse
import json
import os
import sys
import time
import zipfile
from datetime import date, timedelta
from pathlib import Path

import ida_forms  # of tests/manifest
from ida_forms import Shot

PROJECT = Path(__file__).parents[1]
VISITS = 10
SETTINGS = {
    "reader": "adni", "role": "study", "columns": {},
    "selection": {"images": "original", "same_visit_days": 45, "diagnosis_window_days": 183},
}  # fmt: skip


def main() -> None:
    """Write the download, read it, add a zip, read it again, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--side-files", type=int, default=0, help="XML side files to write as well")
    parser.add_argument("--folder", type=Path, required=True, help="an empty folder to work in")
    options = parser.parse_args()
    root = options.folder / "adni"
    shots = [shot(number) for number in range(options.images)]
    write(root, shots, options.side_files)
    took("first run", root, options.folder / "out")
    took("again, nothing new", root, options.folder / "out")
    write_zip(root / "later.zip", [shot(options.images + number) for number in range(VISITS * 20)])
    took("again, one more zip of 200 images", root, options.folder / "out")


def shot(number: int) -> Shot:
    """One image: ten visits a person, some of them processed, repeats or localizers."""
    person, visit = divmod(number, VISITS)
    day = date(2008, 1, 4) + timedelta(days=person % 365 + 190 * visit)
    kind = ("MPRAGE", "MP-RAGE", "MPRAGE Repeat", "Localizer", "Accelerated SAG IR-SPGR")[number % 5]
    return Shot(
        number + 1, f"{person % 900:03d}_S_{person:05d}", day, kind, age=60 + person % 30 + 0.52 * visit
    )


def write(root: Path, shots: list[Shot], side_files: int) -> None:
    """The tree, and the table half as a collection and half as a search export."""
    for one in shots:
        ida_forms.place(root, one)
    half = len(shots) // 2
    (root / "Mine_1_01_2026.csv").write_text(ida_forms.collection(shots[:half]))
    (root / "idaSearch_1_01_2026.csv").write_text(ida_forms.search_export(shots[half:]))
    for one in shots[:side_files]:
        (root / f"ADNI_{one.subject}_S1_I{one.image}.xml").write_text(ida_forms.side_file(one))


def write_zip(path: Path, shots: list[Shot]) -> None:
    """Later images and their table, as one download more."""
    with zipfile.ZipFile(path, "w") as archive:
        for one in shots:
            archive.writestr(str(ida_forms.path_of(one)), ida_forms.content(one))
        archive.writestr("Later_2_01_2026.csv", ida_forms.collection(shots))


def took(what: str, root: Path, out: Path) -> None:
    """Run the stage as the workflow does, in a process of its own, and print time and peak memory."""
    settings = json.dumps({**SETTINGS, "root": str(root)})
    command = [sys.executable, "-m", "brainlapse", "manifest", "--cohort", "adni", "--settings", settings]
    start = time.monotonic()
    process = os.spawnve(
        os.P_NOWAIT, sys.executable, [*command, "--threads", "2", "--out", str(out)],
        {**os.environ, "PYTHONPATH": str(PROJECT / "src")},
    )  # fmt: skip
    _, status, usage = os.wait4(process, 0)
    if status:
        sys.exit(status)
    wall, cpu = time.monotonic() - start, usage.ru_utime + usage.ru_stime
    print(f"{what}: {wall:.1f} s wall, {cpu:.1f} s CPU, {usage.ru_maxrss / 1024:.0f} MB", flush=True)


if __name__ == "__main__":
    main()
