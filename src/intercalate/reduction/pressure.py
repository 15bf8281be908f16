"""Samples between diamonds: pressure by the lines of a marker, lattices by pressure, equations of state.

The pressure is that of the marker's equation of state at the marker's cell, and nothing that the actuator
says. What is uncertain in common, as the place of the sample along the beam and the scale of the marker,
moves pressures and volumes together: each such error is carried through everything that is fitted to both
(`variations`), and only then squared.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.optimize import least_squares

from intercalate.materials.crystals import crystal, powder_lines
from intercalate.materials.equations_of_state import EquationOfState, Marker
from intercalate.reduction.phases import FitPhase
from intercalate.reduction.results import UNDETERMINED, Estimate, FitOptions, Systematics

AXES = ("a", "b", "c")
LEAST_D_ANGSTROM = 1.90
"""Of the cell at no pressure: down to 200 of gold, and no further than lines are told apart."""
WEAKEST = 0.008
"""Of the strongest line of the sample: weaker ones are left out."""
DISPLACEMENT_UM = 60.0
"""Standard uncertainty of the sample's place along the beam, from the plane of the calibrant."""
BETWEEN_SIGMA = 0.005
"""Relative, of the pressure at the sample against that at the marker beside it: what a soft medium leaves."""
PROFILE_FRACTION = 0.005
"""Of a full width, by which the lines of one phase may be off together."""
STRETCHED, SQUEEZED = 1.005, 0.90
"""Lengths between which lattices are looked for, over those at no pressure."""
STEPS = tuple(0.002 * number for number in range(-8, 9) if number)
"""Relative changes of all lattices that are tried from one pattern to the next: half a line apart, and as far
as 6 GPa reach."""
MOST_UNEXPLAINED = 0.05
"""Of the weight of the lines: more than a profile a little off leaves, less than misplaced lines do."""
LEAST_POINTS = 6
"""Patterns by which an equation of state with three parameters is fitted."""
MOST_MISFIT = 3.0
"""Of the reduced chi squared of an equation of state, beyond which it says nothing."""


def pressed_phases(material: str, marker: Marker) -> list[FitPhase]:
    """Sample and marker as a fit sees them: all lengths free, whatever the pressure.

    Raises
    ------
    ValueError
        If the sample's axes are not orthogonal, or its structure is not in the tables.
    """
    try:
        phase = crystal(material)
    except KeyError as error:
        raise ValueError(str(error.args[0])) from None
    if phase.group.is_hexagonal:
        raise ValueError(f"{material} has hexagonal axes; patterns of orthogonal ones are fitted")
    lines = powder_lines(phase, 1.0, least_d_angstrom=LEAST_D_ANGSTROM)
    power = lines.strength * lines.d_angstrom**2
    hkl = lines.hkl[power > WEAKEST * power.max()]
    a, b, c = (float(one) for one in phase.lengths_at(1.0))
    gold = powder_lines(crystal(marker.phase), 0.0, least_d_angstrom=LEAST_D_ANGSTROM).hkl
    length = marker.law.volume_angstrom3 ** (1 / 3)
    return [
        FitPhase(
            name=material,
            reflections=tuple("".join(str(index) for index in one) for one in hkl),
            parameters=AXES,
            start=(a, b, c),
            low=(SQUEEZED * a, SQUEEZED * b, SQUEEZED * c),
            high=(STRETCHED * a, STRETCHED * b, STRETCHED * c),
            coefficients=hkl.astype(float) ** 2,
            offset=np.zeros(len(hkl)),
            strained=True,
            depth_sigma_um=0.0,
            least_d_angstrom=LEAST_D_ANGSTROM,
        ),
        FitPhase(
            name=marker.phase,
            reflections=tuple("".join(str(index) for index in one) for one in gold),
            parameters=("a",),
            start=(length,),
            low=(SQUEEZED * length,),
            high=(STRETCHED * length,),
            coefficients=(gold.astype(float) ** 2).sum(axis=1)[:, None],
            offset=np.zeros(len(gold)),
            strained=True,
            depth_sigma_um=0.0,
            least_d_angstrom=LEAST_D_ANGSTROM,
        ),
    ]


def fit_options(options: FitOptions) -> FitOptions:
    """Options of a fit, for a sample that is compressed from one pattern to the next."""
    declared: Systematics = replace(options.systematics, displacement_um=DISPLACEMENT_UM)
    return replace(options, moves=STEPS, max_unexplained=MOST_UNEXPLAINED, systematics=declared)


@dataclass(frozen=True)
class Lengths:
    """What fits gave of a series of patterns; NaN where one could not be fitted.

    Attributes
    ----------
    sample, sample_stat
        a, b and c in A with their counting errors, shape (n, 3).
    marker, marker_stat
        a of the marker in A, shape (n,).
    common
        Relative standard uncertainty of all lengths together: the place of the sample, and the geometry.
    """

    sample: np.ndarray
    sample_stat: np.ndarray
    marker: np.ndarray
    marker_stat: np.ndarray
    common: float


