"""What lies around a brain in a head scan: scalp, skull, face, eyes, airways, spine, neck.

Nothing here is measured from anybody. It is painted, layer over layer, with
ellipsoids, rods and distances to the brain's hull, in MNI152 millimetres, so
that finding the brain is a real task: a bright rim of fat, a dark skull,
muscle and marrow as bright as grey matter, air in between.
"""

from dataclasses import dataclass

import numpy as np

from brainlapse.phantom.fields import Lattice, smooth_noise

CSF_LAYER_MM = 2.5
SKULL_MM = 5.5
SCALP_MM = 5.5

# Brightness in a T1 scan in which white matter is 1.
AIR, BONE, DISC, FLUID, MUSCLE, TONGUE, SKIN, MARROW, CORD, FAT, OIL = (
    0.0, 0.07, 0.25, 0.22, 0.46, 0.52, 0.62, 0.66, 0.85, 1.0, 1.2,
)  # fmt: skip
_TEXTURE_SEED = 1
FIDUCIAL_MM = (77.0, 30.0, 4.0)  # on the right temple


@dataclass(frozen=True)
class Surround:
    """Brightness of everything that is not inside the skull, and the part of each voxel that is fat.

    Both are float32 (X, Y, Z); fat stands apart since its brightness differs
    between scanners, with and without fat suppression.
    """

    brightness: np.ndarray
    fat: np.ndarray


def surround(lattice: Lattice, hull_mm: np.ndarray) -> Surround:
    """Paint the head around a brain whose hull lies at the signed distance `hull_mm` (X, Y, Z)."""
    canvas = _Canvas(lattice, hull_mm)
    _flesh(canvas)
    _neck_and_face_bones(canvas)
    _skull(canvas)
    _eyes(canvas)
    _airways(canvas)
    _spine(canvas)
    _fiducial(canvas)
    return Surround(canvas.brightness, canvas.fat)


def head_distance_mm(points: np.ndarray, hull_mm: np.ndarray) -> np.ndarray:
    """Signed distance in mm, negative inside, to the skin (X, Y, Z)."""
    skin = hull_mm - (CSF_LAYER_MM + SKULL_MM + SCALP_MM)
    for part in (
        _ellipsoid(points, (0, 24, -58), (70, 66, 62)),  # face
        _ellipsoid(points, (0, 40, -98), (50, 46, 30)),  # jaw
        _ellipsoid(points, (0, 86, -30), (18, 8, 22)),  # brow and bridge of the nose
        _rod(points, (0, -52, -60), (0, -46, -260), 60, squeeze=(1.0, 0.96, 1.0)),  # neck
        _rod(points, (-70, -60, -190), (70, -60, -190), 44),  # shoulders
    ):
        skin = _smooth_union(skin, part, 16)
    skin = _smooth_union(skin, _ellipsoid(points, (0, 92, -54), (13, 16, 19)), 8)  # nose
    skin = _smooth_union(skin, _ellipsoid(points, (0, 86, -88), (22, 9, 13)), 8)  # lips
    for side in (-1, 1):
        ear = _ellipsoid(points, (side * 85, -26, -34), (5, 17, 29))
        skin = _smooth_union(skin, ear, 4)
    return skin


class _Canvas:
    """Two maps that are painted over, and what the brushes need to know."""

    def __init__(self, lattice: Lattice, hull_mm: np.ndarray):
        self.points = lattice.points()
        self.mirrored = np.stack([np.abs(self.points[0]), self.points[1], self.points[2]])
        self.hull_mm = hull_mm
        self.skin_mm = head_distance_mm(self.points, hull_mm)
        self.edge_mm = 0.35 * lattice.spacing_mm
        self.brightness = np.zeros(lattice.shape, np.float32)
        self.fat = np.zeros(lattice.shape, np.float32)
        rng = np.random.default_rng(_TEXTURE_SEED)
        self.grain = {mm: smooth_noise(lattice, mm, rng) for mm in (5, 9, 13, 22)}

    def paint(self, distance_mm: np.ndarray, brightness: float | np.ndarray, opacity: float = 1.0) -> None:
        """Cover the inside of a shape, whose edge is as soft as a voxel."""
        cover = opacity * _inside(distance_mm, self.edge_mm)
        self.brightness += cover * (brightness - self.brightness)
        self.fat += cover * ((brightness == FAT) - self.fat)


