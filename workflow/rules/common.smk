# What all rules share: the checked configuration, the parameters that say when a result is stale,
# and the files that are known only after the manifest.

import csv
import os
import sys
from collections import defaultdict
from functools import cache
from pathlib import Path
from zlib import crc32

from snakemake import __version__ as snakemake_version
from snakemake.exceptions import WorkflowError

# Found from this file, not from the main one: another workflow may use this one as a module.
SOURCE = Path(str(workflow.current_basedir)).parents[1] / "src"
sys.path.insert(0, str(SOURCE))

from brainlapse import config as study
from brainlapse.errors import Refused
from brainlapse.fingerprint import code_of, download_of
from brainlapse.resolved import write_resolved

try:
    if (
        Path(workflow.main_snakefile).parent == SOURCE.parent
    ):  # not a module of another workflow
        files = [f for f in ["config.yaml"] if os.path.exists(f)]
        config = study.laid_over(
            [*files, *workflow.config_settings.configfiles],
            workflow.config_settings.config,
        )
    config = study.complete(config)
except Refused as refusal:
    raise WorkflowError(
        f"{' + '.join(dict.fromkeys(map(os.path.relpath, workflow.configfiles)))}: {refusal}"
    )

# Every environment runs the package from here, without installing it. A cluster tells all processes of a job
# to stop (SIGTERM): the shell waits for its stage, which may have something to save. If the shell died first,
# the job would count as ended, and the cluster would kill the training as it writes its checkpoint.
shell.prefix(
    f"set -euo pipefail; trap : TERM; export PYTHONPATH={str(SOURCE)!r}; "
    f"export BRAINLAPSE_STARTED_BY='snakemake {snakemake_version}'; "
)

# What `pip install --user` once brought to this account is found before an environment's own packages, and pip
# would not install beside it. It is out of sight for the environments that are made here, and for all jobs.
os.environ.update(PYTHONNOUSERSITE="1")


# With `--sdm apptainer` each job runs in this image; else the line has no effect (docs/containers.md).
container: str(SOURCE.parent / "containers" / "brainlapse.sif")


RESULTS = config["results"].rstrip("/")
COHORTS = sorted(config["cohorts"])
LEARNT_FROM = [c for c in COHORTS if config["cohorts"][c]["role"] == "study"]
MODELS = [*study.FLOORS, *config["models"]]
PHANTOM_ROOTS = [
    c["root"].rstrip("/")
    for c in config["cohorts"].values()
    if c["reader"] == "phantom"
]


wildcard_constraints:
    cohort="|".join(map(re.escape, COHORTS)),
    model="|".join(map(re.escape, MODELS)),
    subject="[^/]+",
    root="|".join(map(re.escape, PHANTOM_ROOTS)) or "nowhere",
    template="[A-Za-z0-9]+",
    shard="[0-9]+",
    shards="[0-9]+",
    part="[0-9]+",
    parts="[0-9]+",


def settings(of, *wildcards):
    """A parameter function: the canonical settings of a stage for the rule's wildcards."""

    def canonical_settings(wc):
        return study.canonical(of(config, *(wc[name] for name in wildcards)))

    return canonical_settings


def growing(mem_mb):
    """A resource function: so much memory, and as much more for each attempt that failed before."""

    def mem_mb_of_attempt(wc, attempt):
        return mem_mb * attempt

    return mem_mb_of_attempt


def download(cohort):
    """What lies in the cohort's folder; the phantom study's folder is a result, watched as a file."""
    root, reader = (config["cohorts"][cohort][key] for key in ("root", "reader"))
    if reader == "phantom":
        return ""
    if not os.path.isdir(root) or not os.listdir(root):
        raise WorkflowError(
            f"cohorts.{cohort}.root: there are no data in {root}. Put everything you downloaded there "
            "(for ADNI: the image collection and its CSV from ida.loni.usc.edu, after ADNI has approved your "
            "application; docs/data.md has the steps for each study), or set the key to where they lie. "
            "`make demo` needs no data."
        )
    if Path(RESULTS).resolve().is_relative_to(Path(root).resolve()):
        raise WorkflowError(
            f"results: {RESULTS} lies in {root}, the download of {cohort}, where each result would count as "
            "new data. Let `results` lie elsewhere."
        )
    try:
        return download_of(root)
    except Refused as refusal:
        raise WorkflowError(f"cohorts.{cohort}.root: {refusal}")


