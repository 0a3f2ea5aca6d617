"""One subject's part of the phantom study: their rows, images and true volumes."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import nibabel as nib
import numpy as np

from brainlapse.phantom import download, scanner
from brainlapse.phantom.fields import Lattice
from brainlapse.phantom.head import Head
from brainlapse.phantom.progression import Progression, Volumes
from brainlapse.phantom.subjects import Anatomy, Subject, Visit, draw_anatomy, draw_subject, stream

# Which subjects have a row that nobody should use: of this many people, the one with this number.
_LOCALIZER, _PROCESSED, _REPEAT, _ABSENT = (8, 1), (8, 2), (8, 4), (16, 5)
_LOCALIZER_SLICES = 3
_MEASURING = Lattice.around((-90, -125, -90), (90, 90, 100), 3.0)  # of a head, around its brain


@dataclass(frozen=True)
class Average:
    """What all subjects share: the average head and how heads age."""

    head: Head
    progression: Progression

    @classmethod
    def at(cls, voxel_mm: float) -> "Average":
        """Maps and fields as fine as images of this voxel size need."""
        return cls(Head(voxel_mm), Progression(float(np.clip(4 / 3 * voxel_mm, 2.5, 4.0))))


@dataclass(frozen=True)
class Entry:
    """A row of the collection, its image if it was downloaded, and its truth if a study should use it."""

    series: download.Series
    image: nib.Nifti1Image | None = None
    truth: dict | None = None


class Participant:
    """A subject with anatomy and scanner."""

    def __init__(self, average: Average, seed: int, number: int, voxel_mm: float):
        self.average, self.seed = average, seed
        self.subject: Subject = draw_subject(seed, number)
        self.anatomy: Anatomy = draw_anatomy(seed, self.subject)
        everywhere = self.anatomy.to_average(_MEASURING.points()).reshape(3, -1)
        self._points = everywhere[:, average.progression.lattice.contains(everywhere)]
        self.scanner = scanner.draw_scanner(voxel_mm, stream(seed, number, 1))

    def entries(self) -> Iterator[Entry]:
        """Every row of this subject, one image in memory at a time."""
        for visit in self.subject.visits:
            yield from self._visit(visit)
        if _is(self.subject.number, _ABSENT):
            yield Entry(download.not_downloaded(self.subject, self.scanner.vendor))

    def _visit(self, visit: Visit) -> Iterator[Entry]:
        series = download.original(self.subject, visit, self.scanner.vendor)
        scan = self.scan(visit)
        image = self._stored(scan)
        yield Entry(series, image, self._truth(series, visit, scan.volumes))
        if visit.number == 0:
            yield from self._unused(visit, series, scan, image)

    def _unused(self, visit: Visit, series: download.Series, scan: "Scan", image) -> Iterator[Entry]:
        number = self.subject.number
        if _is(number, _LOCALIZER):
            yield Entry(download.localizer_of(series), _few_slices(image))
        if _is(number, _PROCESSED):
            even = np.rint(1000 * np.clip(scan.signal, 0, None)).astype(np.int16)
            yield Entry(download.processed_from(series), scanner.stored(even, scan.session, self.scanner))
        if _is(number, _REPEAT):
            yield Entry(download.repeat_of(series), self._stored(self.scan(visit, repeat=1)))

    def scan(self, visit: Visit, repeat: int = 0) -> "Scan":
        """What lies in the scanner at a visit: signal without noise, and the volumes as they are."""
        rng = stream(self.seed, self.subject.number, 2, visit.number, repeat)
        session = scanner.draw_session(self.scanner, rng)
        contrast = scanner.jittered(self.scanner.contrast, rng)
        field = self.average.progression.displacement(self.subject.log_volumes(visit.years))
        points = self._aged(self.anatomy.to_average(session.points_in_head()), field)
        lattice = self.average.head.lattice
        image = scanner.resolved(self.average.head.image(contrast), lattice.spacing_mm, self.scanner)
        return Scan(session, lattice.sample(image, points), self._volumes(field), rng)

    def _aged(self, points: np.ndarray, field: np.ndarray) -> np.ndarray:
        """Where the aged head's points (3, ...) lie in the average head, mm."""
        progression = self.average.progression
        near = progression.lattice.contains(points)
        moved = points[:, near]
        points[:, near] = moved + progression.lattice.sample_field(field, moved)
        return points

    def _volumes(self, field: np.ndarray) -> Volumes:
        """On the same points of the head at every visit, so that only the progression changes them."""
        return self.average.progression.volumes(self._aged(self._points.copy(), field), _MEASURING.voxel_ml)

    def _stored(self, scan: "Scan") -> nib.Nifti1Image:
        voxels = scanner.acquire(scan.signal, self.scanner, scan.rng)
        return scanner.stored(voxels, scan.session, self.scanner)

    def _truth(self, series: download.Series, visit: Visit, volumes: Volumes) -> dict:
        return {
            "subject": self.subject.ptid,
            "scan": series.image_id,
            "diagnosis": self.subject.diagnosis,
            "years": round(visit.years, 4),
        } | {name: round(value, 4) for name, value in asdict(volumes).items()}


@dataclass(frozen=True)
class Scan:
    """A head in the scanner: where it lies, its signal (X, Y, Z), its volumes, and chance's next draws."""

    session: scanner.Session
    signal: np.ndarray
    volumes: Volumes
    rng: np.random.Generator


def _is(number: int, every: tuple[int, int]) -> bool:
    return number % every[0] == every[1]


def _few_slices(image: nib.Nifti1Image) -> nib.Nifti1Image:
    middle = image.shape[2] // 2
    return image.slicer[:, :, middle : middle + _LOCALIZER_SLICES]
