"""Lines of crystals of known structures, lines of what else is in the beam, background: columns of a fit."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.polynomial import chebyshev
from numpy.polynomial.hermite_e import hermegauss

from intercalate.materials.crystals import crystal, powder_lines
from intercalate.reduction.integration import Pattern
from intercalate.reduction.phases import FitPhase
from intercalate.reduction.profiles import total_width, windowed_pseudo_voigt

RANGE_DEG = (4.5, 16.0)
BACKGROUND_TERMS = 10
LEAST_D_ANGSTROM = 1.6
"""Spacing down to which lines are reckoned: they reach into the range."""
FOIL_REACH_DEG = 0.15
"""To either side of a line of a metal, left out: three full widths of a line of the instrument."""
_SIZES = 5
"""Widths that stand for those of all sizes of a crystal that grows."""
_SCALE = 1e-5
"""Brings the scale of a phase to that of the intensity of other lines."""


@dataclass(frozen=True)
class KnownCrystal:
    """A crystal whose amount is sought.

    Attributes
    ----------
    key
        In the table of crystals.
    atoms
        In a cell, of the element by which it is counted.
    debye_waller, debye_waller_sigma
        B in A^2, and its standard uncertainty.
    depth_um
        Downstream of the reference plane of the cell.
    """

    key: str
    atoms: float
    debye_waller: float
    debye_waller_sigma: float
    depth_um: float = 0.0


@dataclass(frozen=True)
class Shape:
    """What is common to all patterns of a series: displacement, and full widths in degrees of 2theta.

    What grows in the cell is fine, and its crystals are not of one size: sizes of what nucleates and grows
    are log-normal as a rule (R. B. Bergmann and A. Bill, J. Cryst. Growth 310 (2008) 3135), as are widths.
    Their lines together have a narrower top and longer ends than those of any one size (N. C. Popa and
    D. Balzar, J. Appl. Cryst. 35 (2002) 338).

    Attributes
    ----------
    gaussian, lorentzian
        Of the instrument and the first crystal.
    separator
        Gaussian, of what is broad besides the crystals.
    grown, grown_spread
        Median of the Gaussians that other crystals add, and standard deviation of their logarithms.
    """

    displacement_um: float
    gaussian: float
    lorentzian: float
    separator: float
    grown: float
    grown_spread: float

    def vector(self) -> np.ndarray:
        """As the fit has it."""
        widths = (self.gaussian, self.lorentzian, self.separator, self.grown, self.grown_spread)
        return np.array([self.displacement_um / 100.0, *np.log(widths)])

    def with_part(self, part: slice, other: "Shape") -> "Shape":
        """The same with some of its vector as another has it."""
        whole = self.vector()
        whole[part] = other.vector()[part]
        return Shape.of(whole)

    def width_of(self, number: int) -> float:
        """Full width of a line of a crystal by its number; of one that has grown, of the median size."""
        gaussian = self.gaussian if number == 0 else float(np.hypot(self.gaussian, self.grown))
        return total_width(np.array([gaussian]), np.array([self.lorentzian]))[0].item()

    def sizes_of(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Share and Gaussian of each size of a crystal by its number, both of shape (sizes,)."""
        if number == 0:
            return np.ones(1), np.array([self.gaussian])
        at, weight = hermegauss(_SIZES)
        broader = np.hypot(self.gaussian, self.grown * np.exp(self.grown_spread * at))
        return weight / weight.sum(), broader

    @classmethod
    def of(cls, vector: np.ndarray) -> "Shape":
        """The other way."""
        return cls(100.0 * float(vector[0]), *(float(one) for one in np.exp(vector[1:])))


START = Shape(0.0, 0.045, 0.01, 0.2, 0.12, 0.3)
LOW, HIGH = (
    Shape(*ends) for ends in ((-800.0, 0.01, 1e-4, 0.05, 0.02, 0.05), (800.0, 0.2, 0.1, 0.6, 0.8, 1.0))
)
COMMON, GROWN = slice(0, 4), slice(4, 6)


