"""What a fit is asked and what it answers: options, declared systematic errors, estimates."""

from dataclasses import dataclass, field

import numpy as np

CONVERGED = "converged"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its two standard uncertainties; all NaN where it could not be determined."""

    value: float
    sigma_stat: float
    sigma_sys: float

    @property
    def sigma(self) -> float:
        """Both uncertainties in quadrature."""
        return float(np.hypot(self.sigma_stat, self.sigma_sys))


UNDETERMINED = Estimate(float("nan"), float("nan"), float("nan"))


@dataclass(frozen=True)
class LineShifts:
    """Independent standard shifts of all lines together, as functions of the angle.

    Attributes
    ----------
    two_theta_deg
        Ascending, shape (n,).
    modes_deg
        Shape (modes, n).
    """

    two_theta_deg: np.ndarray
    modes_deg: np.ndarray

    def at(self, two_theta_deg: np.ndarray) -> list[np.ndarray]:
        """Each of the shifts at these angles."""
        return [np.interp(two_theta_deg, self.two_theta_deg, mode) for mode in self.modes_deg]


@dataclass(frozen=True, slots=True)
class Systematics:
    """Standard uncertainties that counting does not show.

    Each is turned into a shift of lines, and by the linear response of the fit into one of every
    parameter; the shifts add in quadrature. To them comes what the misfit itself shows, by the
    custom of powder diffraction: sigma_stat sqrt(chi2_red - 1) where the reduced chi squared exceeds
    1 (after J.-F. Berar and P. Lelann, J. Appl. Cryst. 24 (1991) 1), which grows where a weak line
    lies on the flank of a strong one.

    Attributes
    ----------
    profile_fraction
        Centre of a fitted, symmetric profile against the centroid of the true one, in full widths at
        half maximum: one common shift for all lines of a phase, independent between phases.
    distribution_fraction
        Fitted mean of a lattice parameter that varies over the material against its mean over the
        material, in full widths of that variation (from the refined strain). A distribution of
        skewness s shifts the best symmetric profile by about s sigma / 6; 0.02 of a full width
        belongs to s = 0.3. Weighting by intensity is of that order too.
    geometry
        Of a calibration, by its covariance; None takes `zero_deg` and `wavelength` instead.
    zero_deg
        Common shift of all lines: centre of the rings.
    wavelength
        Relative.
    displacement_um
        Of the cell along the beam; counts only where no standard lets it be refined.
    temperature_k
        Of the foils, by which standards expand.
    """

    profile_fraction: float = 0.005
    distribution_fraction: float = 0.02
    geometry: LineShifts | None = None
    zero_deg: float = 2e-4
    wavelength: float = 2e-5
    displacement_um: float = 100.0
    temperature_k: float = 2.0


@dataclass(frozen=True, slots=True)
class FitOptions:
    """How to fit.

    Attributes
    ----------
    range_deg
        Part of the pattern, in 2theta.
    background_terms
        Chebyshev polynomials.
    temperature_c
        Of the standards.
    detection_sigma
        A refined phase whose strongest line is weaker than this many sigma counts as absent.
    max_iterations
        After which the fit has failed.
    max_weighted_residual
        A fit whose R_wp is larger has failed, wherever it converged to.
    max_unexplained
        Part of the weighted squares of the lines, without their background, that a fit may leave unexplained
        beyond what counting does: over a high background `max_weighted_residual` says nothing of lines.
    moves
        Relative changes of the lattice of each phase, from the last pattern to the next, that are tried
        besides none: of a sample that is compressed in steps.
    tolerance
        Converged when every lattice parameter moves by less than this part of its `sigma_stat`.
    """

    range_deg: tuple[float, float] = (4.5, 25.0)
    background_terms: int = 12
    temperature_c: float = 25.0
    detection_sigma: float = 8.0
    max_iterations: int = 40
    max_weighted_residual: float = 0.2
    max_unexplained: float = float("inf")
    moves: tuple[float, ...] = ()
    tolerance: float = 0.05
    systematics: Systematics = field(default_factory=Systematics)


@dataclass(frozen=True)
class PawleyResult:
    """What a fit found.

    Attributes
    ----------
    parameters
        By name: `NMC811.a`, `NMC811.c`, `graphite.d` ... in A; `displacement_um`; widths.
        Parameters of absent phases, and those that ended at a bound, are NaN.
    intensities
        Integrated intensity of every line, by `phase line`, with its counting error (deg x counts).
    present
        Which phases were found.
    reduced_chi2
        Against counting errors alone; well above 1 where counting is better than the profile.
    weighted_residual
        R_wp: weighted residual over weighted pattern, a few percent for a good fit.
    converged, message
        Whether to trust this at all, and what happened.
    calculated
        Fitted pattern on the points that were fitted.
    vector
        Nonlinear parameters by name, from which the next frame may start.
    """

    parameters: dict[str, Estimate]
    intensities: dict[str, tuple[float, float]]
    present: dict[str, bool]
    reduced_chi2: float
    weighted_residual: float
    converged: bool
    message: str
    iterations: int
    calculated: np.ndarray
    vector: dict[str, float]
