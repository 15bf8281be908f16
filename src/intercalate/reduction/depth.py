"""What of a coating is seen in reflection, and what that says of the lithium next to its collector.

The beam falls on the collector's side at a small angle. Each line of a pattern is an integral over the depth
z of the coating, weighted with exp(-mu z (1 / sin alpha + 1 / sin beta)): alpha is the angle of incidence,
beta that of the way out, which follows from 2theta and azimuth. No profile is inverted: of the weights only
the share of the part next to the collector is used (`front_share`), and what is behind it follows from the
charge.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from intercalate.materials.crystals import crystal, powder_lines
from intercalate.reduction.conversion import ABSENT_SIGMA, POOR, RELATIVE_SIGMA, RICH
from intercalate.reduction.results import UNDETERMINED, Estimate, PawleyResult

LINE = "301"
"""Of each phase, by which shares are reckoned in reflection: of those that stand alone the one of the highest
angle, whose rays leave the sample most steeply."""

FRONT = 1 / 3
"""Part of a coating's thickness that counts as next to its collector."""

WEDGE_DEG = (0.0, 25.0)
"""Azimuths from straight up that are integrated: nearer to the horizon the way out is long."""

VEGARD_SIGMA = 0.05
"""Relative, of how far a phase is from its end by the lattice: Vegard's law holds for LFP to a few percent
of x (Yamada et al., Nat. Mater. 5 (2006) 357: R)."""

_AZIMUTHS = np.radians(np.linspace(*WEDGE_DEG, 19))


@dataclass(frozen=True)
class Coating:
    """A coating below its collector, as far as the loss of the beam counts.

    Attributes
    ----------
    thickness_um, per_um
        Of the coating, and its linear attenuation coefficient in 1/um.
    cover
        Optical depth of window and collector, normal to them.
    collector_um
        Between the face that reflects and the coating.
    per_um_sigma
        Relative: mass per volume, what fills the pores, and tables.
    incidence_sigma_deg
        Of the zero of the axis.
    """

    thickness_um: float
    per_um: float
    cover: float
    collector_um: float
    per_um_sigma: float = 0.06
    incidence_sigma_deg: float = 0.03


@dataclass(frozen=True)
class Seen:
    """How a line sees a coating.

    Attributes
    ----------
    effective_um
        Thickness of a coating without losses that would give as much intensity, per way of the beam.
    mean_depth_um
        Below the collector, weighted as the line is.
    front_share
        Of the weights, within `FRONT` of the thickness.
    """

    effective_um: float
    mean_depth_um: float
    front_share: float


def seen(coating: Coating, incidence_deg: float, two_theta_deg: float) -> Seen:
    """Weights by depth of a line at 2theta, averaged over the azimuths that are integrated.

    Raises
    ------
    ValueError
        If no ray of the line leaves the sample.
    """
    angle, two_theta = math.radians(incidence_deg), math.radians(two_theta_deg)
    leaving = math.sin(two_theta) * np.cos(_AZIMUTHS) * math.cos(angle) - math.cos(two_theta) * math.sin(
        angle
    )
    ways = 1 / math.sin(angle) + 1 / leaving[leaving > 0]
    if not ways.size:
        raise ValueError(
            f"at an incidence of {incidence_deg:g} deg no ray at 2theta = {two_theta_deg:.3g} deg leaves the "
            "sample; take a smaller angle"
        )
    rate, t = coating.per_um * ways, coating.thickness_um
    covered, whole = np.exp(-coating.cover * ways), -np.expm1(-rate * t)
    amount = covered * whole / rate
    depth = 1 / rate - t * np.exp(-rate * t) / whole
    front = -np.expm1(-rate * FRONT * t) / whole
    weight = amount / amount.sum()
    return Seen(float(amount.sum() / _AZIMUTHS.size), float(weight @ depth), float(weight @ front))


def front_share(coating: Coating, incidence_deg: float, two_theta_deg: float) -> Estimate:
    """Share of the weights of a line that is next to the collector, with the error of what is stated."""
    value = seen(coating, incidence_deg, two_theta_deg).front_share
    denser = replace(coating, per_um=coating.per_um * (1 + coating.per_um_sigma))
    errors = (
        seen(denser, incidence_deg, two_theta_deg).front_share - value,
        seen(coating, incidence_deg + coating.incidence_sigma_deg, two_theta_deg).front_share - value,
    )
    return Estimate(value, 0.0, math.hypot(*errors))


