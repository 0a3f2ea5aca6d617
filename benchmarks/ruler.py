"""Measured against set: rates of change that evaluate's ruler finds on phantoms of known volumes.

For each person and later visit of the demo's cohort: percent a year since the first scan, measured on the
preprocessed scans and as the phantom's truth.tsv has it. Prints r, slope (measured on true) and bias.

    .venv/stages/bin/python benchmarks/ruler.py --results results/demo
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

PROJECT = Path(__file__).parents[1]
sys.path.insert(0, str(PROJECT / "src"))

from brainlapse import tables  # noqa: E402
from brainlapse.evaluate.scans import Scans  # noqa: E402
from brainlapse.evaluate.volumetry import Ruler  # noqa: E402

COHORT = "phantom"
TRUE = {"ventricles": "ventricles_ml", "hippocampi": "hippocampi_ml", "brain": "brain_ml"}
LEAST_YEARS = 0.4


def main() -> None:
    """Measure and print a row of Markdown a region."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--results", type=Path, required=True, help="a results folder of the demo")
    options = parser.parse_args()
    truth = tables.read(options.results / "0_phantom" / "truth" / "truth.tsv", tables.TRUTH).set_index("scan")
    rates = pd.DataFrame(measured(Scans(options.results / "2_preprocess" / COHORT / "quality.tsv"), truth))
    people = rates.groupby(["region", "subject"])[["measured", "true"]].mean()
    print("| region | people | r | slope | bias, % a year | true, % a year |\n|---|---|---|---|---|---|")
    for region in TRUE:
        found, true = people.loc[region].to_numpy().T
        slope = np.polyfit(true, found, 1)[0]
        print(f"| {region} | {len(true)} | {np.corrcoef(found, true)[0, 1]:.2f} | {slope:.2f} | "
              f"{np.mean(found - true):+.2f} | {true.mean():+.2f} |")  # fmt: skip


def measured(scans: Scans, truth: pd.DataFrame):
    """A row a person, later scan and region: measured and true percent a year since the first scan."""
    accepted = scans.rows[scans.rows["status"] == "accepted"]
    for subject, own in accepted.groupby("subject"):
        order = truth.loc[own.index, "years"].sort_values().index
        source, brain, affine = scans.read(order[0])
        ruler = Ruler(source.shape, affine).at(source, brain)
        for scan in order[1:]:
            years = truth.at[scan, "years"] - truth.at[order[0], "years"]
            if years < LEAST_YEARS:
                continue
            after = ruler.volumes_ml(scans.read(scan)[0])
            for region, column in TRUE.items():
                changes = (
                    after[region] / ruler.before[region],
                    truth.at[scan, column] / truth.at[order[0], column],
                )
                of = ("measured", "true")
                yield {"subject": subject, "region": region} | {
                    name: 100 * (ratio - 1) / years for name, ratio in zip(of, changes, strict=True)
                }


if __name__ == "__main__":
    main()
