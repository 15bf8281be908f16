"""The powder pattern as a function of its parameters, with analytic derivatives."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.polynomial import chebyshev

from intercalate.reduction.integration import Pattern
from intercalate.reduction.phases import FitPhase
from intercalate.reduction.profiles import ProfileMatrix, windowed_pseudo_voigt
from intercalate.reduction.separable import LineGeometry

_SMALLEST_GAUSSIAN_DEG2 = 1e-5
STRAIN_UNIT = 1e-6
"""Strain variances are refined in units of 1e-6, so that all parameters are of moderate size."""

_REACH_DEG = 0.9
_REACH_WIDTHS = 16.0
"""A line ends at the greater of both from its centre, where its tail is 1e-3 of its height or less."""


class PowderModel:
    """Lines of several phases over a background, for one pattern.

    Nonlinear parameters, in this order: `displacement_um` where a standard is present, `W` and `U` of the
    instrument's Gaussian width (W + U tan^2 theta, deg^2), then for each phase its refined lattice
    parameters, their strain variances, the width of an added Gaussian (deg^2), and `Y`, the Lorentzian
    width (deg). Linear ones: an intensity per line, then the background's Chebyshev coefficients.

    The angles that scale the widths are those of the lattice the model is built with.
    """

    def __init__(self, pattern: Pattern, phases: Sequence[FitPhase], background_terms: int) -> None:
        self.x = pattern.two_theta_deg
        self.wavelength = pattern.wavelength_angstrom
        self.second_line = pattern.second_line
        self.distance_um = None if pattern.distance_mm is None else pattern.distance_mm * 1e3
        self.phases = tuple(phases)
        self.names: list[str] = []
        self.low: list[float] = []
        self.high: list[float] = []
        self.start: list[float] = []
        has_standard = any(phase.standard_sigma is not None for phase in phases)
        self.refines_displacement = has_standard and self.distance_um is not None
        if self.refines_displacement:
            self._add("displacement_um", 0.0, -2000.0, 2000.0)
        self._add("W", 0.0016, 1e-5, 0.25)
        self._add("U", 0.0, -0.05, 0.25)
        self._slices: list[dict[str, slice]] = [self._add_phase(phase) for phase in self.phases]
        self._rows = self._row_slices()
        self.reflection_phase = np.repeat(
            np.arange(len(self.phases)), [len(p.reflections) for p in self.phases]
        )
        self._set_width_scales()
        span = (self.x - self.x[0]) / (self.x[-1] - self.x[0]) * 2 - 1
        self.background = chebyshev.chebvander(span, background_terms - 1)

    def _add(self, name: str, start: float, low: float, high: float) -> None:
        self.names.append(name)
        self.start.append(start)
        self.low.append(low)
        self.high.append(high)

    def _add_phase(self, phase: FitPhase) -> dict[str, slice]:
        def block(entries: Sequence[tuple[str, float, float, float]]) -> slice:
            first = len(self.names)
            for name, start, low, high in entries:
                self._add(f"{phase.name}.{name}", start, low, high)
            return slice(first, len(self.names))

        lattice = zip(phase.parameters, phase.start, phase.low, phase.high)
        strains = [(f"strain_{name}", 4.0, 0.0, 2000.0) for name in phase.parameters]
        broad = [("broad", phase.broad_deg**2, 0.0, 1.0)]
        return {
            "lattice": block([] if phase.fixed else list(lattice)),
            "strain": block(strains if phase.strained else []),
            "broad": block(broad if phase.broad_deg > 0 else []),
            "lorentzian": block([("Y", 0.008, 0.0, 0.6)]),
        }

    def _row_slices(self) -> list[slice]:
        ends = np.cumsum([0, *(len(phase.reflections) for phase in self.phases)])
        return [slice(int(first), int(last)) for first, last in pairwise(ends)]

    def rows(self, phase_index: int) -> slice:
        """Reflections of one phase among all."""
        return self._rows[phase_index]

    def lattice_slice(self, phase_index: int) -> slice:
        """Refined lattice parameters of one phase among all parameters."""
        return self._slices[phase_index]["lattice"]

    def parameter_slice(self, phase_index: int) -> slice:
        """All parameters of one phase."""
        own = self._slices[phase_index]
        return slice(own["lattice"].start, own["lorentzian"].stop)

    def lattice(self, phase_index: int, parameters: np.ndarray) -> np.ndarray:
        """Lattice parameters of one phase in A, refined or held."""
        phase = self.phases[phase_index]
        if phase.fixed:
            return np.array(phase.start)
        return parameters[self.lattice_slice(phase_index)]

    def _bragg(self, inverse_d_squared: np.ndarray) -> np.ndarray:
        """2theta in radians; lines beyond reach are put at 180 degrees."""
        return 2 * np.arcsin(np.clip(self.wavelength / 2 * np.sqrt(inverse_d_squared), 0.0, 1.0))

    def _set_width_scales(self) -> None:
        start = np.array(self.start)
        tan, shares = [], []
        for index, phase in enumerate(self.phases):
            lattice = self.lattice(index, start)
            squared = phase.inverse_d_squared(lattice)
            tan.append(np.tan(np.minimum(self._bragg(squared), 3.0) / 2))
            shares.append(phase.coefficients / lattice**2 / squared[:, None])
        self._tan_theta = np.concatenate(tan)
        self._shares = shares

    def strain_slice(self, phase_index: int) -> slice:
        """Strain variances of one phase among all parameters; empty where it has none."""
        return self._slices[phase_index]["strain"]

    def share(self, phase_index: int) -> np.ndarray:
        """d ln d / d ln parameter of each reflection of a phase, shape (R of the phase, parameters)."""
        return self._shares[phase_index]

    def shift_by_depth(self, parameters: np.ndarray) -> np.ndarray:
        """Degrees of 2theta per um downstream, shape (R,); zeros where the geometry is not flat."""
        if self.distance_um is None:
            return np.zeros(self.reflection_phase.size)
        angle = np.concatenate(
            [
                self._bragg(phase.inverse_d_squared(self.lattice(index, parameters)))
                for index, phase in enumerate(self.phases)
            ]
        )
        return np.degrees(-np.sin(angle) * np.cos(angle) / self.distance_um)

    def geometry(self, parameters: np.ndarray) -> LineGeometry:
        """Positions and widths of all lines, and their derivatives."""
        count, size = self.reflection_phase.size, len(self.names)
        centre = np.empty(count)
        centre_by = np.zeros((count, size))
        gaussian_squared = np.empty(count)
        squared_by = np.zeros((count, size))
        lorentzian = np.empty(count)
        lorentzian_by = np.zeros((count, size))
        w, u = self.names.index("W"), self.names.index("U")
        tan2 = self._tan_theta**2
        gaussian_squared[:] = parameters[w] + parameters[u] * tan2
        squared_by[:, w], squared_by[:, u] = 1.0, tan2
        displacement = parameters[0] if self.refines_displacement else 0.0
        for index, phase in enumerate(self.phases):
            rows, own = self._rows[index], self._slices[index]
            lattice = self.lattice(index, parameters)
            squared = phase.inverse_d_squared(lattice)
            bragg = self._bragg(squared)
            seen, by_bragg, by_depth = self._displaced(bragg, phase.depth_um + displacement)
            centre[rows] = np.degrees(seen)
            if self.refines_displacement:
                centre_by[rows, 0] = np.degrees(by_depth)
            if own["lattice"].stop > own["lattice"].start:
                by_squared = np.tan(bragg / 2) / squared
                squared_by_lattice = -2 * phase.coefficients / lattice**3
                centre_by[rows, own["lattice"]] = np.degrees(
                    (by_bragg * by_squared)[:, None] * squared_by_lattice
                )
            if phase.strained:
                scale = (2 * np.degrees(1.0) * self._tan_theta[rows]) ** 2 * STRAIN_UNIT
                by_strain = scale[:, None] * self._shares[index] ** 2
                gaussian_squared[rows] += by_strain @ parameters[own["strain"]]
                squared_by[rows, own["strain"]] = by_strain
            if phase.broad_deg > 0:
                gaussian_squared[rows] += parameters[own["broad"]]
                squared_by[rows, own["broad"]] = 1.0
            lorentzian[rows] = parameters[own["lorentzian"]]
            lorentzian_by[rows, own["lorentzian"]] = 1.0
        narrow = gaussian_squared < _SMALLEST_GAUSSIAN_DEG2
        gaussian = np.sqrt(np.where(narrow, _SMALLEST_GAUSSIAN_DEG2, gaussian_squared))
        gaussian_by = np.where(narrow[:, None], 0.0, squared_by / (2 * gaussian[:, None]))
        return LineGeometry(centre, gaussian, lorentzian, centre_by, gaussian_by, lorentzian_by)

    def _displaced(
        self, bragg: np.ndarray, downstream_um: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Angle seen about the nominal sample place, and its derivatives by Bragg angle and depth."""
        if self.distance_um is None:
            return bragg, np.ones_like(bragg), np.zeros_like(bragg)
        scale = 1 - downstream_um / self.distance_um
        tangent = np.tan(bragg)
        seen = np.arctan(scale * tangent)
        denominator = 1 + (scale * tangent) ** 2
        return seen, scale * (1 + tangent**2) / denominator, -tangent / self.distance_um / denominator

    def profiles(self, geometry: LineGeometry) -> ProfileMatrix:
        """Profiles of all lines at the points of the pattern, shape (points, R)."""
        first = self._profiles_at(geometry.centre, geometry)
        if self.second_line is None:
            return first
        ratio, share = self.second_line.wavelength_angstrom / self.wavelength, self.second_line.share
        half = np.radians(geometry.centre) / 2
        # A line that the second wavelength cannot reach has no place in any pattern.
        sine = np.minimum(ratio * np.sin(half), 1 - 1e-9)
        second = self._profiles_at(np.degrees(2 * np.arcsin(sine)), geometry)
        by_first = ratio * np.cos(half) / np.sqrt(1 - sine**2)
        return ProfileMatrix(
            (1 - share) * first.value + share * second.value,
            (1 - share) * first.by_centre + share * second.by_centre * by_first,
            (1 - share) * first.by_gaussian + share * second.by_gaussian,
            (1 - share) * first.by_lorentzian + share * second.by_lorentzian,
        )

    def _profiles_at(self, centre: np.ndarray, geometry: LineGeometry) -> ProfileMatrix:
        return windowed_pseudo_voigt(
            self.x,
            centre,
            geometry.gaussian,
            geometry.lorentzian,
            least_reach=_REACH_DEG,
            reach_widths=_REACH_WIDTHS,
        )
