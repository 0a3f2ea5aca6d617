"""How long Snakemake takes to plan a study of ADNI's size, and to see that a finished one is finished.

It writes a made-up download with empty image files, runs the manifest for real and then a dry run
of config.yaml. Then every result is put there as an empty file, taken for made (`--touch`), and the
same command is given again. No other stage runs, so nothing is proved about the images.

    .venv/stages/bin/python benchmarks/plan.py --subjects 1239 --folder DIR
    .venv/stages/bin/python benchmarks/plan.py --subjects 12500 --folder DIR [--targets FILE [FILE ...]]

With targets only their plan is made; results/2_preprocess/adni/people/{1..512}-of-4096.txt are an eighth.
"""

import argparse
import csv
import os
import re
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path

PROJECT = Path(__file__).parents[1]
HEADER = (
    "Image Data ID", "Subject", "Group", "Sex", "Age", "Visit", "Modality", "Description", "Type",
    "Acq Date", "Format", "Downloaded",
)  # fmt: skip
VISITS = 4


def main() -> None:
    """Write the download, plan the study, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--subjects", type=int, default=1239)
    parser.add_argument("--folder", type=Path, required=True, help="an empty folder to work in")
    parser.add_argument("--targets", nargs="+", default=[], help="plan these and not the whole study")
    options = parser.parse_args()
    write_download(options.folder / "data" / "adni", options.subjects)
    for name in ("Snakefile", "config.yaml", "workflow", "envs", "src"):
        (options.folder / name).symlink_to(PROJECT / name)
    took("manifest", options.folder, "results/1_manifest/adni/scans.tsv")
    # The manifest ran in this environment and not in its own: that difference is not asked about here.
    triggers = ("--rerun-triggers", "mtime", "params", "input", "code")
    plan = took("plan", options.folder, *options.targets, "--dry-run", *triggers)
    print(re.search(r"^job +count\n.*?\ntotal +\d+", plan, re.DOTALL | re.MULTILINE)[0])
    if options.targets:
        return
    pretend_all_results(options.folder, triggers)
    again = took("the same command, all done", options.folder, *triggers)
    print(again.strip().splitlines()[-1])


def pretend_all_results(folder: Path, triggers: tuple[str, ...]) -> None:
    """Put an empty file wherever a job would, and have Snakemake take it for the job's own."""
    lines = took("list of all results", folder, "--summary", *triggers).splitlines()
    for name in (line.split("\t")[0] for line in lines if line.startswith("results/")):
        path = folder / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    took("taking all results for made", folder, "--touch", *triggers)


def write_download(root: Path, subjects: int) -> None:
    """The collection CSV and an empty NIfTI file for every scan."""
    root.mkdir(parents=True)
    with open(root / "Plan_1_01_2026.csv", "w", newline="") as table:
        writer = csv.writer(table, quoting=csv.QUOTE_ALL)
        writer.writerow(HEADER)
        for number in range(subjects):
            for visit in range(VISITS):
                writer.writerow(write_scan(root, number, visit))


def write_scan(root: Path, number: int, visit: int) -> tuple[str, ...]:
    """Write one empty image into the tree and return its row."""
    subject, image = f"{number % 900:03d}_S_{number:04d}", f"I{number * 10 + visit + 1}"
    day = date(2010, 1, 4) + timedelta(days=number % 365 + 380 * visit)
    folder = root / "ADNI" / subject / "MPRAGE" / f"{day}_08_00_00.0" / image
    folder.mkdir(parents=True)
    (folder / f"ADNI_{subject}_MR_MPRAGE_Br_20190101000000000_S1_{image}.nii").touch()
    group = ("CN", "MCI", "AD")[number % 3]
    acquired = f"{day.month}/{day.day}/{day.year}"
    return (image, subject, group, "F", "75", "sc", "MRI", "MPRAGE", "Original", acquired, "NiFTI", "")


def took(what: str, folder: Path, *arguments: str) -> str:
    """Run Snakemake in the folder, print its time and peak memory, and return what it printed."""
    snakemake = Path(sys.prefix).parent / "workflow" / "bin" / "snakemake"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    start = time.monotonic()
    process = subprocess.Popen(
        [snakemake, "--cores", "all", *arguments], cwd=folder, env={**os.environ, "PATH": path},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(output)
    wall, cpu = time.monotonic() - start, usage.ru_utime + usage.ru_stime
    print(f"{what}: {wall:.1f} s wall, {cpu:.1f} s CPU, {usage.ru_maxrss / 1024:.0f} MB")
    return output


if __name__ == "__main__":
    main()
