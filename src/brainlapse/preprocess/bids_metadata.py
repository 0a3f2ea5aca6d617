"""What the BIDS copy says of itself: its description, its README, its tables' columns, its sidecars."""

from pathlib import PurePath
from urllib.parse import quote

from brainlapse.preprocess.derivatives import generated_by

BIDS_VERSION = "1.10.1"
SPACE = "MNI152NLin2009aSym"  # BIDS' name of the template that nilearn ships
STUDY, STUDY_FOLDER = "study", "sourcedata"

README = """\
# Preprocessed T1-weighted scans

Brains on one grid in MNI152NLin2009aSym space, made by brainlapse, as BIDS derivatives. The same files lie in
the folder above this one under the study's own ids; here they are hard links to them where the disk can do
that, so that they take no space twice. Do not edit them in place. The folder is made anew whenever the
cohort is preprocessed again.

- `participants.tsv` and each `sub-*_sessions.tsv` tell which subject and scan of the study a label stands
  for. A label holds the letters and digits of the study's id. Days are counted from a person's first scan; no
  date is told here, and no age above 89.
- `*_desc-preproc_T1w.nii.gz` holds intensities in [-1, 1] with the background at exactly -1, and
  `*_desc-brain_mask.nii.gz` the brain. All visits of a person have the mask of the first one.
- `*_xfm.txt` takes the scan to the grid (`antsApplyTransforms -t FILE`) or back (`-t [FILE,1]`).
- `Sources` that begin with `bids:study:` are files of the study's download, below the folder that holds all
  images of the cohort. That folder is not part of this one: link it here as `sourcedata` to follow them.
- `figures` holds a picture of each scan to judge it by.

Whoever hands this folder on should add License and Authors to dataset_description.json: only they know them,
and the study's data use agreement says whether they may.
"""

# What BIDS has no name for yet: transforms, and pictures to look at.
IGNORED = "*_xfm.txt\nfigures\n"


def description(cohort: str) -> dict:
    """dataset_description.json."""
    return {
        "Name": f"brainlapse: preprocessed scans of {cohort}",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": generated_by(),
        "SourceDatasets": [{"URL": f"bids:{STUDY}:"}],
        "DatasetLinks": {STUDY: STUDY_FOLDER},
    }


def study_uri(path: PurePath) -> str:
    """The BIDS URI of a file of the study's download."""
    return f"bids:{STUDY}:{quote(path.as_posix())}"


PARTICIPANT_COLUMNS = {
    "participant_id": {"Description": "label of the person in this dataset"},
    "subject": {"Description": "the study's own id of the person"},
    "age": {"Description": "age at the first scan in this dataset; 89 means 89 or more", "Units": "year"},
    "sex": {"Description": "sex as recorded", "Levels": {"F": "female", "M": "male", "O": "other"}},
}
SESSION_COLUMNS = {
    "session_id": {"Description": "label of the scan in this dataset"},
    "scan": {"Description": "the study's own id of the scan"},
    "days": {"Description": "days since the person's first scan in the study", "Units": "day"},
    "diagnosis": {
        "Description": "diagnosis at the scan",
        "Levels": {
            "CN": "cognitively normal",
            "MCI": "mild cognitive impairment",
            "AD": "Alzheimer's disease",
        },
    },
}
OLDEST_TOLD_YEARS = 89  # BIDS and HIPAA ask not to tell a greater age


def image_sidecar(told: dict, sources: list[str]) -> dict:
    """The volume's sidecar: what the study's own says, with sources that hold no path of this machine."""
    template = PurePath(told["Settings"]["template"]).name  # a head template's folder is of this machine
    return told | {"Sources": sources, "Settings": told["Settings"] | {"template": template}}


def mask_sidecar(told: dict, sources: list[str]) -> dict:
    """The brain mask's sidecar."""
    return {
        "Description": "brain mask of the person's first scan, the same for all visits",
        "Type": "Brain",
        "Sources": sources,
        "SpatialReference": told["SpatialReference"],
        "Resolution": told["Resolution"],
    }
