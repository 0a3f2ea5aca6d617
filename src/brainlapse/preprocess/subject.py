"""One subject's story: the first usable scan becomes the baseline, the others are laid upon it.

Baseline → template is affine, follow-up → baseline is rigid: the affine's
volume factor is common to all visits and cancels in every change. All visits
are read once, straight from their own voxels to the grid, and all carry the
baseline's brain mask: the outer edge of the brain must not flicker between two
scans of one person (so tissue lost at that edge is seen as darker voxels, not
as a smaller mask).
"""

import logging
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd

import brainlapse.preprocess.single_thread  # noqa: F401, decides the bytes: fingerprints must see it
from brainlapse import atlas, tables
from brainlapse.preprocess.alignment import brain_to_template, followup_to_baseline
from brainlapse.preprocess.brain import METHODS
from brainlapse.preprocess.derivatives import subject_folder, write_scan, write_set_aside
from brainlapse.preprocess.gates import (
    check_figures,
    cut_cm2,
    edge_percent,
    likeness,
    missing_percent,
    turn_degrees,
)
from brainlapse.preprocess.geometry import Image, correlation, covered, resampled
from brainlapse.preprocess.inputs import read_scan
from brainlapse.preprocess.intensity import bright_end, gain_to, matched, residual, to_range, without_bias
from brainlapse.preprocess.quarantine import Quarantined
from brainlapse.preprocess.refinement import refined
from brainlapse.preprocess.template import Template, template_at
from brainlapse.volumes import Grid

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ground:
    """What all scans share: the grid, the template to register to, and its T1 on the grid."""

    settings: dict
    grid: Grid
    template: Template
    template_t1: np.ndarray

    @classmethod
    def of(cls, settings: dict) -> "Ground":
        """Read the settings."""
        grid = Grid(tuple(settings["grid"]["shape"]), settings["grid"]["spacing_mm"])
        template = template_at(settings["template"], settings["registration_spacing_mm"])
        maps = atlas.maps(grid.shape, grid.affine)
        return cls(settings, grid, template, maps["t1"] * maps["brain"])

    @property
    def spacing_mm(self) -> float:
        """Voxel size of the registrations."""
        return self.settings["registration_spacing_mm"]


@dataclass(frozen=True)
class Prepared:
    """A scan on the grid: `volume` in [-1, 1], `transform` grid → scan, and the figures for the gates."""

    volume: np.ndarray
    transform: np.ndarray
    figures: dict[str, float]


@dataclass(frozen=True)
class Baseline:
    """The scan that the subject's others are laid upon, in its own space and on the grid."""

    head: Image
    mask: Image
    to_scan: np.ndarray
    grid_mask: np.ndarray
    values: np.ndarray
    top: float
    prepared: Prepared


def preprocess_subject(
    visits: pd.DataFrame,
    settings: dict,
    out: Path,
    crashed: Mapping[str, str] = MappingProxyType({}),
    starting: Callable[[str], None] = lambda scan: None,
) -> None:
    """Write all derivatives of one subject's scans and, last, its quality.tsv.

    A scan that cannot be used is quarantined with a reason and the rest goes
    on; if it was to be the baseline, the next one is. What an earlier run left
    for other visits is removed. `crashed` says of scans, with what was seen,
    that an earlier try died of them; `starting` is told each scan before its turn.
    """
    visits = visits.sort_values(["days", "scan"], kind="stable")
    folder = subject_folder(out, visits["subject"].iloc[0])
    (folder / "quality.tsv").unlink(missing_ok=True)
    ground = Ground.of(settings)
    baseline, rows = None, []
    for visit in visits.itertuples():
        starting(visit.scan)
        head = None
        try:
            if visit.scan in crashed:
                raise Quarantined("crashed", crashed[visit.scan])
            head = read_scan(Path(visit.image), settings["limits"])
            if baseline is None:
                baseline = begin(head, ground)
                prepared = baseline.prepared
            else:
                prepared = follow(head, baseline, ground)
        except Quarantined as problem:
            log.warning("%s %s: quarantined, %s", visit.subject, visit.scan, problem)
            files = write_set_aside(visit, head, out)
            rows.append(_row(visit, "quarantined", problem.figures | files, reason=str(problem)))
            continue
        files = write_scan(visit, prepared, baseline, ground, out)
        rows.append(_row(visit, "accepted", prepared.figures | files))
        log.info("%s %s: %s", visit.subject, visit.scan, _said(prepared.figures))
    _remove_leftovers(folder, set(visits["scan"]))
    quality = pd.DataFrame(rows).reindex(columns=tables.QUALITY.names)
    tables.write(quality, folder / "quality.tsv", tables.QUALITY)