def _flesh(canvas: _Canvas) -> None:
    """Skin, a rim of fat, muscles with fat between them."""
    skin, grain = canvas.skin_mm, canvas.grain
    canvas.paint(skin, SKIN)
    thin = 1.4 + 0.3 * grain[22]
    canvas.paint(skin + thin, FAT)
    below = np.clip((-30 - canvas.points[2]) / 40, 0, 1)  # cheeks and neck carry more fat
    depth = SCALP_MM - 1.2 + (3.0 + 2.0 * grain[22]) * below
    canvas.paint(skin + depth, MUSCLE + 0.05 * grain[9])
    septa = 14 * (np.abs(grain[13]) - 0.16)
    canvas.paint(np.maximum(septa, skin + depth), FAT, opacity=0.55)
    pads = 6 * (1.0 - grain[22])
    canvas.paint(np.maximum(pads, skin + depth), FAT, opacity=0.7)


def _neck_and_face_bones(canvas: _Canvas) -> None:
    p = canvas.mirrored
    jaw = np.minimum(
        _rod(p, (46, 2, -62), (42, 18, -104), 7, squeeze=(0.7, 1.3, 1)),
        _rod(p, (42, 18, -104), (8, 74, -114), 7, squeeze=(0.8, 0.8, 1.2)),
    )
    chin = _ellipsoid(p, (0, 74, -114), (14, 7, 9))
    bone = np.minimum(jaw, chin)
    canvas.paint(bone, BONE)
    canvas.paint(bone + 2.5, MARROW)
    canvas.paint(_rod(p, (26, 42, -82), (4, 74, -82), 5.5), BONE)  # upper teeth and palate
    canvas.paint(_rod(p, (26, 42, -92), (4, 72, -93), 4.5), BONE)  # lower teeth
    cheek = _rod(p, (40, 66, -50), (62, 14, -44), 4)
    canvas.paint(cheek, BONE)
    canvas.paint(cheek + 2.2, MARROW)
    canvas.paint(_ellipsoid(p, (0, 38, -94), (21, 30, 19)), TONGUE + 0.04 * canvas.grain[9])


def _skull(canvas: _Canvas) -> None:
    """Two dark tables with marrow between, thicker in places; cells of air beside the ears."""
    hull, grain = canvas.hull_mm, canvas.grain
    base = np.clip((-20 - canvas.points[2]) / 25, 0, 1)  # thin under the brain
    thickness = (SKULL_MM + 0.9 * grain[22]) * (1 - 0.45 * base)
    canvas.paint(hull - CSF_LAYER_MM - thickness, BONE)
    marrow = np.abs(hull - CSF_LAYER_MM - thickness / 2) - (thickness / 2 - 2.3)
    vault = np.clip((canvas.points[2] + 25) / 20, 0, 1)
    canvas.paint(marrow, 0.5 * MARROW + 0.1 * grain[22], opacity=0.8 * vault)
    for centre, radii in (((54, -38, -46), (13, 15, 17)), ((38, -22, -42), (20, 8, 8))):  # mastoid, petrous
        canvas.paint(_ellipsoid(canvas.mirrored, centre, radii), BONE + 0.14 * (grain[5] > 0.5))


def _eyes(canvas: _Canvas) -> None:
    p, bony = canvas.mirrored, canvas.hull_mm - CSF_LAYER_MM - 2.5
    orbit = np.maximum(_ellipsoid(p, (31, 56, -36), (18, 28, 18)), -bony)
    canvas.paint(orbit, BONE)
    canvas.paint(np.maximum(orbit + 2.0, canvas.skin_mm + 2), FAT)
    for centre, radii in (((43, 50, -36), (2.5, 17, 4)), ((22, 50, -36), (2.5, 17, 4)),
                          ((32, 50, -25), (5, 17, 2)), ((32, 50, -47), (5, 17, 2))):  # fmt: skip
        canvas.paint(_ellipsoid(p, centre, radii), MUSCLE)
    canvas.paint(_rod(p, (31, 54, -36), (14, 24, -32), 2.5), MARROW)  # optic nerve
    canvas.paint(_ellipsoid(p, (32, 65, -36), (13, 12.5, 13)), MUSCLE)
    canvas.paint(_ellipsoid(p, (32, 65, -36), (12, 11.5, 12)), FLUID)
    canvas.paint(_ellipsoid(p, (32, 74, -36), (4.5, 2.2, 4.5)), TONGUE)  # lens


