"""Who takes part: ids, sex, age, diagnosis, anatomy, pace of ageing, and when they come.

Every draw comes from a stream named by the seed and the subject's number, or
by the seed and the subject's and the visit's, so that more subjects move nobody.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from brainlapse.phantom.fields import Lattice, exponential, random_velocity
from brainlapse.phantom.head import FIELD_OF_VIEW_MM
from brainlapse.tables import DIAGNOSES

DAYS_A_YEAR = 365.25
# Growth a year of ventricles, hippocampi, cortex. Hippocampus: CN and AD from the meta-analysis
# of Barnes 2009 (PMC2773132), MCI from Jack 2000 (PMC2724764); the others are our choice.
RATES = {
    "CN": (0.025, -0.0141, -0.003),
    "MCI": (0.05, -0.0255, -0.007),
    "AD": (0.09, -0.0466, -0.013),
}
_SEVERITY = {"CN": 0.15, "MCI": 0.55, "AD": 1.0}
_PACE_SCATTER = 0.2
# What a whole unit of severity and ten years above 70 have done to the log volumes before the first visit.
_BY_SEVERITY = (0.45, -0.28, -0.05)
_BY_DECADE = (0.20, -0.06, -0.02)
_BASELINE_SCATTER = (0.10, 0.035, 0.005)
_LOG_VOLUME_LIMITS = ((-0.5, -0.5, -0.12), (0.7, 0.25, 0.08))

_SCALE = {"F": 0.91, "M": 0.95}  # MNI152 is larger than life
_SITES = range(970, 990)  # ADNI's own site numbers are others
_ONE_VISIT_EVERY, _FIVE_DIGITS_EVERY = 16, 16
SHORTEST_GAP_YEARS, LONGEST_FOLLOWUP_YEARS = 0.45, 6.5
_ANATOMY_SPACING_MM, _KNOT_MM, _KNOT_AMPLITUDE_MM = 8.0, 40.0, 2.2


@dataclass(frozen=True)
class Anatomy:
    """How this person's head differs from the average: scale per axis and a pull field in MNI152 mm."""

    scale: np.ndarray
    lattice: Lattice
    displacement: np.ndarray

    def to_average(self, points_mm: np.ndarray) -> np.ndarray:
        """Where points (3, ...) of this head lie in the average head, mm."""
        scaled = points_mm / self.scale.reshape(3, *[1] * (points_mm.ndim - 1)).astype(np.float32)
        return scaled + self.lattice.sample_field(self.displacement, scaled)


@dataclass(frozen=True)
class Visit:
    """One visit: its number, its day, and years since the first."""

    number: int
    acquired: date
    years: float


@dataclass(frozen=True)
class Subject:
    """One person; `pace` multiplies the group's rates, `offset` is what happened before the first visit."""

    number: int
    ptid: str
    sex: str
    age_years: float
    diagnosis: str
    pace: float
    offset: np.ndarray
    visits: tuple[Visit, ...]

    def log_volumes(self, years: float) -> np.ndarray:
        """(3,) log volumes of ventricles, hippocampi and cortex against the average brain's."""
        return self.offset + years * np.log1p(self.pace * np.array(RATES[self.diagnosis]))


def stream(seed: int, *key: int) -> np.random.Generator:
    """Random numbers that depend on the seed and on this key alone."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def draw_subject(seed: int, number: int) -> Subject:
    """The subject of this number; the three diagnoses take turns."""
    rng = stream(seed, number)
    diagnosis = DIAGNOSES[number % len(DIAGNOSES)]
    age = float(rng.uniform(55, 90))
    pace = float(np.clip(1 + _PACE_SCATTER * rng.standard_normal(), 0.5, 1.5))
    scatter = np.array(_BASELINE_SCATTER) * rng.standard_normal(3)
    severity, decades = _SEVERITY[diagnosis] * pace, (age - 70) / 10
    offset = severity * np.array(_BY_SEVERITY) + decades * np.array(_BY_DECADE) + scatter
    return Subject(
        number=number,
        ptid=_ptid(number, rng),
        sex=str(rng.choice(["F", "M"])),
        age_years=age,
        diagnosis=diagnosis,
        pace=pace,
        offset=np.clip(offset, *_LOG_VOLUME_LIMITS),
        visits=_visits(number, rng),
    )


def draw_anatomy(seed: int, subject: Subject) -> Anatomy:
    """This person's head: bigger or smaller along each axis, and smoothly bent everywhere."""
    rng = stream(seed, subject.number, 0)
    scale = _SCALE[subject.sex] * (1 + 0.02 * rng.standard_normal(3))
    low, high = np.array(FIELD_OF_VIEW_MM)
    lattice = Lattice.around(tuple(low), tuple(high), _ANATOMY_SPACING_MM)
    velocity = random_velocity(lattice, _KNOT_MM, _KNOT_AMPLITUDE_MM, rng)
    return Anatomy(np.clip(scale, 0.84, 1.02), lattice, exponential(velocity, lattice))


def _ptid(number: int, rng: np.random.Generator) -> str:
    """ADNI's form: site, S, and a roster id of four digits or, since ADNI4, five."""
    roster = 10001 + number if number % _FIVE_DIGITS_EVERY == 3 else 1001 + number
    return f"{rng.choice(_SITES):03d}_S_{roster}"


def _visits(number: int, rng: np.random.Generator) -> tuple[Visit, ...]:
    count = 1 if number % _ONE_VISIT_EVERY == 7 else int(rng.choice([2, 3, 4], p=[0.3, 0.42, 0.28]))
    first = date(2006, 1, 2) + timedelta(days=int(rng.integers(0, 15 * 365)))
    visits, days = [Visit(0, first, 0.0)], 0
    for visit in range(1, count):
        longest = LONGEST_FOLLOWUP_YEARS / (count - 1)
        gap = rng.uniform(SHORTEST_GAP_YEARS, longest)
        days += int(np.ceil(gap * DAYS_A_YEAR))
        visits.append(Visit(visit, first + timedelta(days=days), days / DAYS_A_YEAR))
    return tuple(visits)
