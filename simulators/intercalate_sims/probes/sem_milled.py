"""What a trench shows that ions have milled into a cell: the body it was aimed at, by the state of the cell.

The wall is drawn face on, as an image shows it that is corrected for the tilt of the stage.
"""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

import numpy as np

from intercalate.materials.ion_milling import COLD_BELOW_C
from intercalate_sims.cell.interface import ElectrodeState
from intercalate_sims.milling import Cut
from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.sem_fib import IonBeam, MilledPlace, milled_relief
from intercalate_sims.probes.sem_sample import ISLE_UM
from intercalate_sims.probes.sem_section import CrossSection
from intercalate_sims.probes.sem_surface import Grid, Relief

NEEDLES = "needles"


class Interior(StrEnum):
    """What a needle of lithium is inside; nobody is told."""

    REAL = "real"
    """Hollow: a shell of carbide, above a hole in the polymer."""
    FILLED = "filled"
    """Carbide throughout."""
    METAL = "metal"
    """Metal throughout."""


@dataclass(frozen=True)
class HiddenInterior:
    """How the needles of a sample differ from a typical one.

    Attributes
    ----------
    wall_share
        Of the diameter, that the wall of a hollow one is thick.
    """

    wall_share: float = 0.16

    @classmethod
    def draw(cls, seed: int) -> Self:
        """Of a seed."""
        return cls(float(keyed_generator(seed, "interior of needles", 0).uniform(0.13, 0.2)))

    def as_json(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)


def opened_place(
    electrode: ElectrodeState, hidden: HiddenInterior, law: Interior, under: str
) -> MilledPlace | None:
    """The tallest of what stands on a face, at which a cut is aimed; None where nothing does."""
    if not electrode.deposits:
        return None
    habit, _, width_um, _ = max(electrode.deposits, key=lambda one: one[3])
    if habit != NEEDLES or law is Interior.METAL:
        shell = "lithium" if habit == NEEDLES else "passivated lithium"
        return MilledPlace(width_um, None, shell, "lithium", under)
    wall_um = hidden.wall_share * width_um if law is Interior.REAL else None
    return MilledPlace(width_um, wall_um, under=under, perforated=law is Interior.REAL)


def opened_isle(section: CrossSection) -> MilledPlace | None:
    """An isle of plated lithium in a section; None where there is none."""
    if section.isles is None:
        return None
    return MilledPlace(ISLE_UM[1], None, "lithium", "lithium", section.layers[1].material)


def cut_open(
    made: Relief,
    grid: Grid,
    cut: Cut,
    at_um: tuple[float, float],
    place: MilledPlace | None,
    under: str,
    seed: int,
) -> None:
    """Put a trench into a relief.

    Parameters
    ----------
    at_um
        Middle of the cut, in the coordinates of the grid.
    place
        The body that it was aimed at; None where nothing stands there.
    under
        Material of the wall where there is no body.

    Notes
    -----
    The body is seen once the cut has reached its middle; before, there is a pit.
    """
    x = grid.x_um[None, :] + grid.shift_um[:, None] - at_um[0]
    y = np.broadcast_to(grid.y_um[:, None] - at_um[1], grid.shape)
    inside = (np.abs(x) < 0.5 * cut.width_um) & (np.abs(y) < 0.5 * cut.height_um)
    if not inside.any():
        return
    for covered in made.covered.values():
        covered &= ~inside
    if place is not None and cut.reached < 0.5 * place.diameter_um:
        made.height_um[inside] -= cut.reached
        return
    beam = IonBeam(cut.voltage_kv, cut.current_na, cut.temperature_c <= COLD_BELOW_C)
    there = Grid(grid.x_um - at_um[0], grid.y_um - at_um[1], grid.shift_um)
    # A body of no width leaves the wall alone.
    wall = milled_relief(place or MilledPlace(1e-6, None, under, under, under), beam, there, seed)
    index = np.array([made.index(one) for one in wall.materials], dtype=made.material.dtype)
    made.material[inside] = index[wall.material][inside]
    made.height_um[inside] = wall.height_um[inside]
