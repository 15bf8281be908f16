"""Where an instrument looks: spots in the coordinates of the sample, and the focus."""

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


def into_focus(station: MeasuresCells, place: str) -> MsgGenerator[None]:
    """Set the focus to where it was found at a place; it stays where nobody has looked for it."""
    if station.objective is None:
        return
    z_um = station.calibrations.focus_um(place)
    if z_um is not None:
        yield from bps.mv(station.objective.z_um, z_um)
