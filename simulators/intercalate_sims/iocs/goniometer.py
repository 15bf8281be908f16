"""The axis that tilts a sample in the beam."""

from typing import Any

from caproto.server import PVGroup, SubGroup

from intercalate_sims.iocs.stage import MotorPVs

TRANSMISSION_DEG = 90.0


class IncidencePVs(MotorPVs):
    """Angle between beam and face of the sample, which is found in transmission."""

    low, high = 0.0, TRANSMISSION_DEG
    velocity = 10.0
    units = "deg"
    found = TRANSMISSION_DEG


class GoniometerPVs(PVGroup):
    """One axis, across the beam."""

    incidence = SubGroup(IncidencePVs, prefix="Incidence")

    def set_rate(self, rate: float) -> None:
        """Cell seconds per wall second."""
        self.incidence.rate = rate

    @property
    def settings(self) -> dict[str, Any]:
        """What the probe must know of it."""
        return {"incidence_deg": self.incidence.position}