DOWNLOADS = {cohort: download(cohort) for cohort in COHORTS}


def phantom_truth(wc):
    """The file that stands for a phantom study's folder, if the cohort is one."""
    root, reader = (config["cohorts"][wc.cohort][key] for key in ("root", "reader"))
    return [f"{root.rstrip('/')}/truth/truth.tsv"] if reader == "phantom" else []


def made_scans(cohort):
    """The cohort's scans.tsv, once the manifest has been made, and when that was."""
    path = checkpoints.manifest.get(cohort=cohort).output.scans
    return path, os.stat(path).st_mtime_ns


def images_by_subject(cohort):
    """The images of each subject of the cohort's scans.tsv."""
    return _images_by_subject(*made_scans(cohort))


@cache
def _images_by_subject(path, changed):
    """Asked once a subject, read once a change."""
    images = defaultdict(list)
    with open(path, encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table, delimiter="\t"):
            images[row["subject"]].append(row["image"])
    unpacked = os.path.join(os.path.dirname(path), "files")
    copies = [i for of in images.values() for i in of if i.startswith(unpacked)]
    if not all(map(os.path.exists, copies)):
        raise WorkflowError(
            f"images that the manifest had unpacked are gone from {unpacked}. Unpack them again: the same "
            "command with --forcerun manifest."
        )
    return images


def images_of_subject(wc):
    return images_by_subject(wc.cohort)[wc.subject]


def head_template(wc):
    """The head template's folder: the user's, or one that is fetched; the embedded one has none."""
    name = config["preprocess"]["template"]
    if name == "embedded":
        return []
    if os.path.isdir(name):
        return name
    if not name.isalnum():
        raise WorkflowError(
            f"preprocess.template: there is no folder {name}. Write a folder with a T1 and its brain, a name of "
            "TemplateFlow such as OASIS30ANTs, or embedded."
        )
    return f"{RESULTS}/0_templates/{name}"


def template_option(wc, input):
    """How the command is told where the template lies."""
    return ["--template", input.template] if input.template else []


def quality_of_subjects_in(cohort):
    folder = f"{RESULTS}/2_preprocess/{cohort}"
    return [
        f"{folder}/sub-{subject}/quality.tsv" for subject in images_by_subject(cohort)
    ]


PEOPLE_A_PART = 5  # at most, on average; half of it when a cohort has just doubled


def parts_of_people(wc):
    """A file of each part of the cohort's people; there are twice as many when the cohort has doubled."""
    count, parts = len(images_by_subject(wc.cohort)), 1
    while parts * PEOPLE_A_PART < count:
        parts *= 2
    folder = f"{RESULTS}/2_preprocess/{wc.cohort}/people"
    taken = sorted(_people_by_part(*made_scans(wc.cohort), parts))
    return [f"{folder}/{part}-of-{parts}.txt" for part in taken]


def subjects_of_part(wc):
    people = _people_by_part(*made_scans(wc.cohort), int(wc.parts))
    return people.get(int(wc.part), [])


@cache
def _people_by_part(path, changed, parts):
    """The subjects of each part that has any; which part is a person's own, whoever else there is."""
    people = defaultdict(list)
    for subject in sorted(_images_by_subject(path, changed)):
        people[crc32(subject.encode()) % parts + 1].append(subject)
    return people


def quality_of_people(wc):
    folder = f"{RESULTS}/2_preprocess/{wc.cohort}"
    return [f"{folder}/sub-{subject}/quality.tsv" for subject in subjects_of_part(wc)]


