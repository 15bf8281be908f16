"""Steady sources at the sample, with switch and interlock, and the monitors that count what they give."""

import math
from typing import Any

from ophyd import Component as Cpt
from ophyd import Device, EpicsSignalRO, Kind
from ophyd.areadetector import EpicsSignalWithRBV

from intercalate.beam_quality import BeamLimits
from intercalate.devices.beam import Monitors
from intercalate.devices.channel_access import CHANNEL_ACCESS_ERRORS
from intercalate.materials.constants import HC_KEV_NM, KEV_J
from intercalate.materials.optical import WHITE_NM


class SteadySource(Device):
    """A source that gives what is set, while it is switched on.

    Parameters
    ----------
    per_count
        What a count of I0 is at the sample: joules of a laser, else particles.

    Attributes
    ----------
    interlock
        `closed` lets it shine.
    settable
        What a measurement may ask to be set.
    """

    emission = Cpt(EpicsSignalWithRBV, "Emission", string=True, auto_monitor=True, kind=Kind.normal)
    interlock = Cpt(EpicsSignalRO, "Interlock", string=True, auto_monitor=True, kind=Kind.normal)

    noun = "source"
    settable: tuple[str, ...] = ()

    def __init__(self, prefix: str, *, name: str, per_count: float = 1.0, **kwargs: Any):
        super().__init__(prefix, name=name, **kwargs)
        self._per_count = per_count

    def unavailable(self) -> str:
        """Why there is nothing at the sample; empty if there is, or if nothing can be known."""
        try:
            if not (self.interlock.connected and self.emission.connected):
                return ""
            if self.interlock.get() != "closed":
                return f"no {self.noun}: its interlock is open"
            return "" if self.emission.get() == "on" else f"no {self.noun}: it is switched off"
        except CHANNEL_ACCESS_ERRORS:
            # The server went away between the question whether it is there and its answer.
            return ""

    def particle_kev(self) -> float:
        """Energy of a photon or an electron."""
        raise NotImplementedError

    def size_mm(self) -> tuple[float, float]:
        """Of what is exposed."""
        raise NotImplementedError

    def joules_per_s(self) -> float:
        """At the sample, as it is set."""
        raise NotImplementedError

    def joules_of(self, counts: float) -> float:
        """Energy at the sample of so many counts of I0."""
        return counts * self._per_count * self.particle_kev() * KEV_J


class Laser(SteadySource):
    """A continuous laser.

    Parameters
    ----------
    spot_um
        Diameter of the spot, 1/e2.

    Attributes
    ----------
    power_mw
        At the sample, as its attenuator is set; a power meter says what it is.
    """

    power_mw = Cpt(EpicsSignalWithRBV, "Power", auto_monitor=True, kind=Kind.normal)
    wavelength_nm = Cpt(EpicsSignalRO, "Wavelength", kind=Kind.normal)

    noun = "laser"
    settable = ("power_mw",)

    def __init__(self, prefix: str, *, name: str, spot_um: float = 1.0, **kwargs: Any):
        super().__init__(prefix, name=name, **kwargs)
        # The area of a square of this side is that of the spot.
        self._side_mm = math.sqrt(math.pi / 4) * spot_um / 1000.0

    def particle_kev(self) -> float:
        """Energy of a photon."""
        return HC_KEV_NM / float(self.wavelength_nm.get())

    def size_mm(self) -> tuple[float, float]:
        """Of the spot, as a square."""
        return self._side_mm, self._side_mm

    def joules_per_s(self) -> float:
        """At the sample, as it is set."""
        return 1e-3 * float(self.power_mw.get())

    def joules_of(self, counts: float) -> float:
        """Energy at the sample of so many counts of I0."""
        return counts * self._per_count


class Lamp(SteadySource):
    """White light on the field of a camera.

    Parameters
    ----------
    field_mm
        Width and height of what is lit.

    Attributes
    ----------
    power_mw
        At the sample, as its scale shows it.
    """

    power_mw = Cpt(EpicsSignalWithRBV, "Power", auto_monitor=True, kind=Kind.normal)

    noun = "light"
    settable = ("power_mw",)

    def __init__(self, prefix: str, *, name: str, field_mm: tuple[float, float] = (1.0, 1.0), **kwargs: Any):
        super().__init__(prefix, name=name, **kwargs)
        self._field_mm = field_mm

    def particle_kev(self) -> float:
        """Energy of a photon in the middle of what is visible."""
        return HC_KEV_NM / WHITE_NM

    def size_mm(self) -> tuple[float, float]:
        """Of what is lit."""
        return self._field_mm

    def joules_per_s(self) -> float:
        """At the sample, as it is set."""
        return 1e-3 * float(self.power_mw.get())


