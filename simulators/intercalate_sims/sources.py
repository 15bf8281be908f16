"""Steady sources at the sample, with switch and interlock: a laser, an X-ray tube, an electron gun."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from intercalate.materials.constants import ELEMENTARY_CHARGE_C, HC_KEV_NM, KEV_J
from intercalate.materials.optical import WHITE_NM

MOST_MW = 50.0
"""Of a laser, with nothing of the attenuator in the way."""
MOST_LAMP_MW = 20.0
"""Of a lamp."""
MOST_W = 50.0
"""Of the X-ray tube of an electron spectrometer."""
SPOT_UM = (5.0, 500.0)
"""Of the same."""
GUN_KV = (0.5, 30.0)
GUN_NA = (0.0, 100.0)
FIELD_OF_VIEW_UM = (0.5, 2000.0)
TRANSMISSION_KV = (60.0, 300.0)
TRANSMISSION_NA = (0.0, 10.0)
ILLUMINATED_UM = (0.05, 50.0)


class SteadyBeam:
    """Particles of a steady source at the sample.

    Parameters
    ----------
    found
        Of every number that can be set, as it is found.

    Attributes
    ----------
    ranges
        Of what can be set, besides `emission` and `interlock`.
    """

    ranges: Mapping[str, tuple[float, float]] = MappingProxyType({})
    is_x_ray = False

    def __init__(self, found: Mapping[str, float]):
        self._settings: dict[str, Any] = {**found, "emission": True, "interlock": True}

    @property
    def energy_kev(self) -> float:
        """Of a particle."""
        raise NotImplementedError

    @property
    def size_mm(self) -> tuple[float, float]:
        """At the sample, horizontally and vertically."""
        raise NotImplementedError

    def full_photons_s(self) -> float:
        """Particles per second, switched on and with closed interlock."""
        raise NotImplementedError

    def value(self, name: str) -> float:
        """One of the numbers that can be set."""
        return float(self._settings[name])

    def set(self, time_s: float, changes: dict[str, Any]) -> None:
        """Change what can be set.

        Raises
        ------
        ValueError
            If a value is out of its range, or nothing of that name can be set.
        """
        for name, value in changes.items():
            if name in ("emission", "interlock"):
                self._settings[name] = bool(value)
            elif name in self.ranges:
                low, high = self.ranges[name]
                if not low <= float(value) <= high:
                    raise ValueError(f"{name} is {float(value):g}; it must be from {low:g} to {high:g}")
                self._settings[name] = float(value)
            else:
                raise ValueError(f"the source has no {name!r}")

    def photons(self, start_s: float, end_s: float) -> float:
        """Particles at the sample between two cell times, with the settings as they are now."""
        shines = self._settings["emission"] and self._settings["interlock"]
        return self.full_photons_s() * (end_s - start_s) if shines else 0.0

    def status(self, time_s: float) -> dict[str, Any]:
        """What the source shows."""
        return dict(self._settings)

    def to_state(self) -> dict[str, Any]:
        """What `restore` needs, JSON-able."""
        return dict(self._settings)

    def restore(self, state: dict[str, Any]) -> None:
        """Go on with the settings as they were."""
        self._settings.update(state)


class LaserBeam(SteadyBeam):
    """A continuous laser; `power_mw` is that at the sample, as its scale shows it.

    Parameters
    ----------
    power_share
        Of what the scale shows; nobody is told.
    """

    ranges = MappingProxyType({"power_mw": (0.0, MOST_MW)})

    def __init__(self, wavelength_nm: float, spot_mm: float, power_mw: float, power_share: float = 1.0):
        super().__init__({"power_mw": power_mw})
        self._spot_mm = spot_mm
        self.wavelength_nm = wavelength_nm
        self._power_share = power_share

    @property
    def energy_kev(self) -> float:
        """Of a photon."""
        return HC_KEV_NM / self.wavelength_nm

    @property
    def size_mm(self) -> tuple[float, float]:
        """Of the spot."""
        return self._spot_mm, self._spot_mm

    def full_photons_s(self) -> float:
        """Photons per second with laser switched on and interlock closed."""
        return self._power_share * 1e-3 * self.value("power_mw") / (self.energy_kev * KEV_J)

    def status(self, time_s: float) -> dict[str, Any]:
        """What the laser shows."""
        return {**super().status(time_s), "wavelength_nm": self.wavelength_nm}


class LampBeam(SteadyBeam):
    """White light on the field of a camera; `power_mw` is that at the sample.

    Parameters
    ----------
    field_mm
        Width and height of what is lit.
    """

    ranges = MappingProxyType({"power_mw": (0.0, MOST_LAMP_MW)})

    def __init__(self, field_mm: tuple[float, float], power_mw: float):
        super().__init__({"power_mw": power_mw})
        self._field_mm = field_mm

    @property
    def energy_kev(self) -> float:
        """Of a photon in the middle of what is visible."""
        return HC_KEV_NM / WHITE_NM

    @property
    def size_mm(self) -> tuple[float, float]:
        """Of what is lit."""
        return self._field_mm

    def full_photons_s(self) -> float:
        """Photons per second with the lamp switched on."""
        return 1e-3 * self.value("power_mw") / (self.energy_kev * KEV_J)


class SoftXRays(SteadyBeam):
    """The monochromated X-ray tube of an electron spectrometer; `power_w` is that of its anode, `spot_um` the
    side of what it lights.

    Parameters
    ----------
    photons_per_s_w
        At the sample, for each watt.
    """

    ranges = MappingProxyType({"power_w": (0.0, MOST_W), "spot_um": SPOT_UM})

    def __init__(self, energy_kev: float, spot_um: float, power_w: float, photons_per_s_w: float):
        super().__init__({"power_w": power_w, "spot_um": spot_um})
        self._energy_kev = energy_kev
        self._photons_per_s_w = photons_per_s_w

    @property
    def energy_kev(self) -> float:
        """Of a photon."""
        return self._energy_kev

    @property
    def size_mm(self) -> tuple[float, float]:
        """Of the spot."""
        side_mm = self.value("spot_um") / 1000.0
        return side_mm, side_mm

    def full_photons_s(self) -> float:
        """Photons per second with tube switched on and interlock closed."""
        return self.value("power_w") * self._photons_per_s_w

    def status(self, time_s: float) -> dict[str, Any]:
        """What the tube shows."""
        return {**super().status(time_s), "energy_kev": self._energy_kev}


class ElectronGun(SteadyBeam):
    """An electron column; what it irradiates is what it scans.

    Parameters
    ----------
    current_share
        Of the probe current that its scale shows; nobody is told.
    """

    ranges = MappingProxyType(
        {"voltage_kv": GUN_KV, "current_na": GUN_NA, "field_of_view_um": FIELD_OF_VIEW_UM}
    )

    def __init__(
        self, voltage_kv: float, current_na: float, field_of_view_um: float, current_share: float = 1.0
    ):
        found = {"voltage_kv": voltage_kv, "current_na": current_na, "field_of_view_um": field_of_view_um}
        super().__init__(found)
        self._current_share = current_share

    @property
    def size_mm(self) -> tuple[float, float]:
        """Of the scanned square."""
        side_mm = self.value("field_of_view_um") / 1000.0
        return side_mm, side_mm

    @property
    def energy_kev(self) -> float:
        """Of an electron."""
        return self.value("voltage_kv")

    def full_photons_s(self) -> float:
        """Electrons per second with open valve and beam switched on."""
        return self._current_share * 1e-9 * self.value("current_na") / ELEMENTARY_CHARGE_C


class TransmissionGun(ElectronGun):
    """The column of a transmission microscope; its field of view is what it illuminates."""

    ranges = MappingProxyType(
        {"voltage_kv": TRANSMISSION_KV, "current_na": TRANSMISSION_NA, "field_of_view_um": ILLUMINATED_UM}
    )