def begin(head: Image, ground: Ground) -> Baseline:
    """Make a scan the subject's baseline. Raises Quarantined if it breaks a limit."""
    grid, limits = ground.grid, ground.settings["limits"]
    mask, start = METHODS[ground.settings["brain"]](head, ground.template, ground.spacing_mm)
    volume_ml = float((mask.data > 0.5).sum() * np.prod(mask.voxel_mm) / 1000)
    check_figures({"brain_volume_ml": volume_ml}, limits)
    mask = resampled(mask, head.data.shape, head.affine)
    head = without_bias(head, mask, ground.spacing_mm)
    brain = head.like(head.data * (mask.data > 0.5))
    to_scan = brain_to_template(brain, ground.template, start, ground.spacing_mm)
    grid_mask = resampled(mask, grid.shape, grid.affine, to_scan).data > 0.5
    if not grid_mask.any():
        raise Quarantined("registration failed", "no part of the brain is on the grid")
    values = resampled(head, grid.shape, grid.affine, to_scan).data
    top = bright_end(values[grid_mask])
    volume = to_range(values, grid_mask, top)
    figures = _figures(volume, grid_mask, to_scan, head, mask, ground)
    figures |= {"brain_volume_ml": volume_ml, "gain": 1.0}
    check_figures(figures, limits)
    return Baseline(head, mask, to_scan, grid_mask, values, top, Prepared(volume, to_scan, figures))


def follow(head: Image, baseline: Baseline, ground: Ground) -> Prepared:
    """Lay a later scan upon the baseline. Raises Quarantined if it breaks a limit."""
    grid = ground.grid
    start = followup_to_baseline(head, baseline.head, baseline.mask, ground.spacing_mm)
    to_head = refined(head, baseline.head, baseline.mask, start, ground.spacing_mm)
    mask = resampled(baseline.mask, head.data.shape, head.affine, np.linalg.inv(to_head))
    head = without_bias(head, mask, ground.spacing_mm)
    to_scan = to_head @ baseline.to_scan
    values = resampled(head, grid.shape, grid.affine, to_scan).data
    inside = baseline.grid_mask
    gain = gain_to(baseline.values[inside], values[inside])
    values = matched(baseline.values, values, inside, baseline.top, grid.spacing_mm)
    volume = to_range(values, inside, baseline.top)
    figures = _figures(volume, inside, to_scan, head, mask, ground)
    figures["brain_volume_ml"] = baseline.prepared.figures["brain_volume_ml"]
    figures["baseline_correlation"] = correlation(volume[inside], baseline.prepared.volume[inside])
    figures["residual"] = residual(volume, baseline.prepared.volume, inside)
    figures["gain"] = gain
    check_figures(figures, ground.settings["limits"])
    return Prepared(volume, to_scan, figures)


def _figures(volume, grid_mask, to_scan, head, mask, ground) -> dict[str, float]:
    seen = covered(head, ground.grid.shape, ground.grid.affine, to_scan)
    return {
        "template_correlation": likeness(volume, grid_mask, ground.template_t1, ground.grid.spacing_mm),
        "edge_percent": edge_percent(grid_mask),
        "cut_cm2": cut_cm2(mask, head),
        "missing_percent": missing_percent(grid_mask, seen),
        "turn_degrees": turn_degrees(to_scan),
    }


def _row(visit, status: str, seen: dict, reason: str | None = None) -> dict:
    named = {"cohort": visit.cohort, "subject": visit.subject, "scan": visit.scan}
    return named | {"status": status, "reason": reason} | seen


def _said(figures: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in figures.items())


def _remove_leftovers(folder: Path, scans: set[str]) -> None:
    for session in folder.glob("ses-*"):
        if session.name.removeprefix("ses-") not in scans:
            shutil.rmtree(session)