def of_cohorts(path, cohorts=COHORTS):
    return [f"{RESULTS}/{path}".replace("COHORT", cohort) for cohort in cohorts]


def split_file(wc):
    """The user's own table of splits, if the config names one."""
    return config["splits"].get("file", [])


def what_it_is_made_of(wc):
    """A file of every job before the report.

    A job that fails takes its files away, and while the old report is there
    Snakemake does not miss them: the next run would have nothing to do.
    """
    return [
        *(f"{root}/truth/truth.tsv" for root in PHANTOM_ROOTS),
        *of_cohorts("1_manifest/COHORT/scans.tsv"),
        *(q for cohort in COHORTS for q in quality_of_subjects_in(cohort)),
        *of_cohorts("2_preprocess/COHORT/quality.tsv"),
        *of_cohorts("2_preprocess/COHORT/quality.html"),
        f"{RESULTS}/3_pairs/pairs.tsv",
        *(f"{RESULTS}/4_train/{m}/model.safetensors" for m in study.trained(config)),
        *(s for m in MODELS for s in of_cohorts(f"5_sample/{m}/COHORT/samples.tsv")),
        *(s for m in MODELS for s in of_cohorts(f"6_evaluate/{m}/COHORT/scores.tsv")),
        f"{RESULTS}/6_evaluate/comparisons.tsv",
    ]


def weights(wc):
    """The trained network behind a model; the floors have none."""
    if wc.model in study.FLOORS:
        return []
    return f"{RESULTS}/4_train/{study.weights_of(config, wc.model)}/model.safetensors"


def weights_option(wc, input):
    """How the command names the weights; the floors have none to name."""
    return ["--weights", os.path.dirname(input.weights)] if input.weights else []


def shards_of_samples(wc):
    """The tables of the jobs that make the volumes, where there are several; the floors make none."""
    shards = config["sample"]["shards"]
    if shards == 1 or wc.model in study.FLOORS:
        return []
    folder = f"{RESULTS}/5_sample/{wc.model}/{wc.cohort}"
    return [f"{folder}/samples-{n}-of-{shards}.tsv" for n in range(1, shards + 1)]


def gather_option(wc, input):
    """How the command is told to put shards together."""
    return f"--gather {len(input.shards)}" if input.shards else ""


def gpus_of_samples(wc, input):
    """A job that makes no volume needs no GPU."""
    return 0 if input.shards or wc.model in study.FLOORS else 1


# A stage writes into a folder; these say which, from the files that the rule names.


def folder_of_output(wc, output):
    return os.path.dirname(output[0])


def cohort_folder_of_output(wc, output):
    return os.path.dirname(folder_of_output(wc, output))


def folder_of_samples(wc, input):
    return os.path.dirname(input.samples)


def folders_of_scores(wc, input):
    return list(dict.fromkeys(map(os.path.dirname, input.scores)))


def results_folder(wc, output):
    return os.path.dirname(folder_of_output(wc, output))


def folder_above_pages(wc, output):
    return os.path.dirname(results_folder(wc, output))


def quarantined(cohort):
    """What a person should know about the cohort's scans that did not pass preprocessing."""
    path = Path(f"{RESULTS}/2_preprocess/{cohort}/quality.tsv")
    if not path.exists():  # only a part of the study was asked for
        return ""
    with open(path, encoding="utf-8", newline="") as table:
        bad = [
            row
            for row in csv.DictReader(table, delimiter="\t")
            if row["status"] == "quarantined"
        ]
    if not bad:
        return ""
    were = "scan of {} was" if len(bad) == 1 else "scans of {} were"
    named = "".join(
        f"\n  {row['scan']} of {row['subject']}: {row['reason']}" for row in bad[:10]
    )
    more = f"\n  and {len(bad) - 10} more" if len(bad) > 10 else ""
    return f"{len(bad)} {were.format(cohort)} quarantined and not used ({path}):{named}{more}\n"


onstart:
    write_resolved(config, RESULTS)


onsuccess:
    for cohort in COHORTS:
        sys.stderr.write(quarantined(cohort))
