"""What scatters without lines: liquid, polymer windows, the air of the flight path, Compton scattering."""

from dataclasses import dataclass

import numpy as np

_HALOS = (
    ("electrolyte", 6.9, 1.9, 4.2e-4),
    ("electrolyte", 12.5, 3.0, 1.3e-4),
    ("window", 5.7, 1.3, 3.0e-4),
    ("window", 3.0, 1.5, 4.0e-4),
    ("air", 0.0, 7.0, 1.6e-3),
)
"""Part, centre and standard deviation in degrees of 2theta, scattered fraction per sr at the centre.

The air of the flight path, about 40 mg/cm2, weighs as much as all polymers of a cell together.
"""

_COMPTON_PER_SR = 1.6e-3
"""Of a full cell."""


REFERENCE_WAVELENGTH_ANGSTROM = 0.495937
"""25 keV, at which the angles of the halos and all transmissions are given."""


@dataclass(frozen=True)
class Halos:
    """Amounts of what scatters without lines.

    Attributes
    ----------
    electrolyte_um, window_um, air_mm
        In the path of the beam.
    compton
        Of a full cell's Compton scattering.
    """

    electrolyte_um: float = 0.0
    window_um: float = 0.0
    air_mm: float = 300.0
    compton: float = 0.1

    def per_sr(self, two_theta_deg: np.ndarray) -> np.ndarray:
        """Scattered fraction per sr at these angles."""
        scale = {
            "electrolyte": self.electrolyte_um / 60,
            "window": self.window_um / 125,
            "air": self.air_mm / 300,
        }
        found = np.full(two_theta_deg.shape, self.compton * _COMPTON_PER_SR)
        for part, centre, sigma, strength in _HALOS:
            found += scale[part] * strength * np.exp(-(((two_theta_deg - centre) / sigma) ** 2) / 2)
        return found