def _strength(phase: str) -> float:
    lines = powder_lines(crystal(phase), 1.0 if phase == RICH else 0.0, least_d_angstrom=2.0)
    wanted = tuple(int(index) for index in LINE)
    (row,) = np.flatnonzero(np.all(lines.hkl == wanted, axis=1))
    return float(lines.strength[row])


@dataclass(frozen=True)
class Reflecting:
    """Shares and lithium contents by the lines of one angle of incidence, from the results of fits."""

    coating: Coating
    incidence_deg: float

    def _two_theta_deg(self, result: PawleyResult, phase: str, wavelength_angstrom: float) -> float:
        lengths = np.array([result.parameters[f"{phase}.{name}"].value for name in "abc"])
        inverse_d = math.sqrt(sum((int(index) / at) ** 2 for index, at in zip(LINE, lengths)))
        return 2 * math.degrees(math.asin(wavelength_angstrom * inverse_d / 2))

    def _amount(self, result: PawleyResult, phase: str, wavelength_angstrom: float) -> tuple[float, float]:
        """Formula units that are seen, and their error, both to a common factor."""
        intensity, sigma = result.intensities[f"{phase} {LINE}"]
        two_theta_deg = self._two_theta_deg(result, phase, wavelength_angstrom)
        volume = math.prod(result.parameters[f"{phase}.{name}"].value for name in "abc")
        theta = math.radians(two_theta_deg / 2)
        geometry = math.sin(theta) * math.sin(2 * theta) * volume / _strength(phase)
        scale = geometry / seen(self.coating, self.incidence_deg, two_theta_deg).effective_um
        return intensity * scale, sigma * scale

    def rich_fraction(self, result: PawleyResult, wavelength_angstrom: float) -> Estimate:
        """Share of the iron in the lithium-rich phase, as it is weighted; as `lithium_rich_fraction`."""
        if not result.converged or not {RICH, POOR} <= result.present.keys():
            return UNDETERMINED
        rich, poor = result.present[RICH], result.present[POOR]
        if not (rich and poor):
            return Estimate(float(rich), 0.0, ABSENT_SIGMA) if rich or poor else UNDETERMINED
        (more, more_sigma), (less, less_sigma) = (
            self._amount(result, phase, wavelength_angstrom) for phase in (RICH, POOR)
        )
        if not all(math.isfinite(one) and one > 0 for one in (more, less, more_sigma, less_sigma)):
            return UNDETERMINED
        fraction = more / (more + less)
        by_ratio = fraction * (1 - fraction)
        relative = math.hypot(more_sigma / more, less_sigma / less)
        return Estimate(fraction, by_ratio * relative, by_ratio * RELATIVE_SIGMA)

    def lithium(self, result: PawleyResult, wavelength_angstrom: float) -> Estimate:
        """Lithium content as it is weighted: of both phases by Vegard's law, with their shares."""
        fraction = self.rich_fraction(result, wavelength_angstrom)
        contents = {phase: _content(result, phase) for phase in (RICH, POOR)}
        if not math.isfinite(fraction.value):
            return UNDETERMINED
        f, rich, poor = fraction.value, contents[RICH], contents[POOR]
        # Of a phase that is absent nothing counts.
        rich, poor = (rich if f > 0 else poor), (poor if f < 1 else rich)
        # As much of one that was not found would be of the other end.
        difference = rich.value - poor.value if 0 < f < 1 else 1.0
        return Estimate(
            f * rich.value + (1 - f) * poor.value,
            math.hypot(fraction.sigma_stat * difference, f * rich.sigma_stat, (1 - f) * poor.sigma_stat),
            math.hypot(fraction.sigma_sys * difference, f * rich.sigma_sys, (1 - f) * poor.sigma_sys),
        )

    def share_in_front(self, result: PawleyResult, wavelength_angstrom: float) -> Estimate:
        """Of the weights, next to the collector."""
        for phase in (RICH, POOR):
            if result.converged and result.present.get(phase, False):
                at_deg = self._two_theta_deg(result, phase, wavelength_angstrom)
                return front_share(self.coating, self.incidence_deg, at_deg)
        return UNDETERMINED


def _content(result: PawleyResult, phase: str) -> Estimate:
    """Lithium content of a phase by its axis a."""
    empty, full = (float(crystal(key).lengths_at(x)[0]) for key, x in ((POOR, 0.0), (RICH, 1.0)))
    a = result.parameters[f"{phase}.a"]
    value = (a.value - empty) / (full - empty)
    off = VEGARD_SIGMA * min(abs(value), abs(1 - value))
    return Estimate(value, a.sigma_stat / (full - empty), math.hypot(a.sigma_sys / (full - empty), off))
