"""An ADNI download, with the study's real headers and made-up people, gives the scans one expects."""

import zipfile
from dataclasses import replace
from datetime import date
from pathlib import Path

import ida_forms
import nibabel as nib
import pytest
from dicom_series import write_series
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ida_forms import FORMS, Shot

from brainlapse.errors import Refused
from brainlapse.manifest import selection

CHAIN = "MPR; GradWarp; B1 Correction; N3; Scaled"
ANN, BEN, EVA = "941_S_0001", "941_S_10002", "941_S_0003"
USED = [
    Shot(1, ANN, date(2010, 1, 9), group="CN"),
    Shot(3, ANN, date(2011, 2, 20), "MP-RAGE", group="CN", visit="m12"),
    Shot(6, BEN, date(2015, 12, 31), "Accelerated SAG IR-FSPGR", group="LMCI"),
    Shot(7, BEN, date(2017, 12, 30), "ADNI       MPRAGE", group="LMCI"),
]
UNUSED = {
    selection.NOT_CHOSEN: Shot(2, ANN, date(2010, 1, 9), "MPRAGE Repeat"),
    selection.NOT_T1: Shot(4, ANN, date(2011, 2, 20), "3-plane localizer"),
    selection.NOT_ORIGINAL: Shot(5, ANN, date(2011, 2, 20), CHAIN, type="Processed"),
    selection.SAME_VISIT: Shot(12, ANN, date(2010, 2, 1), visit="bl"),
    selection.ONE_VISIT: Shot(8, EVA, date(2010, 5, 5), group="AD"),
    selection.NOT_MRI: Shot(13, EVA, date(2010, 5, 6), "MPRAGE", modality="PET"),
}
SHOTS = [*USED, *UNUSED.values()]
ABSENT = Shot(9, EVA, date(2010, 11, 7), group="AD")


@pytest.fixture
def root(tmp_path):
    """The collection table and the tree, with one image that did not arrive."""
    return download(tmp_path / "adni", SHOTS, [ida_forms.collection([*SHOTS, ABSENT])])


def download(root: Path, shots, tables) -> Path:
    root.mkdir()
    for shot in shots:
        ida_forms.place(root, shot)
    for number, text in enumerate(tables):
        (root / f"Table_{number}_3_20_2021.csv").write_text(text)
    return root


def reasons(found) -> dict:
    rejected = found["rejected"].dropna(subset=["scan"])
    return dict(zip(rejected["scan"], rejected["reason"], strict=True))


def test_the_usable_scans_are_found_and_all_others_have_a_reason(run, root):
    found = run(root)
    scans = found["scans"]
    assert list(scans["scan"]) == ["I1", "I3", "I6", "I7"]
    assert list(scans["days"]) == [0, 407, 0, 730]
    assert list(scans["diagnosis"]) == ["CN", "CN", "MCI", "MCI"]
    assert all(Path(image).exists() for image in scans["image"])
    assert reasons(found) == {f"I{shot.image}": reason for reason, shot in UNUSED.items()} | {
        "I9": selection.NO_FILE
    }


def test_every_row_and_file_is_accounted_for(run, root):
    ida_forms.place(root, Shot(77, ANN, date(2012, 1, 1)))
    (root / "loose.nii").write_bytes(b"somebody's")
    table = root / "Table_0_3_20_2021.csv"
    table.write_text(
        table.read_text() + ida_forms.collection([Shot(0, "nobody", date(2010, 1, 1))]).split("\n")[1]
    )
    found = run(root)
    assert len(found["scans"]) + len(found["rejected"]) == len(SHOTS) + 1 + 3
    told = found["rejected"]["reason"]
    assert (told == selection.NO_TABLE_ROW).sum() == 2 and (told == selection.NO_IDENTIFIER).sum() == 1
    assert set(told) <= set(selection.REASONS)
    assert (found["rejected"]["step"] == told.map(selection.STEP_OF)).all()