@dataclass(frozen=True)
class Points:
    """Pressures and lengths as they are if a common error is what it is, in the order of the patterns."""

    pressure_gpa: np.ndarray
    pressure_stat_gpa: np.ndarray
    sample: np.ndarray
    sample_stat: np.ndarray

    @property
    def volume(self) -> np.ndarray:
        """Of the cell in A^3."""
        return self.sample.prod(axis=1)

    @property
    def volume_stat(self) -> np.ndarray:
        """Counting error of the volume."""
        return self.volume * np.sqrt(np.sum((self.sample_stat / self.sample) ** 2, axis=1))


def points(
    lengths: Lengths,
    law: EquationOfState,
    *,
    common: float = 0.0,
    marker_alone: float = 0.0,
    between: float = 0.0,
) -> Points:
    """Pressures by the marker and lengths of the sample, under errors that are said."""
    marker = lengths.marker / (1 + common + marker_alone)
    pressure = law.pressure_gpa(marker**3) * (1 + between)
    by_length = 3 * law.modulus_gpa(marker**3) / marker
    return Points(
        pressure, by_length * lengths.marker_stat, lengths.sample / (1 + common), lengths.sample_stat
    )


PROFILE_SHIFT = 2e-5
"""Relative, of the lengths of one phase: `PROFILE_FRACTION` of a line 0.045 deg wide at 12 deg of 2theta."""


def variations(lengths: Lengths, marker: Marker) -> list[Points]:
    """The points under each of the common errors, at one standard uncertainty."""
    stiff, steep = marker.variations()
    return [
        points(lengths, marker.law, common=lengths.common),
        points(lengths, marker.law, marker_alone=PROFILE_SHIFT),
        points(lengths, stiff),
        points(lengths, steep),
        points(lengths, marker.law, between=BETWEEN_SIGMA),
    ]


def pressures(lengths: Lengths, marker: Marker) -> list[Estimate]:
    """Pressure at each pattern in GPa; undetermined where the marker's cell is."""
    found = points(lengths, marker.law)
    changes = [one.pressure_gpa - found.pressure_gpa for one in variations(lengths, marker)]
    return _estimates(found.pressure_gpa, found.pressure_stat_gpa, changes)


def volumes(lengths: Lengths, marker: Marker) -> list[Estimate]:
    """Volume of the sample's cell at each pattern in A^3."""
    found = points(lengths, marker.law)
    changes = [one.volume - found.volume for one in variations(lengths, marker)]
    return _estimates(found.volume, found.volume_stat, changes)


def _estimates(value: np.ndarray, stat: np.ndarray, changes: Sequence[np.ndarray]) -> list[Estimate]:
    systematic = np.sqrt(np.sum(np.square(changes), axis=0))
    rows = zip(value.tolist(), stat.tolist(), systematic.tolist())
    return [Estimate(*row) if np.isfinite(row).all() else UNDETERMINED for row in rows]


@dataclass(frozen=True)
class Compressed:
    """What equations of state say of a sample, each number undetermined where they do not fit.

    Attributes
    ----------
    volume_angstrom3, modulus_gpa, slope
        V0, K and K' of the volume, all three free.
    compressibility
        Of each axis at no pressure, -d ln l / dP in 1/GPa.
    excess
        By which the compressibility of the first of two axes exceeds that of the second, in 1/GPa: what errs
        in common cancels.
    jump
        Largest step of the volume between two neighbouring pressures that the data make likely, as part of
        the volume and without its sign.
    reduced_chi2
        Of the volume, against the counting errors of both coordinates.
    """

    volume_angstrom3: Estimate
    modulus_gpa: Estimate
    slope: Estimate
    compressibility: dict[str, Estimate]
    excess: dict[tuple[str, str], Estimate]
    jump: Estimate
    reduced_chi2: float


def compressed(lengths: Lengths, marker: Marker) -> Compressed:
    """Fit equations of state to volume and lengths by pressure.

    Lengths follow the equation of state of the volume that they would have as edges of a cube, so
    that their moduli are a third of its own: after R. J. Angel, Rev. Mineral. Geochem. 41 (2000) 35.
    """
    used = np.isfinite(lengths.marker) & np.isfinite(lengths.sample).all(axis=1)
    kept = Lengths(
        lengths.sample[used],
        lengths.sample_stat[used],
        lengths.marker[used],
        lengths.marker_stat[used],
        lengths.common,
    )
    here = points(kept, marker.law)
    others = variations(kept, marker)
    fits = {name: _fitted(here, _cube_of(name)) for name in ("V", *AXES)}
    changed = [{name: _fitted(one, _cube_of(name)) for name in fits} for one in others]

    def estimate(what: Callable[[dict[str, _State]], float], stat: float) -> Estimate:
        value = what(fits)
        systematic = math.sqrt(sum((what(one) - value) ** 2 for one in changed))
        found = Estimate(value, stat, systematic)
        return found if np.isfinite([value, stat, systematic]).all() else UNDETERMINED

    def linear(states: dict[str, _State], axis: str) -> float:
        return 1 / (3 * states[axis].law.bulk_modulus_gpa)

    def linear_stat(axis: str) -> float:
        return linear(fits, axis) * fits[axis].sigma[1] / fits[axis].law.bulk_modulus_gpa

    pairs = [(one, two) for one in AXES for two in AXES if one != two]
    volume = fits["V"]
    return Compressed(
        estimate(lambda states: states["V"].law.volume_angstrom3, volume.sigma[0]),
        estimate(lambda states: states["V"].law.bulk_modulus_gpa, volume.sigma[1]),
        estimate(lambda states: states["V"].law.slope, volume.sigma[2]),
        {axis: estimate(lambda states, at=axis: linear(states, at), linear_stat(axis)) for axis in AXES},
        {
            pair: estimate(
                lambda states, at=pair: linear(states, at[0]) - linear(states, at[1]),
                math.hypot(linear_stat(pair[0]), linear_stat(pair[1])),
            )
            for pair in pairs
        },
        _jump(here),
        volume.reduced_chi2,
    )


