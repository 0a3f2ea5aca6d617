"""Error of a model where the phantom truly changed: the region comes from the noise-free truth.

`mae_changed` finds its region in the noisy follow-up, so that a low threshold lets noise in and a high
one leaves few voxels. Here the head is imaged without noise at both visits, in the baseline's pose, and
the region is where those two images differ by more than a threshold (on the scale of [0, 1]).

    .venv/stages/bin/python benchmarks/true_change.py --results results/demo
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

PROJECT = Path(__file__).parents[1]
sys.path.insert(0, str(PROJECT / "src"))

from brainlapse import tables  # noqa: E402
from brainlapse.evaluate.scans import Samples, Scans  # noqa: E402
from brainlapse.phantom import scanner  # noqa: E402
from brainlapse.phantom.study import Average, Participant  # noqa: E402
from brainlapse.phantom.subjects import draw_subject, stream  # noqa: E402
from brainlapse.preprocess.geometry import Image, resampled  # noqa: E402

THRESHOLDS = (0.03, 0.04, 0.05, 0.08)
COHORT = "phantom"


def main() -> None:
    """Print, a threshold a line, the error of copying and of the model and their ratio, means over people."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--model", default="brainlapse")
    parser.add_argument("--seed", type=int, default=0, help="`seed` of the study")
    parser.add_argument("--voxel-mm", type=float, default=3.0, help="`phantom.voxel_mm` of the study")
    options = parser.parse_args()
    rows = pd.DataFrame(errors(options))
    for threshold, part in rows.groupby("threshold"):
        people = part.groupby("subject")[["copy", "model"]].mean().mean()
        print(
            f"{threshold}: {part['subject'].nunique()} people, {len(part)} follow-ups, median "
            f"{part['voxels'].median():.0f} voxels; copy {people['copy']:.4f}, {options.model} "
            f"{people['model']:.4f}, ratio {people['model'] / people['copy']:.3f}"
        )


def errors(options):
    """A row for each test pair and threshold at which some voxel changed."""
    quality = options.results / "2_preprocess" / COHORT / "quality.tsv"
    scans = Scans(quality)
    samples = Samples(options.results / "5_sample" / options.model / COHORT, COHORT)
    truth = tables.read(options.results / "0_phantom" / "truth" / "truth.tsv", tables.TRUTH)
    number_of = {draw_subject(options.seed, n).ptid: n for n in range(2 * truth["subject"].nunique())}
    average = Average.at(options.voxel_mm)
    for _, request in samples.requests.dropna(subset=["target_scan"]).iterrows():
        person = Participant(average, options.seed, number_of[request["subject"]], options.voxel_mm)
        source, brain, affine = scans.read(request["source_scan"])
        target = scans.read(request["target_scan"])[0]
        _, sample = next(samples.draws(request, source.shape))
        place = grid_to_baseline(quality.parent, scans.rows, request["subject"])
        visits = truth[truth["subject"] == request["subject"]].set_index("scan")
        before, after = (
            noise_free(person, options, visits.at[request[scan], "years"], source.shape, affine, place)
            for scan in ("source_scan", "target_scan")
        )
        to_intensity = np.polyfit(before[brain], source[brain], 1)[0]
        change = np.abs(to_intensity * (after - before))
        for threshold in THRESHOLDS:
            region = brain & (change > threshold)
            if region.any():
                yield {
                    "threshold": threshold, "subject": request["subject"], "voxels": region.sum(),
                    "copy": np.abs(target - source)[region].mean(),
                    "model": np.abs(target - sample)[region].mean(),
                }  # fmt: skip


def grid_to_baseline(folder: Path, rows: pd.DataFrame, subject: str) -> np.ndarray:
    """(4, 4): from the grid's to the first accepted scan's millimetres."""
    accepted = rows[(rows["subject"] == subject) & (rows["status"] == "accepted")]
    image = folder / accepted["image"].iloc[0]
    provenance = json.loads(image.with_name(image.name.replace(".nii.gz", ".json")).read_text())
    return np.array(provenance["GridToScanMillimetresRAS"])


def noise_free(person: Participant, options, years: float, shape, affine, place) -> np.ndarray:
    """(X, Y, Z): the head after so many years as the first visit's scanner would see it, on the grid."""
    average, number = person.average, person.subject.number
    session = scanner.draw_session(person.scanner, stream(options.seed, number, 2, 0, 0))
    field = average.progression.displacement(person.subject.log_volumes(years))
    points = person.anatomy.to_average(session.points_in_head())
    points = points + average.progression.lattice.sample_field(field, points)
    lattice = average.head.lattice
    head = scanner.resolved(average.head.image(person.scanner.contrast), lattice.spacing_mm, person.scanner)
    return resampled(Image(lattice.sample(head, points), session.affine), shape, affine, place).data


if __name__ == "__main__":
    main()