def test_the_funnel_only_narrows_and_ends_at_the_scans(run, root):
    found = run(root)
    counts = list(found["funnel"]["rows"])
    assert counts == sorted(counts, reverse=True)
    assert counts[0] == len(SHOTS) + 1 and counts[-1] == len(found["scans"])
    lost = found["rejected"].groupby("step").size()
    steps = found["funnel"].set_index("step")["rows"]
    for step, before in zip(list(steps.index)[2:], list(steps)[1:], strict=False):
        assert before - steps[step] == lost.get(step, 0)


def test_the_list_of_image_ids_can_be_given_to_a_colleague(run, root, tmp_path):
    run(root)
    assert (tmp_path / "out" / "image_ids.txt").read_text() == "I1,I3,I6,I7\n"


def as_forms(draw) -> tuple[list[str], list[Shot], list[Shot]]:
    """Each image in at least one form, in any order; the XML of some."""
    forms = list(FORMS.values())
    told = {form: [] for form in forms}
    for shot in SHOTS:
        fitting = [f for f in forms if not (f is ida_forms.key_mri and shot.type != "Original")]
        if shot.modality != "MRI":  # the other forms do not say
            fitting = [ida_forms.collection, ida_forms.search_export]
        for form in draw(st.lists(st.sampled_from(fitting), min_size=1, unique=True)):
            told[form].append(shot)
    texts = [form(draw(st.permutations(shots))) for form, shots in told.items() if shots]
    return texts, draw(st.lists(st.sampled_from(SHOTS), unique=True))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_any_mixture_of_forms_gives_the_same_selection(run, tmp_path_factory, data):
    texts, with_xml = as_forms(data.draw)
    leaf = data.draw(st.sampled_from("IS"))
    folder = tmp_path_factory.mktemp("mixture")
    root = download(folder / "adni", [], texts)
    for shot in SHOTS:
        ida_forms.place(root, shot, leaf=leaf)
    for shot in with_xml:
        (root / f"ADNI_{shot.subject}_S1_I{shot.image}.xml").write_text(ida_forms.side_file(shot))
    found = run(root, folder / "out")
    assert list(found["scans"]["scan"]) == ["I1", "I3", "I6", "I7"]
    assert list(found["scans"]["days"]) == [0, 407, 0, 730]
    assert reasons(found) == {f"I{shot.image}": reason for reason, shot in UNUSED.items()}


def test_side_files_alone_are_enough_and_know_the_age_to_a_tenth(run, tmp_path):
    root = download(tmp_path / "adni", SHOTS, [])
    for shot in SHOTS:
        (root / f"I{shot.image}.xml").write_text(ida_forms.side_file(shot))
    scans = run(root)["scans"]
    assert list(scans["scan"]) == ["I1", "I3", "I6", "I7"]
    assert set(scans["age_years"]) == {71.3} and set(scans["field_strength_t"]) == {3.0}
    assert set(scans["manufacturer"]) == {"SIEMENS"}


@pytest.mark.parametrize(
    "hostile",
    [
        '<!DOCTYPE a [<!ENTITY x "y">]><idaxs>&x;</idaxs>',
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><idaxs>&x;</idaxs>',
        "<idaxs><project>",
        "no XML",
        "<idaxs/>",
    ],
)
def test_a_side_file_that_cannot_be_trusted_is_a_rejected_file(run, root, hostile):
    (root / "ADNI_941_S_0001_S1_I1.xml").write_text(hostile)
    found = run(root)
    assert list(found["scans"]["scan"]) == ["I1", "I3", "I6", "I7"]
    row = found["rejected"].query("reason == @selection.SIDE_FILE").iloc[0]
    assert row["image"].endswith("_I1.xml")