def _airways(canvas: _Canvas) -> None:
    p, grain = canvas.mirrored, canvas.grain
    outside = CSF_LAYER_MM + 1.5 - canvas.hull_mm
    nose = _ellipsoid(p, (0, 46, -52), (16, 38, 22))
    canvas.paint(np.maximum(nose, outside), 0.2 + 0.16 * grain[5])
    canvas.paint(np.maximum(_ellipsoid(p, (9, 44, -58), (3, 26, 7)), outside), MUSCLE)  # turbinates
    for centre, radii in (
        ((30, 46, -62), (13, 16, 16)),  # maxillary sinuses
        ((7, 18, -36), (9, 13, 9)),  # sphenoid sinus
        ((8, 75, -16), (13, 4.5, 10)),  # frontal sinus
        ((88, -24, -36), (7, 4, 4)),  # ear canals
    ):
        canvas.paint(np.maximum(_ellipsoid(p, centre, radii), outside), AIR + 0.03)
    canvas.paint(_rod(p, (0, 8, -48), (0, 2, -84), 7, squeeze=(0.8, 1, 1)), AIR + 0.02)  # pharynx
    canvas.paint(_rod(p, (0, 2, -84), (0, 6, -240), 7.5), AIR + 0.02)  # larynx and windpipe
    canvas.paint(_rod(p, (0, 16, -76), (0, 66, -84), 2), AIR + 0.05)  # mouth


def _spine(canvas: _Canvas) -> None:
    p = canvas.mirrored
    column = _rod(p, (0, -24, -74), (0, -22, -260), 15)
    canvas.paint(column, BONE)
    # A vertebra each 18 mm: marrow, and a dark disc below it.
    within = np.abs((p[2] + 84) / 18 - np.rint((p[2] + 84) / 18)) * 18
    canvas.paint(np.maximum(column + 2.5, within - 6.5), MARROW)
    canvas.paint(np.maximum(column + 3, 7.5 - within), DISC)
    for z in np.arange(-92, -260, -18):
        arch = _rod(p, (0, -58, z), (0, -82, z - 8), 5)
        canvas.paint(arch, BONE)
        canvas.paint(arch + 2, MARROW)
    canal = _rod(p, (0, -40, -62), (0, -47, -260), 10)
    canvas.paint(canal - 2, BONE)
    canvas.paint(canal, FLUID)
    canvas.paint(_rod(p, (0, -40, -58), (0, -47, -260), 5.5), CORD)


def _fiducial(canvas: _Canvas) -> None:
    """A vitamin E capsule taped to the right temple, as some centres do: it tells right from left."""
    canvas.paint(_ellipsoid(canvas.points, FIDUCIAL_MM, (5.5, 9.5, 5.5)), OIL)


def _inside(distance_mm: np.ndarray, edge_mm: float) -> np.ndarray:
    return (0.5 - 0.5 * np.tanh(distance_mm / (2 * edge_mm))).astype(np.float32)


def _smooth_union(a: np.ndarray, b: np.ndarray, blend_mm: float) -> np.ndarray:
    """Union of two distances whose crease is rounded over `blend_mm` (polynomial smooth minimum)."""
    h = np.clip(0.5 + 0.5 * (b - a) / blend_mm, 0, 1)
    return b + h * (a - b) - blend_mm * h * (1 - h)


def _ellipsoid(points: np.ndarray, centre: tuple, radii: tuple) -> np.ndarray:
    """Distance to an ellipsoid, to first order: k (k − 1) / |∇k| with k the scaled radius."""
    offset = points - np.asarray(centre, np.float32).reshape(3, 1, 1, 1)
    scale = np.asarray(radii, np.float32).reshape(3, 1, 1, 1)
    k = np.sqrt(np.sum((offset / scale) ** 2, axis=0))
    slope = np.sqrt(np.sum((offset / scale**2) ** 2, axis=0))
    return k * (k - 1) / np.maximum(slope, 1e-6)


def _rod(
    points: np.ndarray, start: tuple, end: tuple, radius: float, squeeze: tuple = (1.0, 1.0, 1.0)
) -> np.ndarray:
    """Distance to a capsule from start to end; `squeeze` flattens its cross-section per axis."""
    start, end = np.asarray(start, np.float32), np.asarray(end, np.float32)
    offset = points - start.reshape(3, 1, 1, 1)
    axis = end - start
    along = np.clip(np.tensordot(axis, offset, axes=1) / (axis @ axis), 0, 1)
    offset = offset - along * axis.reshape(3, 1, 1, 1)
    return (
        np.sqrt(np.sum((offset / np.asarray(squeeze, np.float32).reshape(3, 1, 1, 1)) ** 2, axis=0)) - radius
    )
