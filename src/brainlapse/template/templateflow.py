"""Fetching a head template from TemplateFlow into a folder, once, so that no other job needs the network.

TemplateFlow: Ciric et al. 2022, doi 10.1038/s41592-022-01681-2.
"""

import shutil
import warnings
from pathlib import Path

from brainlapse.errors import Refused
from brainlapse.volumes import read_volume
from brainlapse.writing import whole_file

HEAD = {"suffix": "T1w", "desc": None}
BRAINS = ({"suffix": "probseg", "label": "brain"}, {"suffix": "mask", "desc": "brain"})  # the better first
REMEDY = (
    "Run `snakemake` once on a machine with network, set TEMPLATEFLOW_HOME to a folder that holds the "
    "template already, write a folder of your own, or write template: embedded, which needs no download."
)


def fetch(name: str, folder: Path) -> None:
    """Put the T1 of a TemplateFlow head and its brain probability, or mask, into a folder.

    The lowest of the template's resolution numbers is taken, 1 mm as a rule. The
    package `templateflow` looks into its own cache (TEMPLATEFLOW_HOME) first. Each
    file is whole or not there. Raises Refused where the package or the network is
    absent, the name is not known or the template has no head or no brain mask.
    """
    client = _client()
    if name not in client.templates():
        raise Refused(
            f"preprocess.template: TemplateFlow {_version()} has no template {name!r}. "
            f"It has {', '.join(client.templates())}."
        )
    wanted = [_finest(client, name, HEAD) or _refuse(name, "T1w image")]
    brains = (_finest(client, name, entities) for entities in BRAINS)
    wanted.append(next((query for query in brains if query), None) or _refuse(name, "brain mask"))
    for query in wanted:
        _copy(_downloaded(client, name, query), Path(folder))


def _client():
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an empty cache, which is filled at once
            from templateflow.client import TemplateFlowClient

            return TemplateFlowClient()
    except ImportError:
        raise Refused(
            "preprocess.template: the package templateflow is not installed. "
            f"Run `pip install templateflow`. {REMEDY}"
        ) from None


def _version() -> str:
    from importlib.metadata import version

    return version("templateflow")


def _finest(client, name: str, entities: dict) -> dict | None:
    """What to ask for: the entities, with the finest of the resolutions, where the template has several."""
    query = {"extension": ".nii.gz"} | dict.fromkeys(("atlas", "cohort", "density", "hemi")) | entities
    found = client.ls(name, **query)
    numbered = sorted(client.get_resolutions(template=name)) if len(found) > 1 else []
    for resolution in numbered:
        if client.ls(name, resolution=resolution, **query):
            return query | {"resolution": resolution}
    return query if found else None


def _refuse(name: str, lacking: str):
    raise Refused(
        f"preprocess.template: TemplateFlow's {name} has no {lacking}; write another name, or embedded."
    )


def _downloaded(client, name: str, query: dict) -> Path:
    try:
        return Path(client.get(name, raise_empty=True, **query))
    except Exception as error:  # requests', urllib3's and templateflow's own, which is a bare RuntimeError
        raise Refused(
            f"preprocess.template: {name} could not be fetched from TemplateFlow: no network, or no way to "
            f"it from here ({type(error).__name__}: {str(error).split('(')[0].strip()}). {REMEDY}"
        ) from None


def _copy(source: Path, folder: Path) -> None:
    read_volume(source)  # a download that broke off leaves a part in TemplateFlow's cache
    with whole_file(folder / source.name) as beside:
        shutil.copyfile(source, beside)
