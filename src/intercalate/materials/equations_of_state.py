"""Equations of state: pressure by the volume of a unit cell, and markers by which pressure is measured."""

from dataclasses import dataclass, replace

import numpy as np

from intercalate.materials.crystals import crystal
from intercalate.materials.model import Mark, Source

LEAST_VOLUME = 0.5
"""Of the volume at no pressure: an equation of state is not asked for less."""


@dataclass(frozen=True, slots=True)
class EquationOfState:
    """Of third order, after F. Birch, Phys. Rev. 71 (1947) 809 (Murnaghan's finite strain), at 25 degC.

    P = 3/2 K (x^7 - x^5) (1 + 3/4 (K' - 4) (x^2 - 1)) with x = (V0 / V)^(1/3).

    Attributes
    ----------
    volume_angstrom3
        Of the cell at no pressure.
    bulk_modulus_gpa, slope
        K and K' there.
    """

    volume_angstrom3: float
    bulk_modulus_gpa: float
    slope: float

    def pressure_gpa(self, volume_angstrom3: np.ndarray | float) -> np.ndarray:
        """Pressure at which the cell has this volume; below 0 where it is stretched."""
        x = np.cbrt(self.volume_angstrom3 / np.asarray(volume_angstrom3, float))
        return np.asarray(
            1.5 * self.bulk_modulus_gpa * (x**7 - x**5) * (1 + 0.75 * (self.slope - 4.0) * (x**2 - 1))
        )

    def modulus_gpa(self, volume_angstrom3: np.ndarray | float) -> np.ndarray:
        """K = -V dP/dV at this volume."""
        x = np.cbrt(self.volume_angstrom3 / np.asarray(volume_angstrom3, float))
        bend = 0.75 * (self.slope - 4.0)
        plain = (7 * x**7 - 5 * x**5) * (1 + bend * (x**2 - 1))
        return np.asarray(0.5 * self.bulk_modulus_gpa * (plain + 2 * bend * x**2 * (x**7 - x**5)))

    def volume_at(self, pressure_gpa: float) -> float:
        """Volume of the cell in A^3 at a pressure.

        Raises
        ------
        ValueError
            If the equation has no volume for it: the pressure is far below 0, or beyond half the volume.
        """
        from scipy.optimize import brentq

        low, high = LEAST_VOLUME * self.volume_angstrom3, 1.1 * self.volume_angstrom3
        try:
            found = brentq(lambda volume: float(self.pressure_gpa(volume)) - pressure_gpa, low, high)
        except ValueError:
            raise ValueError(f"no volume belongs to {pressure_gpa:g} GPa") from None
        return float(found)  # pyright: ignore[reportArgumentType]


@dataclass(frozen=True, slots=True)
class Marker:
    """A cubic crystal in whose lines the pressure is read.

    Attributes
    ----------
    phase
        Key of `materials.crystals`.
    bulk_modulus_sigma_gpa, slope_sigma
        Standard uncertainties of the scale.
    """

    phase: str
    law: EquationOfState
    bulk_modulus_sigma_gpa: float
    slope_sigma: float
    source: Source
    sigma_source: Source

    def variations(self) -> tuple[EquationOfState, EquationOfState]:
        """The law with its modulus, and with its slope, off by one standard uncertainty."""
        return (
            replace(self.law, bulk_modulus_gpa=self.law.bulk_modulus_gpa + self.bulk_modulus_sigma_gpa),
            replace(self.law, slope=self.law.slope + self.slope_sigma),
        )


MARKERS = {
    "Au": Marker(
        "Au",
        EquationOfState(float(crystal("Au").volume_at(0.0)), 167.0, 5.77),
        bulk_modulus_sigma_gpa=1.5,
        slope_sigma=0.15,
        source=Source("Y. Fei et al., Proc. Natl. Acad. Sci. 104 (2007) 9182", Mark.VERIFIED),
        sigma_source=Source(
            "spread of this scale, that of Heinz and Jeanloz, J. Appl. Phys. 55 (1984) 885, and that of "
            "Anderson et al., J. Appl. Phys. 65 (1989) 1534",
            Mark.ILLUSTRATION,
        ),
    )
}
"""By the key of the crystal."""
