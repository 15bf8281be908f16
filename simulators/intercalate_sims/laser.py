"""The laser of a spectrometer at the sample: power behind its attenuator, switch and interlock."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from intercalate_sims.exposures import KEV_J

HC_KEV_NM = 1.239841984

MOST_MW = 50.0
"""With nothing of the attenuator in the way."""


@dataclass(frozen=True)
class LaserSettings:
    """What can be set; `power_mw` is that at the sample, as its scale shows it."""

    power_mw: float
    emission: bool = True
    interlock: bool = True


class LaserBeam:
    """Photons of a continuous laser at the sample.

    Parameters
    ----------
    power_share
        Of what the scale shows; nobody is told.
    """

    is_x_ray = False

    def __init__(self, wavelength_nm: float, spot_mm: float, power_mw: float, power_share: float = 1.0):
        self.wavelength_nm = wavelength_nm
        self.energy_kev = HC_KEV_NM / wavelength_nm
        self.size_mm = (spot_mm, spot_mm)
        self._settings = LaserSettings(power_mw)
        self._power_share = power_share

    def set(self, time_s: float, changes: dict[str, Any]) -> None:
        """Change power, switch or interlock.

        Raises
        ------
        ValueError
            If a value is out of its range, or nothing of that name can be set.
        """
        for name, value in changes.items():
            match name:
                case "power_mw":
                    power_mw = float(value)
                    if not 0.0 <= power_mw <= MOST_MW:
                        raise ValueError(f"power_mw is {power_mw:g}; it must be from 0 to {MOST_MW:g}")
                    self._settings = replace(self._settings, power_mw=power_mw)
                case "emission" | "interlock":
                    self._settings = replace(self._settings, **{name: bool(value)})
                case _:
                    raise ValueError(f"the laser has no {name!r}")

    def photons(self, start_s: float, end_s: float) -> float:
        """Photons at the sample between two cell times, with the settings as they are now."""
        shines = self._settings.emission and self._settings.interlock
        return self.full_photons_s() * (end_s - start_s) if shines else 0.0

    def full_photons_s(self) -> float:
        """Photons per second with laser switched on and interlock closed."""
        return self._power_share * 1e-3 * self._settings.power_mw / (self.energy_kev * KEV_J)

    def status(self, time_s: float) -> dict[str, Any]:
        """What the laser shows."""
        return {**asdict(self._settings), "wavelength_nm": self.wavelength_nm}

    def to_state(self) -> dict[str, Any]:
        """What `restore` needs, JSON-able."""
        return asdict(self._settings)

    def restore(self, state: dict[str, Any]) -> None:
        """Go on with the settings as they were."""
        self._settings = LaserSettings(**state)
