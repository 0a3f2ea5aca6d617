"""A study that grows, shrinks or moves: what is made again, and that nothing else is.

Where people or scans change Snakemake is run for real: a dry run cannot see past the manifest.
"""

import copy
import csv
import re
import shutil
from pathlib import Path

import pytest
from study import TINY, Study, rules_in

PAGES = {"report", "subjects"}
AFTER_SCORES = {"score", "compare"} | PAGES


@pytest.fixture
def config():
    return copy.deepcopy(TINY)


def test_a_further_model_runs_itself_and_what_compares_all(finished, config):
    config["models"]["another"] = config["models"]["regression"]
    finished.configure(config)
    listed = finished.snakemake("--dry-run").stdout
    assert rules_in(listed) == {"train", "sample"} | AFTER_SCORES
    assert re.findall(r"train: (\w+)$", listed, re.MULTILINE) == ["another"]
    assert set(re.findall(r"evaluate: score (\w+) on", listed)) == {"another"}


def test_a_model_that_is_gone_changes_the_comparisons_alone(finished, config):
    del config["models"]["regression"]
    finished.configure(config)
    assert finished.would_run() == {"compare"} | PAGES


def test_a_further_metric_scores_the_samples_that_are_there(own_study):
    metrics = own_study.folder / "src/brainlapse/evaluate/metrics"
    shutil.copy(metrics / "mae_brain.py", metrics / "another.py")
    listed = (metrics / "__init__.py").read_text()
    listed = listed.replace("import (\n", "import (\n    another,\n").replace(
        "ModuleType] = {\n", 'ModuleType] = {\n    "another": another,\n'
    )
    (metrics / "__init__.py").write_text(listed)
    assert own_study.would_run() == AFTER_SCORES


def test_a_checkout_that_moved_has_nothing_to_do(own_study):
    """`own_study` is a copy in another place: with the files' times, their results and `.snakemake`."""
    assert own_study.would_run() == set()


def test_a_person_who_is_gone_is_in_no_table(own_study):
    study = own_study
    table = next((study.folder / "data/adni").glob("*.csv"))
    with open(table, newline="") as rows:
        rows = list(csv.DictReader(rows))
    gone = rows[0]["Subject"]
    shutil.rmtree(next((study.folder / "data/adni").rglob(gone)))
    with open(table, "w", newline="") as kept:
        writer = csv.DictWriter(kept, fieldnames=list(rows[0]), quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(row for row in rows if row["Subject"] != gone)
    answer = study.snakemake("results/3_pairs/pairs.tsv")
    ran = answer.stdout + answer.stderr
    assert answer.returncode == 0, ran
    assert "preprocess: gather" in ran and not re.search(r"preprocess: \S+ of adni", ran)
    for made in ("1_manifest/adni/scans.tsv", "2_preprocess/adni/quality.tsv", "3_pairs/pairs.tsv"):
        assert gone not in (study.folder / "results" / made).read_text()


def test_a_part_of_the_people_can_be_preprocessed_alone(own_study):
    """What a large cohort is done by, a few hundred parts at a time."""
    parts = sorted((own_study.folder / "results/2_preprocess/adni/people").iterdir())
    members = {path: set(path.read_text().split()) for path in parts}
    shutil.rmtree(own_study.folder / "results/2_preprocess/adni")
    assert len(parts) == 2
    for path, people in members.items():
        listed = own_study.snakemake("--dry-run", str(path.relative_to(own_study.folder))).stdout
        assert set(re.findall(r"preprocess: (\S+) of adni$", listed, re.MULTILINE)) == people != set()


@pytest.mark.slow
def test_a_further_cohort_that_is_only_tested_trains_nothing(own_study, config):
    study = own_study
    before = {path: path.read_bytes() for path in (study.folder / "results/4_train").rglob("*.safetensors")}
    _add_cohort(study, config)
    study.configure(config)
    answer = study.snakemake("results/6_evaluate/regression/other/scores.tsv")
    ran = answer.stdout + answer.stderr
    assert answer.returncode == 0, ran
    assert not re.search(r"preprocess: \S+ of adni|^train: ", ran, re.MULTILINE)
    assert before and all(path.read_bytes() == weights for path, weights in before.items())


@pytest.mark.slow
def test_a_row_that_was_edited_when_a_cohort_was_added_is_trained_once(own_study, config):
    """Its dry run does not say so: Snakemake looks at a training again only when the pairs have been made."""
    study = own_study
    _add_cohort(study, config)
    row = config["models"]["regression"]
    config["models"]["regression"] = {**row, "training": {**row["training"], "steps": 3}}
    study.configure(config)
    answer = study.snakemake("results/6_evaluate/regression/other/scores.tsv")
    ran = answer.stdout + answer.stderr
    assert answer.returncode == 0, ran
    assert re.findall(r"train: (\w+)$", ran, re.MULTILINE) == ["regression"]
    log = (study.folder / "results/4_train/regression/log.jsonl").read_text()
    assert '"step": 3' in log.splitlines()[-1]


def _add_cohort(study: Study, config: dict) -> None:
    """Two people of another study, who are only tested."""
    written = study.stage("phantom", {"seed": 9, "subjects": 2, "voxel_mm": 5.0}, "--out", "data/other")
    assert written.returncode == 0, written.stderr
    _renumber_people(study.folder / "data/other")
    config["cohorts"]["other"] = {"reader": "adni", "root": "data/other", "role": "external"}


def _renumber_people(root: Path) -> None:
    """ADNI's numbers are the same people in any cohort, and every made-up study counts from the same one."""
    for path in sorted(root.rglob("*_S_1*"), reverse=True):
        path.rename(path.with_name(path.name.replace("_S_1", "_S_2")))
    for table in root.rglob("*.csv"):
        table.write_text(table.read_text().replace("_S_1", "_S_2"))


def test_a_new_scan_runs_its_subject_alone(own_study):
    """This one is run for real: a dry run cannot see past the checkpoint."""
    study = own_study
    table = next((study.folder / "data/adni").glob("*.csv"))
    before = table.read_bytes()
    row, image = _copy_last_scan(study, table)
    answer = study.snakemake()
    ran = answer.stdout + answer.stderr
    assert answer.returncode == 0, ran
    told = {line.rpartition("preprocess: ")[2] for line in ran.splitlines() if "preprocess: " in line}
    assert {who for who in told if not who.startswith("gather")} == {f"{row['Subject']} of adni"}
    assert study.would_run() == set()
    table.write_bytes(before)
    shutil.rmtree(image.parents[1])
    assert "manifest" in study.would_run()


def _copy_last_scan(study: Study, table: Path) -> tuple[dict[str, str], Path]:
    """Give the first person of the finished study a further visit: a later copy of a scan."""
    with open(study.folder / "results/1_manifest/adni/scans.tsv", newline="") as scans:
        scan = list(csv.DictReader(scans, delimiter="\t"))[1]
    with open(table, newline="") as rows:
        row = next(r for r in csv.DictReader(rows) if r["Image Data ID"] == scan["scan"])
    new = {**row, "Image Data ID": "I999999", "Acq Date": "6/15/2035", "Visit": "later"}
    image = study.folder / scan["image"]
    copied = (
        image.parents[2] / "2035-06-15_08_00_00.0" / "I999999" / image.name.replace(scan["scan"], "I999999")
    )
    copied.parent.mkdir(parents=True)
    shutil.copy(image, copied)
    with open(table, "a", newline="") as rows:
        csv.DictWriter(rows, fieldnames=list(row), quoting=csv.QUOTE_ALL).writerow(new)
    return row, copied
