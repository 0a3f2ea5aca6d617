"""Results on another disk, or without Snakemake’s memory of them: what is known, how it is known again."""

import shutil

from study import TINY

from brainlapse.trace import traced

PAGES = {"report", "subjects"}
EDITED = {**TINY, "evaluate": {**TINY["evaluate"], "bootstrap": 30}}


def after_an_edit(study) -> set[str]:
    study.configure(EDITED)
    would = study.would_run()
    study.configure(TINY)
    return would


def test_results_behind_a_link_to_another_disk_are_as_before(own_study, tmp_path):
    shutil.move(own_study.folder / "results", tmp_path / "disk" / "results")
    (own_study.folder / "results").symlink_to(tmp_path / "disk" / "results")
    assert own_study.would_run() == set()
    assert after_an_edit(own_study) == {"compare"} | PAGES


def test_a_moved_project_is_as_before(own_study, tmp_path):
    own_study.folder = own_study.folder.rename(tmp_path / "elsewhere")
    assert own_study.would_run() == set()
    assert after_an_edit(own_study) == {"compare"} | PAGES


def test_without_snakemakes_memory_nothing_is_made_again_and_touch_restores_it(own_study, monkeypatch):
    shutil.rmtree(own_study.folder / ".snakemake")
    assert own_study.would_run() == set()
    assert (
        after_an_edit(own_study) == set()
    )  # the trap: Snakemake does not know what the results were made with

    monkeypatch.chdir(own_study.folder)
    page = own_study.folder / "results/7_report/index.html"
    own_study.configure(EDITED)
    assert "bootstrap: 20 → 30" in traced(page, [own_study.folder / "config.yaml"])  # the records do
    own_study.configure(TINY)
    assert "differs today" not in traced(page, [own_study.folder / "config.yaml"])

    touched = own_study.snakemake("--touch", "--forceall")
    assert touched.returncode == 0, touched.stderr
    assert own_study.would_run() == set()
    assert after_an_edit(own_study) == {"compare"} | PAGES


def test_volumes_that_are_read_no_more_can_be_deleted(own_study):
    """What docs/disk.md says may go: the next run makes none of it again."""
    results = own_study.folder / "results"
    for subject in results.glob("2_preprocess/adni/bids/sub-*"):
        shutil.rmtree(subject)
    for samples in results.glob("5_sample/*/adni/sub-*"):
        shutil.rmtree(samples)
    for folder in ("logs", "benchmarks", "6_evaluate/features"):
        shutil.rmtree(results / folder)
    for folder in (*results.glob("4_train/*/tensorboard"), *results.glob("4_train/*/pictures")):
        shutil.rmtree(folder)
    assert own_study.would_run() == set()
