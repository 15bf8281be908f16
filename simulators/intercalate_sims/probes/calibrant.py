"""Powders that calibrate the geometry, with intensities of their own structures.

Lattice parameters at 22.5 C: NIST SRM 660c (LaB6) and SRM 640e (Si). Boron sits at (x, 1/2, 1/2) with
x = 0.1991, as in the SRM 660 certificates; displacement parameters are those usual at room temperature.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from intercalate_sims.probes import scattering
from intercalate_sims.probes.powder import Lines

_ANGSTROM_PER_UM = 1e4

_BORON_X = 0.1991
_LAB6 = (
    ("La", ((0.0, 0.0, 0.0),), 0.4),
    (
        "B",
        tuple(
            tuple(sign * _BORON_X if axis == along else 0.5 for axis in range(3))
            for along in range(3)
            for sign in (1, -1)
        ),
        0.3,
    ),
)
_FACES = ((0.0, 0.0, 0.0), (0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (0.5, 0.5, 0.0))
_SILICON = (
    (
        "Si",
        tuple(
            tuple(f + shift for f in face) for face in _FACES for shift in (0.0, 0.25)
        ),
        0.5,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Calibrant:
    """A cubic powder.

    Attributes
    ----------
    sites
        Element, positions in the cell, and isotropic B in A^2.
    thickness_um
        Of solid material in the beam.
    """

    name: str
    a_angstrom: float
    sites: tuple[tuple[str, tuple[tuple[float, ...], ...], float], ...]
    thickness_um: float

    def structure_factor_squared(self, hkl: Sequence[int]) -> float:
        """|F|^2 per cell in electrons squared."""
        inverse_d = np.array(np.sqrt(sum(index**2 for index in hkl)) / self.a_angstrom)
        amplitude = 0j
        for element, positions, b_angstrom2 in self.sites:
            damped = scattering.form_factor(element, inverse_d) * np.exp(-b_angstrom2 * inverse_d**2 / 4)
            amplitude += damped * sum(np.exp(2j * np.pi * np.dot(hkl, position)) for position in positions)
        return float(abs(amplitude) ** 2)

    def lines(self, wavelength_angstrom: float, smallest_d_angstrom: float = 0.8) -> Lines:
        """Every line down to a spacing; |F|^2 is summed over all hkl of one spacing."""
        by_norm: dict[int, float] = {}
        limit = int(self.a_angstrom / smallest_d_angstrom)
        for hkl in itertools.product(range(-limit, limit + 1), repeat=3):
            norm = sum(index**2 for index in hkl)
            if 0 < norm <= (self.a_angstrom / smallest_d_angstrom) ** 2:
                by_norm[norm] = by_norm.get(norm, 0.0) + self.structure_factor_squared(hkl)
        strongest = max(by_norm.values())
        seen = {norm: total for norm, total in by_norm.items() if total > 1e-6 * strongest}
        inverse_d = np.sqrt(np.array(list(seen))) / self.a_angstrom
        cells = self.thickness_um * _ANGSTROM_PER_UM / self.a_angstrom**3
        fraction = scattering.cone_fraction(
            np.array(list(seen.values())), 1.0, self.a_angstrom**3, cells, inverse_d, wavelength_angstrom
        )
        return Lines(self.name, inverse_d, fraction, np.zeros(inverse_d.shape))


CALIBRANTS = {
    "LaB6": Calibrant("LaB6", 4.156826, _LAB6, thickness_um=20.0),
    "Si": Calibrant("Si", 5.431179, _SILICON, thickness_um=80.0),
}