class CrystalModel:
    """Columns of the linear fit of one pattern.

    Points at lines of metals are left out. These lines are sharp and strong, of few grains and of a texture,
    so that their profile is nobody's; what is left of them would move the amounts of crystals beside them,
    and a few per cent of the points are all that it costs.

    Attributes
    ----------
    part
        What is fitted of the pattern.
    """

    def __init__(self, pattern: Pattern, crystals: Sequence[KnownCrystal], others: Sequence[FitPhase]):
        self._wavelength, self._distance_mm = pattern.wavelength_angstrom, pattern.distance_mm
        self._crystals, self._others = crystals, others
        self.part = self._without_metals(pattern.between(*RANGE_DEG))
        x = self.part.two_theta_deg
        span = (x - RANGE_DEG[0]) / (RANGE_DEG[1] - RANGE_DEG[0]) * 2 - 1
        self._background = chebyshev.chebvander(span, BACKGROUND_TERMS - 1)
        self._sticks = [self._of(one) for one in crystals]

    def _without_metals(self, part: Pattern) -> Pattern:
        x, is_kept = part.two_theta_deg, np.ones(len(part), bool)
        for phase in self._others:
            if not phase.broad_deg > 0:
                at = np.degrees(self._angles(_inverse_d(phase)))
                is_kept &= np.all(np.abs(x[:, None] - at) > FOIL_REACH_DEG, axis=1)
        columns = (x, part.intensity, part.sigma)
        x, intensity, sigma = (one[is_kept] for one in columns)
        return replace(part, two_theta_deg=x, intensity=intensity, sigma=sigma)

    def _angles(self, inverse_d: np.ndarray) -> np.ndarray:
        """2theta in rad."""
        return 2 * np.arcsin(np.minimum(self._wavelength * inverse_d / 2, 0.99))

    def _of(self, one: KnownCrystal) -> tuple[np.ndarray, np.ndarray]:
        """1/d of the lines of a crystal, and their power per solid angle for an atom."""
        inverse_d, strength = _lines_of(one.key)
        two_theta = self._angles(inverse_d)
        power = strength * np.exp(-one.debye_waller * inverse_d**2 / 2)
        power = power / (one.atoms * np.sin(two_theta / 2) * np.sin(two_theta))
        kept = power > 1e-3 * power.max()
        return inverse_d[kept], power[kept] * _SCALE

    def _profiles(
        self, inverse_d: np.ndarray, depth_um: float, shape: Shape, gaussian: np.ndarray
    ) -> np.ndarray:
        angle = self._angles(inverse_d)
        if self._distance_mm is not None:
            scale = 1 - (depth_um + shape.displacement_um) * 1e-3 / self._distance_mm
            angle = np.arctan(scale * np.tan(angle))
        made = windowed_pseudo_voigt(
            self.part.two_theta_deg,
            np.degrees(angle),
            gaussian,
            np.full(gaussian.size, shape.lorentzian),
            least_reach=0.5,
            reach_widths=8.0,
        )
        return made.value

    def columns(self, shape: Shape) -> np.ndarray:
        """Shape (points, crystals + lines of others + background)."""
        columns = []
        for number, (one, (inverse_d, power)) in enumerate(zip(self._crystals, self._sticks)):
            share, gaussian = shape.sizes_of(number)
            every = np.tile(inverse_d, share.size), one.depth_um, shape, np.repeat(gaussian, power.size)
            columns.append(self._profiles(*every) @ np.outer(share, power).reshape(-1, 1))
        for phase in self._others:
            inverse_d = _inverse_d(phase)
            angle = np.degrees(self._angles(inverse_d))
            inside = (angle > RANGE_DEG[0]) & (angle < RANGE_DEG[1])
            gaussian = shape.separator if phase.broad_deg > 0 else shape.gaussian
            widths = np.full(np.count_nonzero(inside), gaussian)
            columns.append(self._profiles(inverse_d[inside], phase.depth_um, shape, widths))
        return np.concatenate([*columns, self._background], axis=1)


@cache
def _lines_of(key: str) -> tuple[np.ndarray, np.ndarray]:
    """1/d of the lines of a crystal, and their strengths in electrons squared per volume."""
    found = crystal(key)
    lines = powder_lines(found, 1.0, least_d_angstrom=LEAST_D_ANGSTROM)
    return 1.0 / lines.d_angstrom, lines.strength / float(found.volume_at(1.0))


def _inverse_d(phase: FitPhase) -> np.ndarray:
    return np.sqrt(phase.inverse_d_squared(np.array(phase.start)))
