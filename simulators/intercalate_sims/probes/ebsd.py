"""Orientation maps as electron backscatter diffraction gives them: grains of a cubic metal."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree
from scipy.spatial.transform import Rotation

from intercalate.materials.electron_range import LITHIUM_MELTS_C
from intercalate_sims.noise import keyed_generator


@dataclass(frozen=True)
class Grains:
    """Grains of a face.

    Attributes
    ----------
    diameter_um
        Mean, of a circle of the same area.
    generation
        Number of times that the metal has melted: each time it freezes, grains are new.
    texture
        0 for random orientations, towards 1 for one that all share.
    melts_c
        Where there is no crystal any more.
    """

    diameter_um: float = 20.0
    generation: int = 0
    texture: float = 0.0
    melts_c: float = LITHIUM_MELTS_C


@dataclass(frozen=True)
class EbsdConditions:
    """What the operator sets.

    Attributes
    ----------
    step_um
        Between two points of the map.
    tilt_deg
        Of the sample; patterns are weak far from 70.
    """

    step_um: float = 1.0
    rows: int = 128
    columns: int = 128
    tilt_deg: float = 70.0
    temperature_c: float = 25.0


@dataclass(frozen=True)
class HiddenIndexing:
    """How good patterns are, and how well they are indexed.

    Attributes
    ----------
    noise_deg
        Of an orientation.
    wrong
        Share of points that are given an orientation at random.
    lost
        Share of points that are given none.
    tilt_off_deg
        Of the whole map against the sample.
    """

    noise_deg: float = 0.5
    wrong: float = 0.02
    lost: float = 0.03
    tilt_off_deg: float = 1.0

    @classmethod
    def draw(cls, seed: int) -> "HiddenIndexing":
        """A detector and a face of this seed."""
        generator = keyed_generator(seed, "indexing", 0)
        return cls(
            noise_deg=float(generator.uniform(0.2, 0.9)),
            wrong=float(generator.uniform(0.0, 0.05)),
            lost=float(generator.uniform(0.01, 0.08)),
            tilt_off_deg=float(generator.normal(0.0, 1.0)),
        )


@dataclass(frozen=True)
class OrientationCounts:
    """A map, and what is true of it.

    Attributes
    ----------
    euler_deg
        Bunge's angles phi1, Phi, phi2, shape (rows, columns, 3); zero where no pattern was indexed.
    band_contrast
        0 to 255, shape (rows, columns); 0 where there is no pattern.
    indexed
        Whether a point was given an orientation, shape (rows, columns).
    grain
        True number of the grain, for tests and benchmarks alone.
    """

    euler_deg: np.ndarray
    band_contrast: np.ndarray
    indexed: np.ndarray
    grain: np.ndarray


def orientation_map(
    grains: Grains, conditions: EbsdConditions, hidden: HiddenIndexing, seed: int, start_s: float
) -> OrientationCounts:
    """Map of a face; grains keep places and orientations until they melt. `start_s` keys the noise."""
    y, x = np.meshgrid(
        np.arange(conditions.rows) * conditions.step_um,
        np.arange(conditions.columns) * conditions.step_um,
        indexing="ij",
    )
    places = np.stack([x.ravel(), y.ravel()], axis=1)
    centres, number = _centres(grains, places.max(axis=0), seed)
    distance, owner = (np.asarray(one) for one in KDTree(centres).query(places, k=2))
    # How far from the boundary: patterns of two grains overlap there.
    edge = (distance[:, 1] - distance[:, 0]) / conditions.step_um
    shape = (conditions.rows, conditions.columns)
    grain = owner[:, 0]
    generator = keyed_generator(seed, "orientation noise", round(start_s * 1000))
    if conditions.temperature_c > grains.melts_c:
        # A melt has no bands: what software still makes of it is chance.
        contrast = np.clip(generator.normal(0.0, 1.5, grain.size), 0, None)
        nothing = np.zeros((*shape, 3))
        return OrientationCounts(
            nothing,
            contrast.reshape(shape).astype(np.uint8),
            np.zeros(shape, dtype=bool),
            grain.reshape(shape),
        )
    orientation = Rotation.from_quat(_orientations(grains, number, seed).as_quat()[grain])
    noise = Rotation.from_rotvec(np.radians(hidden.noise_deg) * generator.standard_normal((grain.size, 3)))
    wrong = generator.uniform(size=grain.size) < hidden.wrong * (1.0 + 2.0 * (edge < 0.7))
    measured = noise * orientation
    random = Rotation.random(grain.size, rng=generator)
    quaternion = np.where(wrong[:, None], random.as_quat(), measured.as_quat())
    off = Rotation.from_euler("y", hidden.tilt_off_deg, degrees=True)
    total = Rotation.from_quat(quaternion) * off
    quality = np.exp(-(((conditions.tilt_deg - 70.0) / 12.0) ** 2))
    contrast = 140.0 * quality * np.clip(0.4 + 0.3 * edge, 0.4, 1.0) + generator.normal(0, 8, grain.size)
    lost = generator.uniform(size=grain.size) < hidden.lost * (1.0 + 3.0 * (edge < 0.7)) / max(quality, 0.05)
    euler = euler_deg_of(total)
    euler[lost] = 0.0
    return OrientationCounts(
        euler.reshape(*shape, 3),
        np.clip(np.where(lost, 0.3 * contrast, contrast), 0, 255).reshape(shape).astype(np.uint8),
        ~lost.reshape(shape),
        grain.reshape(shape),
    )


def euler_deg_of(rotation: Rotation) -> np.ndarray:
    """Bunge's angles (z, x', z'') of the turn from the sample's axes to the crystal's, shape (n, 3)."""
    # Bunge turns the axes, not the vectors: the inverse, in the order of scipy's moving axes.
    matrix = rotation.as_matrix()
    tilt = np.arccos(np.clip(matrix[:, 2, 2], -1.0, 1.0))
    first = np.arctan2(matrix[:, 2, 0], -matrix[:, 2, 1])
    last = np.arctan2(matrix[:, 0, 2], matrix[:, 1, 2])
    flat = np.sin(tilt) < 1e-8
    first = np.where(flat, np.arctan2(matrix[:, 0, 1], matrix[:, 0, 0]), first)
    last = np.where(flat, 0.0, last)
    return np.degrees(np.stack([np.mod(first, 2 * np.pi), tilt, np.mod(last, 2 * np.pi)], axis=1))


def _centres(grains: Grains, extent: np.ndarray, seed: int) -> tuple[np.ndarray, int]:
    """Seeds of Voronoi cells, kept a little apart."""
    generator = keyed_generator(seed, "grain centres", grains.generation)
    margin = 2.0 * grains.diameter_um
    area = float(np.prod(extent + 2 * margin))
    wanted = max(int(area / (0.25 * np.pi * grains.diameter_um**2)), 4)
    places = generator.uniform(-margin, extent + margin, size=(2 * wanted, 2))
    kept: list[np.ndarray] = []
    tree = KDTree(places)
    blocked = np.zeros(len(places), dtype=bool)
    for at, place in enumerate(places):
        if blocked[at]:
            continue
        kept.append(place)
        blocked[tree.query_ball_point(place, 0.35 * grains.diameter_um)] = True
        if len(kept) == wanted:
            break
    return np.array(kept), len(kept)


def _orientations(grains: Grains, count: int, seed: int) -> Rotation:
    generator = keyed_generator(seed, "grain orientations", grains.generation)
    random = Rotation.random(count, rng=generator)
    if grains.texture <= 0:
        return random
    spread = (1.0 - grains.texture) * np.pi / 3
    return Rotation.from_rotvec(spread * generator.standard_normal((count, 3))) * random[0]
