"""A focused ion beam opens a place: what stands in the wall of the trench, and what the ions did to it."""

from dataclasses import dataclass

import numpy as np

from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.sem_relief import random_field
from intercalate_sims.probes.sem_surface import Grid, Relief


@dataclass(frozen=True)
class IonBeam:
    """Settings of the last cut.

    Attributes
    ----------
    cold
        Whether the stage is cooled by liquid nitrogen, without which lithium reacts with gallium.
    """

    kv: float = 30.0
    current_na: float = 0.1
    cold: bool = True

    @property
    def damage_um(self) -> float:
        """Depth to which a face is amorphous or mixed with gallium; an illustration of some tens of nm at 30
        kV.
        """
        return 0.03 * (self.kv / 30.0) ** 0.8 * (1.0 if self.cold else 8.0)

    @property
    def curtain_um(self) -> float:
        """Depth of the grooves that run down the face: rougher with higher current."""
        return 0.01 * (self.current_na / 0.1) ** 0.4


@dataclass(frozen=True)
class MilledPlace:
    """What the trench opens.

    Attributes
    ----------
    diameter_um
        Of the needle or isle.
    wall_um
        Thickness of the shell of a hollow one; None where it is filled.
    shell, interior
        Materials; the interior of a hollow one is vacuum.
    under
        Material on which it stands.
    perforated
        Whether that has a hole below it.
    """

    diameter_um: float
    wall_um: float | None
    shell: str = "lithium carbide"
    interior: str = "lithium carbide"
    under: str = "polymer electrolyte"
    perforated: bool = False


def milled_relief(place: MilledPlace, beam: IonBeam, grid: Grid, seed: int) -> Relief:
    """Wall of a trench through a needle or isle whose middle is at (0, 0); what it stands on lies at larger
    y.

    The wall is seen face on; above what stands there is vacuum.
    """
    made = Relief(np.zeros(grid.shape), np.zeros(grid.shape, dtype=np.int8), ["vacuum"])
    generator = keyed_generator(seed, "milled", 0)
    x = grid.x_um[None, :] + grid.shift_um[:, None]
    y = np.broadcast_to(grid.y_um[:, None], grid.shape)
    radius = 0.5 * place.diameter_um
    oval = 1.0 + 0.08 * generator.standard_normal()
    ragged = 0.05 * radius * random_field(grid, seed, "wall", (0.3 * radius, 2 * radius))
    away = np.hypot(x * oval, y / oval) + ragged
    under = y > 0.85 * radius
    made.material[under] = made.index(place.under)
    if place.perforated:
        hole = under & (np.abs(x + 0.2 * radius * np.sin(3 * y / radius)) < 0.45 * radius)
        made.material[hole] = 0
        made.height_um[hole] -= 0.5
    body = away < radius
    made.material[body] = made.index(place.shell)
    if place.wall_um is None:
        made.material[away < 0.85 * radius] = made.index(place.interior)
    else:
        hollow = away < radius - place.wall_um
        made.material[hollow] = 0
        made.height_um[hollow] -= 1.0
    made.height_um[made.material == 0] -= 0.3
    _curtains(made, grid, beam, seed)
    return made


def _curtains(made: Relief, grid: Grid, beam: IonBeam, seed: int) -> None:
    """Grooves along the ions' way, deeper below what is rough; and the roughness of a damaged face."""
    line = Grid(grid.x_um, np.zeros(1), np.zeros(1))
    grooves = random_field(line, seed, "curtains", (4 * grid.pixel_um, 60 * grid.pixel_um))[0]
    below = np.cumsum(np.abs(np.gradient(made.material.astype(float), axis=0)) > 0, axis=0)
    made.height_um += beam.curtain_um * grooves[None, :] * (1.0 + 0.5 * np.minimum(below, 4))
    made.height_um += beam.damage_um * 0.2 * random_field(grid, seed, "damage", (0.05, 1.0))
