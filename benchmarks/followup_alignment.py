"""How far preprocessing lays a follow-up from where it was: the phantom's scanner knows every pose.

Prints, for every follow-up of a preprocessed phantom study, the mean distance over the brain between
where the pipeline put it and where it belongs.

    .venv/stages/bin/python benchmarks/followup_alignment.py --results results/demo
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

PROJECT = Path(__file__).parents[1]
sys.path.insert(0, str(PROJECT / "src"))

from brainlapse import tables  # noqa: E402
from brainlapse.phantom import scanner  # noqa: E402
from brainlapse.phantom.subjects import Subject, Visit, draw_subject, stream  # noqa: E402

BRAIN_MM = ([-60, -80, -40], [60, 50, 60])  # a box in the brain, in the millimetres of the head


def main() -> None:
    """Print an error a follow-up and their quartiles."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--cohort", default="phantom")
    parser.add_argument("--seed", type=int, default=0, help="`seed` of the study")
    parser.add_argument("--voxel-mm", type=float, default=3.0, help="`phantom.voxel_mm` of the study")
    options = parser.parse_args()
    folder = options.results / "2_preprocess" / options.cohort
    quality = tables.read(folder / "quality.tsv", tables.QUALITY)
    accepted = quality[quality["status"] == "accepted"]
    errors_mm = []
    for number in range(2 * accepted["subject"].nunique()):  # some subjects have one visit and are not there
        subject = draw_subject(options.seed, number)
        scans = accepted[accepted["subject"] == subject.ptid]
        places = [placed(folder / image) for image in scans["image"]]
        poses = [pose(subject, visit, options) for visit in subject.visits[: len(scans)]]
        for visit in range(1, len(scans)):
            error_mm = distance_mm(poses[0], poses[visit], places[0], places[visit])
            print(f"{subject.ptid} visit {visit}: {error_mm:.3f} mm")
            errors_mm.append(error_mm)
    quartiles = np.percentile(errors_mm, [0, 25, 50, 75, 100])
    print(f"{len(errors_mm)} follow-ups, minimum, quartiles and maximum: {np.round(quartiles, 3)} mm")


def pose(subject: Subject, visit: Visit, options) -> np.ndarray:
    """(4, 4): from the scan's to the head's millimetres, as the phantom's scanner drew it."""
    drawn = scanner.draw_scanner(options.voxel_mm, stream(options.seed, subject.number, 1))
    return scanner.draw_session(drawn, stream(options.seed, subject.number, 2, visit.number, 0)).to_head


def placed(image: Path) -> np.ndarray:
    """(4, 4): from the grid's to the scan's millimetres, as preprocessing found it."""
    provenance = json.loads(image.with_name(image.name.replace(".nii.gz", ".json")).read_text())
    return np.array(provenance["GridToScanMillimetresRAS"])


def distance_mm(baseline_pose, followup_pose, baseline_place, followup_place) -> float:
    """Mean over points of the brain between found and true place in the follow-up."""
    head = np.c_[np.random.default_rng(0).uniform(*BRAIN_MM, (500, 3)), np.ones(500)]
    points = head @ np.linalg.inv(baseline_pose).T
    true = np.linalg.inv(followup_pose) @ baseline_pose
    found = followup_place @ np.linalg.inv(baseline_place)
    return float(np.linalg.norm((points @ (found - true).T)[:, :3], axis=1).mean())


if __name__ == "__main__":
    main()
