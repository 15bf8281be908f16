"""A laser, the objective that focuses it on the sample, and what comes back."""

import math
from typing import Any

from ophyd import Component as Cpt
from ophyd import Device, EpicsMotor, EpicsSignalRO, Kind
from ophyd.areadetector import EpicsSignalWithRBV

from intercalate.beam_quality import BeamLimits
from intercalate.devices.beam import Monitors
from intercalate.devices.channel_access import CHANNEL_ACCESS_ERRORS


class Laser(Device):
    """A continuous laser.

    Attributes
    ----------
    power_mw
        At the sample, as its attenuator is set; a power meter says what it is.
    interlock
        `closed` lets it shine.
    """

    power_mw = Cpt(EpicsSignalWithRBV, "Power", auto_monitor=True, kind=Kind.normal)
    wavelength_nm = Cpt(EpicsSignalRO, "Wavelength", kind=Kind.normal)
    emission = Cpt(EpicsSignalWithRBV, "Emission", string=True, auto_monitor=True, kind=Kind.normal)
    interlock = Cpt(EpicsSignalRO, "Interlock", string=True, auto_monitor=True, kind=Kind.normal)

    def unavailable(self) -> str:
        """Why there is no light at the sample; empty if there is, or if nothing can be known."""
        try:
            if not (self.interlock.connected and self.emission.connected):
                return ""
            if self.interlock.get() != "closed":
                return "no laser: its interlock is open"
            return "" if self.emission.get() == "on" else "no laser: it is switched off"
        except CHANNEL_ACCESS_ERRORS:
            # The server went away between the question whether it is there and its answer.
            return ""


class Objective(Device):
    """Moves the spot of a laser over the sample, and its focus into it.

    Parameters
    ----------
    spot_um
        Diameter of the spot, 1/e2.
    beside_mm
        Where the spot is with the objective at rest, from where the sample changer means.

    Attributes
    ----------
    x_um, y_um
        Across the sample, from the middle of the range.
    z_um
        Of the focus, + into the sample.
    """

    x_um = Cpt(EpicsMotor, "ObjectiveX", kind=Kind.normal)
    y_um = Cpt(EpicsMotor, "ObjectiveY", kind=Kind.normal)
    z_um = Cpt(EpicsMotor, "Focus", kind=Kind.normal)

    def __init__(
        self,
        prefix: str,
        *,
        name: str,
        spot_um: float,
        beside_mm: tuple[float, float] = (0.0, 0.0),
        **kwargs: Any,
    ):
        super().__init__(prefix, name=name, **kwargs)
        self.spot_um = spot_um
        self.beside_mm = beside_mm

    def offset_mm(self) -> tuple[float, float]:
        """Where the spot is, from where the sample changer means."""
        moved_mm = (float(axis.user_readback.get()) / 1000.0 for axis in (self.x_um, self.y_um))
        x_mm, y_mm = (at + moved for at, moved in zip(self.beside_mm, moved_mm))
        return x_mm, y_mm

    @property
    def spot_mm2(self) -> float:
        """Area of the spot."""
        return math.pi / 4 * (self.spot_um / 1000.0) ** 2


class LaserMonitors(Monitors):
    """Counts of the laser before the sample (I0), and of its light that comes back through the pinhole.

    Parameters
    ----------
    laser
        Whose power is all that there should be.
    joules_per_count
        At the sample, for each count of I0.
    weak_below, none_below
        Shares of it.
    """

    reflected_counts = Cpt(EpicsSignalRO, "Reflected", kind=Kind.hinted)

    def __init__(
        self,
        prefix: str,
        *,
        name: str,
        laser: Laser,
        joules_per_count: float,
        weak_below: float,
        none_below: float,
        **kwargs: Any,
    ):
        super().__init__(prefix, name=name, **kwargs)
        self._laser = laser
        self._joules_per_count = joules_per_count
        self._below = (weak_below, none_below)

    @property
    def limits(self) -> BeamLimits | None:
        """By which counts are judged, at the power that is set."""
        return BeamLimits(1e-3 * float(self._laser.power_mw.get()) / self._joules_per_count, *self._below)
