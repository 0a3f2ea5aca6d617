"""An AIBL download: plain numbers for people, clinical tables by visit code, and dates that folders know."""

from pathlib import Path

import pytest
from ida_forms import written

from brainlapse.manifest import selection

IMAGES = [
    ("7", "MPRAGE_ADNI_confirmed", "2010-03-04", 1),
    ("7", "MPRAGE_ADNI_confirmed_RPT", "2010-03-04", 2),
    ("7", "MPRAGE_ADNI_confirmed", "2011-10-05", 3),
    ("1123", "MPRAGESAGISOp2ND", "2010-05-06", 4),
    ("1123", "MPRAGE_SAG_ISO_p2_ND", "2012-05-06", 5),
    ("1123", "Axial_T2_FLAIR", "2012-05-06", 6),
]


@pytest.fixture
def root(tmp_path) -> Path:
    root = tmp_path / "aibl"
    for rid, name, day, image in IMAGES:
        folder = root / "AIBL" / rid / name / f"{day}_09_00_00.0" / f"I{image}"
        folder.mkdir(parents=True)
        (folder / f"AIBL_{rid}_MR_{name}_Br_20190101120000000_S1_I{image}.nii").write_bytes(b"x")
    keys = ["RID", "SITEID", "VISCODE"]
    mri = [
        [7, 1, "bl", "3/4/2010"],
        [7, 1, "m18", "10/5/2011"],
        [1123, 2, "bl", "5/26/2010"],
        [1123, 2, "m18", "-4"],
    ]
    (root / "aibl_mrimeta_01-Jun-2018.csv").write_text(written([*keys, "EXAMDATE"], mri))
    dx = [[7, 1, "bl", 1], [7, 1, "m18", 2], [1123, 2, "bl", 3], [1123, 2, "m18", -4]]
    text = written([*keys, "DXCURREN"], dx)
    (root / "aibl_pdxconv_01-Jun-2018.csv").write_text(text.replace(",", ";"))
    people = written(
        ["RID", "SITEID", "VISCODE", "PTGENDER", "PTDOB"],
        [[7, 1, "bl", 1, "/1940"], [1123, 2, "bl", 2, "/1938"]],
    )
    (root / "aibl_ptdemog_01-Jun-2018.csv").write_text(people.replace("/1940", "/1940,"))
    return root


def test_the_tree_and_the_clinical_tables_are_enough(run, root):
    found = run(root, reader="aibl")
    scans = found["scans"].set_index("scan")
    assert list(scans.index) == ["I4", "I5", "I1", "I3"]
    assert list(scans["subject"]) == ["1123", "1123", "7", "7"]
    assert list(scans["days"]) == [0, 731, 0, 580]
    assert [text if isinstance(text, str) else None for text in scans["diagnosis"]] == [
        "AD",
        None,
        "CN",
        "MCI",
    ]
    assert list(scans["sex"]) == ["F", "F", "M", "M"]
    reasons = dict(zip(found["rejected"]["scan"], found["rejected"]["reason"], strict=True))
    assert reasons == {"I2": selection.NOT_CHOSEN, "I6": selection.NOT_T1}


def test_an_image_without_a_date_is_rejected_and_never_called_baseline(run, root):
    dated = next(root.rglob("*_I5.nii"))
    flat = root / "AIBL" / "1123" / "MPRAGE_SAG_ISO_p2_ND" / "I5"
    flat.mkdir()
    dated.rename(flat / dated.name)
    found = run(root, reader="aibl")
    reasons = dict(zip(found["rejected"]["scan"], found["rejected"]["reason"], strict=True))
    assert reasons["I5"] == selection.NO_DATE
    assert "I5" not in set(found["scans"]["scan"])
