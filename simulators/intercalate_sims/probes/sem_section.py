"""Cross-sections of a cell as a scanning electron microscope meets them, and the grid that sets its scale."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.sem_garnet import GARNET, PHASES, TYPICAL_GARNET, HiddenGarnet, phases_of
from intercalate_sims.probes.sem_relief import random_field
from intercalate_sims.probes.sem_surface import Grid, Relief


@dataclass(frozen=True)
class SectionLayer:
    """A layer of a cross-section.

    Attributes
    ----------
    thickness_um
        Mean along the layer.
    roughness_um
        Standard deviation of its lower face.
    """

    material: str
    thickness_um: float
    roughness_um: float


@dataclass(frozen=True)
class SectionBodies:
    """Lens-shaped bodies that stand on the lower face of a layer.

    Attributes
    ----------
    per_mm
        How many along the face.
    width_um, height_um
        Of a typical one.
    """

    per_mm: float
    width_um: float
    height_um: float
    material: str = "lithium"


@dataclass(frozen=True)
class CrossSection:
    """A cell cut open, the stack along y.

    Attributes
    ----------
    layers
        From the top; above and below is vacuum.
    isles
        Isles of lithium that reach from the lower face of the first layer into the second.
    bridges
        Strips of the second layer's material that reach through the first.
    smooth_um
        Over which the faces of layers vary.
    """

    layers: Sequence[SectionLayer]
    isles: SectionBodies | None = None
    bridges: SectionBodies | None = None
    smooth_um: float = 8.0


_GRAINS = {"LFP": 0.5, "LVO": 0.8, "NMC": 3.0}
"""Typical size of particles of composites, in um."""


def section_relief(
    section: CrossSection, grid: Grid, seed: int, garnet: HiddenGarnet = TYPICAL_GARNET
) -> Relief:
    """Relief of a polished section whose middle is at y = 0."""
    made = Relief(np.zeros(grid.shape), np.zeros(grid.shape, dtype=np.int8), ["vacuum"])
    x = grid.x_um[None, :] + grid.shift_um[:, None]
    y = np.broadcast_to(grid.y_um[:, None], grid.shape)
    top = np.full(grid.shape, -0.5 * sum(layer.thickness_um for layer in section.layers))
    top = top + _wander(x, 0.3, section.smooth_um, seed, 0)
    faces = [top]
    for number, layer in enumerate(section.layers):
        mean = faces[0] * 0 + float(-0.5 * sum(one.thickness_um for one in section.layers))
        mean = mean + sum(one.thickness_um for one in section.layers[: number + 1])
        lower = mean + _wander(x, layer.roughness_um, section.smooth_um, seed, number + 1)
        lower = np.maximum(lower, faces[-1])
        inside = (y >= faces[-1]) & (y < lower)
        made.material[inside] = made.index(layer.material)
        if layer.material in _GRAINS:
            _composite(made, grid, inside, _GRAINS[layer.material], seed)
        if layer.material == GARNET:
            phases = phases_of(grid, seed, garnet)
            for phase, name in enumerate(PHASES, start=1):
                if np.any(inside & (phases == phase)):
                    made.material[inside & (phases == phase)] = made.index(name)
        faces.append(lower)
    if section.isles is not None:
        _bodies(made, x, y, faces[1], section.isles, seed, "section isles", downwards=True)
    if section.bridges is not None and len(section.layers) > 1:
        bridge = SectionBodies(
            section.bridges.per_mm,
            section.bridges.width_um,
            section.layers[0].thickness_um,
            section.layers[1].material,
        )
        _bodies(made, x, y, faces[1], bridge, seed, "section bridges", downwards=False)
    made.height_um += 0.01 * random_field(grid, seed, "polish", (0.5, 20.0))
    made.height_um[made.material == 0] -= 0.2
    return made


def _wander(x: np.ndarray, deviation_um: float, smooth_um: float, seed: int, number: int) -> np.ndarray:
    """Random course along x of unit place: the same at the same x."""
    generator = keyed_generator(seed, "section face", number)
    count = 40
    length = smooth_um * np.exp(generator.uniform(np.log(0.5), np.log(6.0), count))
    phase = generator.uniform(0, 2 * np.pi, count)
    course = np.zeros(x.shape)
    if deviation_um > 0:
        # One row would do but for the shift of a row, over which faces do not change.
        middle = x[x.shape[0] // 2]
        waves = np.cos(2 * np.pi * middle[None, :] / length[:, None] + phase[:, None])
        course = np.broadcast_to(deviation_um * np.sqrt(2 / count) * waves.sum(axis=0), x.shape)
    return course


def _composite(made: Relief, grid: Grid, inside: np.ndarray, size_um: float, seed: int) -> None:
    """Particles with binder and pores between them."""
    field = random_field(grid, seed, "composite", (size_um, 3 * size_um))
    between = field < -0.6 * field.std()
    made.material[inside & between] = made.index("carbon film")
    made.height_um[inside] += 0.02 * size_um * np.minimum(field[inside], 1.0)


def _bodies(
    made: Relief,
    x: np.ndarray,
    y: np.ndarray,
    face: np.ndarray,
    bodies: SectionBodies,
    seed: int,
    name: str,
    downwards: bool,
) -> None:
    """Half lenses below a face, or columns above it."""
    first, last = float(x.min()) - bodies.width_um, float(x.max()) + bodies.width_um
    index = made.index(bodies.material)
    for tile in range(int(np.floor(first / 100.0)), int(np.floor(last / 100.0)) + 1):
        generator = keyed_generator(seed, name, tile & 0xFFFFFFFF)
        ranks = np.cumsum(generator.exponential(1.0, 64)) / 0.1
        places = (tile + generator.uniform(size=64)) * 100.0
        sizes = np.exp(0.3 * generator.standard_normal(64))
        for place, size in zip(places[ranks < bodies.per_mm], sizes[ranks < bodies.per_mm]):
            across = (x - place) / (0.5 * bodies.width_um * size)
            if downwards:
                reach = bodies.height_um * size * np.sqrt(np.maximum(1.0 - across**2, 0.0))
                made.material[(y >= face) & (y < face + reach)] = index
            else:
                made.material[(np.abs(across) < 1) & (y < face) & (y > face - bodies.height_um)] = index


def calibration_grid(
    grid: Grid, pitch_um: float, seed: int, pitch_error: float = 0.0, angle_deg: float = 1.0
) -> Relief:
    """Raised squares on silicon at a pitch that differs from the stated one by a relative error."""
    generator = keyed_generator(seed, "grid", 0)
    true = pitch_um * (1.0 + pitch_error)
    angle = np.radians(angle_deg)
    x = grid.x_um[None, :] + grid.shift_um[:, None]
    y = grid.y_um[:, None]
    u = (x * np.cos(angle) + y * np.sin(angle)) / true + generator.uniform()
    v = (-x * np.sin(angle) + y * np.cos(angle)) / true + generator.uniform()
    raised = (np.mod(u, 1.0) < 0.5) & (np.mod(v, 1.0) < 0.5)
    made = Relief(0.05 * raised, np.zeros(grid.shape, dtype=np.int8), ["silicon"])
    made.material[raised] = made.index("copper")
    return made