def test_zips_are_read_as_if_unpacked_and_unpacked_once(run, root, tmp_path):
    part = tmp_path / "adni_2.zip"
    with zipfile.ZipFile(part, "w") as archive:
        for image in sorted((root / "ADNI" / BEN).rglob("*.nii")):
            archive.write(image, image.relative_to(root))
            image.unlink()
    part.rename(root / part.name)
    scans = run(root)["scans"].set_index("scan")
    assert list(scans.index) == ["I1", "I3", "I6", "I7"]
    unpacked = Path(scans.loc["I6", "image"])
    assert unpacked.read_bytes() == ida_forms.content(USED[2]) and unpacked.is_relative_to(tmp_path / "out")
    before = unpacked.stat()
    run(root)
    assert (unpacked.stat().st_mtime_ns, unpacked.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


def test_an_image_that_was_unpacked_in_part_is_taken_from_its_zip(run, root):
    image = next(root.rglob("*_I6.nii"))
    with zipfile.ZipFile(root / "adni.zip", "w") as archive:
        archive.write(image, image.relative_to(root))
    image.write_bytes(image.read_bytes()[:10])
    scans = run(root)["scans"].set_index("scan")
    assert Path(scans.loc["I6", "image"]).read_bytes() == ida_forms.content(USED[2])


def test_a_damaged_member_is_rejected_and_the_next_best_scan_of_its_date_is_taken(run, root):
    image = next(root.rglob("*_I1.nii"))
    with zipfile.ZipFile(root / "adni.zip", "w") as archive:
        archive.write(image, image.relative_to(root))
    image.unlink()
    data = (root / "adni.zip").read_bytes()
    (root / "adni.zip").write_bytes(data.replace(b"image 1image 1", b"image 1imbge 1", 1))
    found = run(root)
    assert list(found["scans"]["scan"]) == ["I2", "I3", "I6", "I7"]
    assert reasons(found)["I1"] == selection.UNREADABLE


def test_two_different_files_of_one_image_are_rejected(run, root):
    other = next(root.rglob("*_I6.nii"))
    elsewhere = root / "again" / other.name
    elsewhere.parent.mkdir()
    elsewhere.write_bytes(b"something else")
    assert reasons(run(root))["I6"] == selection.TWO_FILES
    elsewhere.write_bytes(other.read_bytes())
    assert "I6" in set(run(root)["scans"]["scan"])


def test_a_file_in_another_persons_folder_is_rejected(run, root):
    image = next(root.rglob("*_I3.nii"))
    moved = root / "ADNI" / BEN / "MP-RAGE" / "2011-02-20_08_15_30.0" / "I3"
    moved.mkdir(parents=True)
    image.rename(moved / image.name)
    assert reasons(run(root))["I3"] == selection.CONFLICT


def test_two_people_in_two_tables_for_one_image_are_rejected(run, root):
    (root / "other.csv").write_text(ida_forms.key_mri([replace(USED[1], subject=EVA)]))
    assert reasons(run(root))["I3"] == selection.CONFLICT


def test_the_folder_date_wins_over_the_table_and_a_far_one_rejects(run, root, caplog):
    near, far = "2011-02-20_08_15_30.0", "2017-12-30_08_15_30.0"
    next(root.rglob(f"*/{near}/I3")).parent.rename(next(root.rglob(near)).with_name("2011-02-25_08_15_30.0"))
    next(root.rglob(far)).rename(next(root.rglob(far)).with_name("2018-06-30_08_15_30.0"))
    found = run(root)
    assert found["scans"].set_index("scan").loc["I3", "acquired"] == "2011-02-25"
    assert "differ by 2 to 30 days" in caplog.text and "I3" in caplog.text
    assert reasons(found)["I7"] == selection.DATES_DISAGREE


def test_the_side_files_date_wins_over_the_folder(run, root):
    side = ida_forms.side_file(replace(USED[1], when=date(2011, 2, 22)))
    (root / "I3.xml").write_text(side)
    assert run(root)["scans"].set_index("scan").loc["I3", "acquired"] == "2011-02-22"


def test_the_stamp_in_a_file_name_is_no_date(run, tmp_path):
    root = tmp_path / "adni"
    for shot in USED:
        path = ida_forms.place(root, shot)
        path.rename(root / path.name)
    table = ida_forms.collection([replace(shot, when=shot.when) for shot in USED])
    (root / "a.csv").write_text(table.replace('"12/30/2017"', '""'))
    found = run(root)
    assert reasons(found)["I7"] == selection.NO_DATE


def test_ambiguous_dates_are_settled_by_the_folders_or_refused_with_the_key(run, tmp_path):
    shots = [Shot(1, ANN, date(2010, 3, 4)), Shot(2, ANN, date(2011, 5, 6))]
    text = ida_forms.collection(shots)
    european = text.replace("3/4/2010", "4/3/2010").replace("5/6/2011", "6/5/2011")
    in_stamped_folders = download(tmp_path / "a", shots, [european])
    found = run(in_stamped_folders)
    assert list(found["scans"]["acquired"]) == ["2010-03-04", "2011-05-06"]
    flat = tmp_path / "b"
    flat.mkdir()
    for shot in shots:
        (flat / f"x_I{shot.image}.nii").write_bytes(b"1")
    (flat / "a.csv").write_text(european)
    with pytest.raises(Refused, match=r"date_format: month/day/year"):
        run(flat)
    found = run(flat, date_format="day/month/year")
    assert list(found["scans"]["acquired"]) == ["2010-03-04", "2011-05-06"]


def test_screening_and_baseline_are_one_visit_unless_asked_for(run, root):
    assert reasons(run(root))["I12"] == selection.SAME_VISIT
    every_date = run(root, selection={"same_visit_days": 0})["scans"]
    assert list(every_date["scan"])[:3] == ["I1", "I12", "I3"]


def test_of_two_arms_on_one_date_the_one_like_the_persons_other_visits_is_used(run, tmp_path):
    shots = [
        Shot(1, ANN, date(2010, 1, 9), field_strength=1.5, vendor="GE"),
        Shot(2, ANN, date(2010, 1, 9)),
        Shot(3, ANN, date(2011, 1, 9)),
        Shot(4, ANN, date(2011, 1, 9), field_strength=1.5, vendor="GE"),
        Shot(5, ANN, date(2012, 1, 9)),
    ]
    scans = run(download(tmp_path / "adni", shots, [ida_forms.structural(shots)]))["scans"]
    assert list(scans["scan"]) == ["I2", "I3", "I5"]


def test_processed_images_are_used_only_among_themselves(run, tmp_path):
    later = [replace(shot, image=shot.image + 100, description=CHAIN, type="Processed") for shot in USED]
    masks = [
        replace(shot, image=shot.image + 200, description="Mask <- MPRAGE", type="Processed") for shot in USED
    ]
    shots = [*USED, *later, *masks]
    root = download(tmp_path / "adni", shots, [ida_forms.search_export(shots)])
    assert list(run(root)["scans"]["scan"]) == ["I1", "I3", "I6", "I7"]
    found = run(root, selection={"images": "processed"})
    assert list(found["scans"]["scan"]) == ["I101", "I103", "I106", "I107"]
    assert reasons(found)["I1"] == selection.NOT_PROCESSED and reasons(found)["I201"] == selection.NOT_T1


T1 = [
    "MPRAGE", "MP-RAGE", "MP RAGE", "MPRAGE SENSE2", "MPRAGE Repeat", "MPRAGE GRAPPA2", "MPRAGE_ASO",
    "ADNI       MPRAGE", "IR-SPGR", "IR-FSPGR", "Sag IR-SPGR", "IR-SPGR w/acceleration",
    "Accelerated SAG IR-FSPGR", "Accelerated Sagittal MPRAGE_ND", "Accelerated Sagittal MPRAGE (MSV21)",
    "Accelerated Sagittal MPRAGE Phase A-P", "Sagittal 3D Accelerated MPRAGE", "HS/CS Sagittal MPRAGE",
]  # fmt: skip
NOT = {
    selection.NOT_T1: [
        "Average DC", "Calibration Scan", "Localizer", "B1-Calibration PA", "MPRAGE_T1wa", "Axial T2 FLAIR",
    ],
    selection.NOT_ORIGINAL: [
        "MPR; ; N3; Scaled", "MPR; GradWarp; N3; Scaled_2", "MPR-R; GradWarp; B1 Correction; N3",
        "MT1; GradWarp; N3m", "MT1; N3m", "Spatially Normalized, Masked and N3 corrected T1 image",
        "HarP", "HHP 6 DOF AC-PC registered MPRAGE", "Scaled <- MPRAGE",
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("description", "reason"),
    [(text, None) for text in T1] + [(text, reason) for reason, texts in NOT.items() for text in texts],
)
def test_the_vocabulary_of_descriptions(run, tmp_path, description, reason):
    """Key_MRI has no type: the description alone has to tell."""
    shots = [
        Shot(1, ANN, date(2010, 1, 9)),
        Shot(2, ANN, date(2011, 1, 9)),
        Shot(3, ANN, date(2012, 1, 9), description),
    ]
    found = run(download(tmp_path / "adni", shots, [ida_forms.key_mri(shots)]))
    assert reasons(found).get("I3") == reason


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda t: t.replace("Image Data ID", "Picture").replace("Subject", "Who"), "no image table"),
        (lambda t: t.replace("2/20/2011", "20/2/2011"), r"Table_0_3_20_2021.csv.*Acq Date"),
        (lambda t: t.replace('"sc","MRI",', '"sc",', 1), r"Table_0_3_20_2021.csv, line 2"),
        (lambda t: t.replace('"Original"', '"Processed"'), "lost at the step `original"),
        (lambda t: t.split("\n")[0] + "\n", "lost at the step"),
        (lambda t: t.replace('"MRI"', '"PET"'), "lost at the step `MRI`.*choose MRI"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(run, root, spoil, message):
    table = root / "Table_0_3_20_2021.csv"
    table.write_text(spoil(table.read_text()))
    with pytest.raises(Refused, match=rf"(?s){message}"):
        run(root)


def test_a_table_with_unknown_headers_can_be_explained_in_the_config(run, root):
    table = root / "Table_0_3_20_2021.csv"
    table.write_text(table.read_text().replace("Image Data ID", "Picture").replace("Subject", "Who"))
    with pytest.raises(Refused, match=r"(?s)its headers: Picture, Who.*columns:\n\s*scan: HEADER"):
        run(root)
    found = run(root, columns={"scan": "picture", "subject": ["Nobody", "WHO"]})
    assert list(found["scans"]["scan"]) == ["I1", "I3", "I6", "I7"]


def test_an_impossible_date_costs_its_row_and_no_other(run, tmp_path):
    root = tmp_path / "adni"
    for shot in USED:
        path = ida_forms.place(root, shot)
        path.rename(root / path.name)
    text = ida_forms.collection(USED).replace("12/30/2017", "2/30/2017")
    (root / "a.csv").write_text(text)
    found = run(root)
    row = found["rejected"].set_index("scan").loc["I7"]
    assert row["reason"] == selection.IMPOSSIBLE_DATE and "2/30/2017" in row["detail"]
    assert "a.csv, line 5" in row["detail"]


def test_a_study_of_two_people_is_refused_before_any_image_is_read(run, root):
    with pytest.raises(Refused, match=r"2 people under .* have two usable scans; a study needs at least 3"):
        run(root, role="study")


def test_a_person_with_two_sexes_has_none_and_is_named(run, tmp_path, caplog):
    shots = [USED[0], replace(USED[1], sex="M")]
    scans = run(download(tmp_path / "adni", shots, [ida_forms.collection(shots)]))["scans"]
    assert scans["sex"].isna().all() and ANN in caplog.text


def test_ages_that_cannot_be_are_told_and_the_dates_count(run, tmp_path, caplog):
    shots = [USED[0], replace(USED[1], age=90.0)]
    scans = run(download(tmp_path / "adni", shots, [ida_forms.collection(shots)]))["scans"]
    assert list(scans["days"]) == [0, 407] and "ages and dates differ" in caplog.text


def test_an_added_zip_changes_nobody_elses_selection(run, root, tmp_path):
    before = run(root)["scans"]
    new = [Shot(50, "941_S_0009", date(2012, 1, 1)), Shot(51, "941_S_0009", date(2013, 1, 1))]
    with zipfile.ZipFile(root / "later.zip", "w") as archive:
        for shot in new:
            archive.writestr(str(ida_forms.path_of(shot)), ida_forms.content(shot))
        archive.writestr("later_7_01_2026.csv", ida_forms.collection(new))
    after = run(root)["scans"]
    assert set(after["scan"]) - set(before["scan"]) == {"I50", "I51"}
    same = after[after["scan"].isin(before["scan"])].reset_index(drop=True)
    assert same.equals(before)


def test_an_image_that_is_original_in_one_table_and_processed_in_another_is_rejected(run, root):
    (root / "other.csv").write_text(ida_forms.all_images([replace(USED[1], type="Processed")]))
    found = run(root)
    row = found["rejected"].set_index("scan").loc["I3"]
    assert row["reason"] == selection.CONFLICT and "other.csv, line 2" in row["detail"]


def test_an_image_with_two_sexes_has_none(run, root):
    (root / "other.csv").write_text(ida_forms.search_export([replace(shot, sex="M") for shot in USED[:2]]))
    assert run(root)["scans"].set_index("scan")["sex"].isna().to_dict() == {
        "I1": True, "I3": True, "I6": False, "I7": False,
    }  # fmt: skip


def test_dicom_series_in_the_open_and_in_zips_are_converted_and_their_dates_checked(run, tmp_path):
    root, loose = tmp_path / "adni", tmp_path / "loose"
    shots = [Shot(1, ANN, date(2010, 1, 9)), Shot(2, ANN, date(2011, 1, 9)), Shot(3, ANN, date(2012, 1, 9))]
    days = {1: "20100109", 2: "20110109", 3: "20140109"}  # the third header belies its folder
    for shot in shots:
        folder = (root if shot.image == 1 else loose) / ida_forms.path_of(shot).parent
        write_series(folder, image=shot.image, series=shot.image, day=days[shot.image])
    with zipfile.ZipFile(root / "adni_1.zip", "w") as archive:
        for slice_ in sorted(loose.rglob("*.dcm")):
            archive.write(slice_, slice_.relative_to(loose))
    (root / "a.csv").write_text(ida_forms.collection(shots))
    found = run(root)
    scans = found["scans"]
    assert list(scans["scan"]) == ["I1", "I2"] and set(scans["field_strength_t"]) == {1.5}
    assert all(nib.load(image).shape == (16, 16, 12) for image in scans["image"])
    row = found["rejected"].set_index("scan").loc["I3"]
    assert row["reason"] == selection.DATES_DISAGREE and "2014-01-09" in row["detail"]


def test_a_download_may_lie_below_a_folder_of_any_name(run, root, tmp_path):
    (tmp_path / "truth").mkdir()
    moved = root.rename(tmp_path / "truth" / "my adni #1 (ü)")
    assert list(run(moved)["scans"]["scan"]) == ["I1", "I3", "I6", "I7"]


def test_files_that_no_reader_looks_at_are_counted_by_kind(run, root, caplog):
    for name in ("scan_I77.img", "scan_I77.hdr", "manual.pdf"):
        (root / name).write_bytes(b"x")
    with caplog.at_level("INFO"):
        run(root)
    assert "3 files are neither tables nor images" in caplog.text and ".img: 1" in caplog.text


def test_a_broken_table_that_names_nobody_stops_nothing(run, root, caplog):
    (root / "prices.csv").write_text("item,price\nsalt,1,2\npepper\n")
    assert list(run(root)["scans"]["scan"]) == ["I1", "I3", "I6", "I7"]
    assert "prices.csv, line 2" in caplog.text


def test_a_row_with_a_cell_too_many_is_refused_since_its_cells_may_be_shifted(run, root):
    table = root / "Table_0_3_20_2021.csv"
    table.write_text(table.read_text().replace('"MPRAGE Repeat"', "MPRAGE, Repeat"))
    with pytest.raises(Refused, match=r"line \d+: 13 cells under 12 column names"):
        run(root)