@dataclass(frozen=True)
class _State:
    """A fitted law, with the counting errors of its three parameters."""

    law: EquationOfState
    sigma: tuple[float, float, float]
    reduced_chi2: float


_NOTHING = _State(EquationOfState(math.nan, math.nan, math.nan), (math.nan, math.nan, math.nan), math.nan)


def _cube_of(name: str) -> Callable[[Points], tuple[np.ndarray, np.ndarray]]:
    """Volume with its error: of the cell, or of a cube of one of its edges."""

    def of(found: Points) -> tuple[np.ndarray, np.ndarray]:
        if name == "V":
            return found.volume, found.volume_stat
        axis = AXES.index(name)
        length, stat = found.sample[:, axis], found.sample_stat[:, axis]
        return length**3, 3 * length**2 * stat

    return of


def _fitted(found: Points, cube_of: Callable[[Points], tuple[np.ndarray, np.ndarray]]) -> _State:
    """Fit of a law to pressures and volumes that both have errors (effective variance)."""
    volume, stat = cube_of(found)
    if volume.size < LEAST_POINTS:
        return _NOTHING
    fit, weighted = _least_squares(found, volume, stat, np.zeros((volume.size, 0)))
    degrees = volume.size - 3
    chi2 = float(weighted @ weighted) / degrees
    if not fit.success or chi2 > MOST_MISFIT**2:
        return _NOTHING
    try:
        covariance = np.linalg.inv(fit.jac.T @ fit.jac) * max(chi2, 1.0)
    except np.linalg.LinAlgError:
        return _NOTHING
    sigma = np.sqrt(np.diag(covariance)) * _scale(volume)
    return _State(_law(fit.x, volume), (float(sigma[0]), float(sigma[1]), float(sigma[2])), chi2)


def _scale(volume: np.ndarray) -> np.ndarray:
    return np.array([float(volume.max()), 100.0, 1.0])


def _law(parameters: np.ndarray, volume: np.ndarray) -> EquationOfState:
    scaled = parameters[:3] * _scale(volume)
    return EquationOfState(float(scaled[0]), float(scaled[1]), float(scaled[2]))


def _least_squares(
    found: Points, volume: np.ndarray, stat: np.ndarray, steps: np.ndarray
) -> tuple[Any, np.ndarray]:
    """Fit of a law, and of parts by which the volume has changed where `steps` (n, k) says; weighted rest."""
    beginning = np.array([1.0, 1.3, 4.0, *np.zeros(steps.shape[1])])

    def residuals(parameters: np.ndarray) -> np.ndarray:
        law, whole = _law(parameters, volume), volume * (1 + steps @ parameters[3:])
        slope = law.modulus_gpa(whole) / whole
        error = np.hypot(found.pressure_stat_gpa, slope * stat)
        return (found.pressure_gpa - law.pressure_gpa(whole)) / error

    low = [0.9, 0.05, -5.0, *np.full(steps.shape[1], -0.2)]
    high = [1.1, 20.0, 20.0, *np.full(steps.shape[1], 0.2)]
    fit = least_squares(residuals, beginning, bounds=(low, high), x_scale="jac")
    return fit, residuals(fit.x)


def _jump(found: Points) -> Estimate:
    """Largest step of the volume, wherever it is likeliest."""
    order = np.argsort(found.pressure_gpa)
    sorted_points = Points(
        found.pressure_gpa[order],
        found.pressure_stat_gpa[order],
        found.sample[order],
        found.sample_stat[order],
    )
    volume, stat = sorted_points.volume, sorted_points.volume_stat
    if volume.size < LEAST_POINTS + 1:
        return UNDETERMINED
    best: tuple[float, Estimate] = (math.inf, UNDETERMINED)
    for number in range(2, volume.size - 1):
        steps = (np.arange(volume.size) >= number).astype(float)[:, None]
        fit, weighted = _least_squares(sorted_points, volume, stat, steps)
        chi2 = float(weighted @ weighted)
        try:
            covariance = np.linalg.inv(fit.jac.T @ fit.jac) * max(chi2 / (volume.size - 4), 1.0)
        except np.linalg.LinAlgError:
            continue
        if fit.success and chi2 < best[0]:
            best = chi2, Estimate(abs(float(fit.x[3])), math.sqrt(covariance[3, 3]), 0.0)
    return best[1]