class SoftXRays(SteadySource):
    """The monochromated X-ray tube of an electron spectrometer.

    Parameters
    ----------
    photons_per_s_w
        At the sample, for each watt.

    Attributes
    ----------
    power_w
        Of the anode.
    spot_um
        Side of the square that it lights, as wide as the analyser sees it at half maximum.
    energy_kev
        Of its line.
    """

    power_w = Cpt(EpicsSignalWithRBV, "Power", auto_monitor=True, kind=Kind.normal)
    spot_um = Cpt(EpicsSignalWithRBV, "Spot", auto_monitor=True, kind=Kind.normal)
    energy_kev = Cpt(EpicsSignalRO, "Energy_RBV", kind=Kind.normal)

    noun = "X-rays"
    settable = ("power_w", "spot_um")

    def __init__(self, prefix: str, *, name: str, photons_per_s_w: float = 1.0, **kwargs: Any):
        super().__init__(prefix, name=name, **kwargs)
        self._photons_per_s_w = photons_per_s_w

    def particle_kev(self) -> float:
        """Energy of a photon."""
        return float(self.energy_kev.get())

    def size_mm(self) -> tuple[float, float]:
        """Of the spot."""
        side_mm = float(self.spot_um.get()) / 1000.0
        return side_mm, side_mm

    def joules_per_s(self) -> float:
        """At the sample, as it is set."""
        return float(self.power_w.get()) * self._photons_per_s_w * self.particle_kev() * KEV_J


class ElectronGun(SteadySource):
    """An electron column; it exposes the square that it scans.

    Attributes
    ----------
    voltage_kv, current_na
        Of the column, and of the probe as the condenser is set; a Faraday cup says what it is.
    field_of_view_um
        Side of the square.
    """

    voltage_kv = Cpt(EpicsSignalWithRBV, "Voltage", auto_monitor=True, kind=Kind.normal)
    current_na = Cpt(EpicsSignalWithRBV, "Current", auto_monitor=True, kind=Kind.normal)
    field_of_view_um = Cpt(EpicsSignalWithRBV, "FieldOfView", auto_monitor=True, kind=Kind.normal)

    noun = "electrons"
    settable = ("voltage_kv", "current_na", "field_of_view_um")

    def particle_kev(self) -> float:
        """Energy of an electron."""
        return float(self.voltage_kv.get())

    def size_mm(self) -> tuple[float, float]:
        """Of the scanned square."""
        side_mm = float(self.field_of_view_um.get()) / 1000.0
        return side_mm, side_mm

    def joules_per_s(self) -> float:
        """At the sample, as it is set."""
        return float(self.current_na.get()) * 1e-9 * self.particle_kev() * 1000.0


class SteadyMonitors(Monitors):
    """Counts of a steady source before the sample (I0).

    Parameters
    ----------
    source
        Of which all that there should be is known.
    weak_below, none_below
        Shares of it.
    """

    def __init__(
        self,
        prefix: str,
        *,
        name: str,
        source: SteadySource,
        weak_below: float,
        none_below: float,
        **kwargs: Any,
    ):
        super().__init__(prefix, name=name, **kwargs)
        self._source = source
        self._below = (weak_below, none_below)

    @property
    def limits(self) -> BeamLimits | None:
        """By which counts are judged, with the source as it is set."""
        return BeamLimits(self._source.joules_per_s() / self._source.joules_of(1.0), *self._below)


class LaserMonitors(SteadyMonitors):
    """Counts of a laser, and of its light that comes back through the pinhole.

    Attributes
    ----------
    power_meter_mw
        Of the meter on the sample changer, mean of the last exposure; nothing while it is not in the spot.
    """

    reflected_counts = Cpt(EpicsSignalRO, "Reflected", kind=Kind.hinted)
    power_meter_mw = Cpt(EpicsSignalRO, "PowerMeter", kind=Kind.normal)


class ElectronMonitors(SteadyMonitors):
    """Counts of an electron beam, and of what a sample takes up of it: all of it, in a Faraday cup."""

    specimen_counts = Cpt(EpicsSignalRO, "Specimen", kind=Kind.hinted)
