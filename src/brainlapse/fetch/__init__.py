"""`fetch`: real scans over years that nobody has to apply for, downloaded whole and checked."""

from dataclasses import dataclass
from pathlib import Path

from brainlapse.errors import Refused


@dataclass(frozen=True)
class Study:
    """A study that is open to all, and the list of its files."""

    title: str
    source: str
    licence: str
    address: str  # what the paths of the list are appended to
    files: Path  # a table as listing.FILES has it
    then: str  # what to do next


# A study is added with a list and an entry here. dlbs.tsv is made from the git repository of the data
# set (github.com/OpenNeuroDatasets/ds004856, tag 1.2.0, commit 27484da): size and SHA-256 stand in the
# keys of annexed files (SHA256E-s<bytes>--<sha256>.nii.gz) and are computed for files in git itself;
# `version` is S3's, which the branch git-annex keeps in <key>.log.rmet (for a file in git: GIT--<blob>)
# between `V +` and `#`. It has the T1w images and side files of people with two waves or more.
STUDIES = {
    "dlbs": Study(
        title="Dallas Lifespan Brain Study: T1w images of the 314 people with two or three waves, one table",
        source="OpenNeuro ds004856, version 1.2.0, doi:10.18112/openneuro.ds004856.v1.2.0",
        licence="CC0",
        # As `publicurl` and `fileprefix` of the data set's git-annex branch have it; not tried from here.
        address="https://s3.amazonaws.com/openneuro.org/ds004856",
        files=Path(__file__).with_name("dlbs.tsv"),
        then="snakemake --cores all --use-conda --configfile config.yaml dlbs.yaml",
    ),
}


def run(options) -> None:
    """Fetch what is missing of `options.study`; raises Refused unless all of it is in `options.root` then."""
    from brainlapse.fetch.collect import collect  # needs requests, which the stages and the help do without

    try:
        collect(STUDIES[options.study], options.root, people=options.people, mirror=options.url)
    except KeyboardInterrupt:
        raise Refused("stopped. The same command goes on where it stopped.") from None
