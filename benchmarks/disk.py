"""How many bytes a file of each kind takes in a finished study, and what 1,000 of them take at 128×160×128.

python benchmarks/disk.py --results results/demo

Volumes are extrapolated by the number of voxels, as the header of the first preprocessed scan has it.
"""

import argparse
from pathlib import Path

import nibabel as nib

FULL = 128 * 160 * 128
VOLUMES = {
    "preprocessed scan": "2_preprocess/*/sub-*/ses-*/anat/*_desc-preproc_T1w.nii.gz",
    "brain mask": "2_preprocess/*/sub-*/ses-*/anat/*_desc-brain_mask.nii.gz",
    "sample": "5_sample/*/*/sub-*/*_T1w.nii.gz",
}
OTHERS = {
    "picture of a scan": "2_preprocess/*/sub-*/ses-*/anat/*_qc.png",
    "sidecar": "2_preprocess/*/sub-*/ses-*/anat/*.json",
    "record of a person": "2_preprocess/*/sub-*/*.provenance.json",
    "weights": "4_train/*/model.safetensors",
    "scores of a model": "6_evaluate/*/*/scores.tsv",
    "page of a person": "7_report/subjects/*/*.html",
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--results", type=Path, required=True)
    results = parser.parse_args().results
    voxels = nib.load(next(results.glob(VOLUMES["preprocessed scan"]))).header["dim"][1:4].prod(dtype=int)
    print(f"{voxels:,} voxels a volume; extrapolated by × {FULL / voxels:.1f}\n")
    print("| file | files | bytes a file | bytes a voxel | GB for 1,000 at 128×160×128 |")
    print("|---|---|---|---|---|")
    for kind, pattern in (VOLUMES | OTHERS).items():
        sizes = [path.stat().st_size for path in results.glob(pattern)]
        if sizes:
            mean = sum(sizes) / len(sizes)
            grows = kind in VOLUMES
            full = mean * (FULL / voxels if grows else 1) * 1000 / 1e9
            print(
                f"| {kind} | {len(sizes)} | {mean:,.0f} | {mean / voxels if grows else 0:.2f} | {full:.2f} |"
            )


if __name__ == "__main__":
    main()
