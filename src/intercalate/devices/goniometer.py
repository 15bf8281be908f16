"""What tilts the sample in the beam."""

from typing import Any

from ophyd import Component as Cpt
from ophyd import Device, Kind

from intercalate.devices.axis import Axis

TRANSMISSION_DEG = 90.0
"""Between beam and face of a sample that is not tilted."""


class IncidenceAxis(Axis):
    """Angle between the beam and the face of the sample."""

    def to_rest(self) -> None:
        """Turn the sample back into transmission; does not wait for it."""
        self.user_setpoint.put(TRANSMISSION_DEG, wait=False)


class Goniometer(Device):
    """Tilts the sample about an axis across the beam, so that rays leave it upwards.

    Attributes
    ----------
    settable
        What a measurement may ask to be set.
    incidence_deg
        Between beam and face: 90 in transmission, a few degrees in reflection.
    """

    settable: tuple[str, ...] = ("incidence_deg",)

    incidence_deg: Any = Cpt(IncidenceAxis, "Incidence", kind=Kind.normal)
