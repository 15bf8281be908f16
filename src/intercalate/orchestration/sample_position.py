"""Where an instrument looks: spots in the coordinates of the sample, and the focus."""

from collections.abc import Sequence

import bluesky.plan_stubs as bps
from bluesky.utils import MsgGenerator

from intercalate.devices.roles import MeasuresCells

SpotMm = tuple[float, float]


def stage_target(
    station: MeasuresCells, place: str, spot_mm: SpotMm = (0.0, 0.0)
) -> tuple[str, float, float]:
    """What the sample changer is sent to, for an instrument to meet a spot of the sample there."""
    beside_x_mm, beside_y_mm = station.beside_mm
    return place, spot_mm[0] - beside_x_mm, spot_mm[1] - beside_y_mm


def as_spot(spot_mm: Sequence[float] | None) -> SpotMm:
    """A place on the sample, its middle where none is given.

    Raises
    ------
    ValueError
        If it is not two numbers.
    """
    if spot_mm is None:
        return 0.0, 0.0
    if len(spot_mm) != 2:
        raise ValueError(f"spot_mm has {len(spot_mm)} numbers; give x and y from the middle of the sample")
    return float(spot_mm[0]), float(spot_mm[1])


def into_focus(station: MeasuresCells, place: str) -> MsgGenerator[None]:
    """Set the focus to where it was found at a place; it stays where nobody has looked for it."""
    if station.objective is None:
        return
    z_um = station.calibrations.focus_um(place)
    if z_um is not None:
        yield from bps.mv(station.objective.z_um, z_um)
