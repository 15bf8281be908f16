"""Mass fractions from areas of lines, without standards, and what is uncertain about that.

Generation by Green and Cosslett's power of the overvoltage, absorption after Philibert with Heinrich's
coefficient, backscattering by a linear law; fluorescence is left out (below 2 % here). Fractions of what is
seen add up to 1: lithium and hydrogen are not among it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from intercalate.materials.eds import (
    XrayDetector,
    atomic_mass,
    atomic_number,
    emission_lines,
    mass_absorption_cm2_g,
)
from intercalate.reduction.eds.errors import SpectrumError
from intercalate.reduction.eds.lines import LineFit
from intercalate.reduction.results import Estimate

_SYSTEMATIC = {"K": 0.08, "L": 0.15, "M": 0.50}
"""Relative standard uncertainty of a mass fraction without a standard, by the family it is measured with:
generation and yields. Goldstein et al. give 10 to 25 % as usual errors of standardless analysis
(recalled)."""
_SOFT_EV, _SOFT = 1000.0, 0.35
"""Below this energy absorption and window decide."""
_ITERATIONS = 60
_DETECTION_SIGMA = 3.0
_STEP = 1e-3
"""Relative, of a difference quotient."""


@dataclass(frozen=True)
class Composition:
    """What a spectrum says of a place.

    Attributes
    ----------
    mass_fraction, atomic_fraction
        Of elements that counting shows, by symbol; what lies under a stronger line has the error that is due.
    family
        By which each was measured.
    converged
        Whether the correction for the matrix came to rest.
    """

    mass_fraction: dict[str, Estimate]
    atomic_fraction: dict[str, Estimate]
    family: dict[str, str]
    converged: bool


def composition(found: LineFit, detector: XrayDetector, kv: float) -> Composition:
    """Standardless quantification of all elements that are seen.

    Raises
    ------
    SpectrumError
        If none was.
    """
    best = _best_family(found, kv)
    if not best:
        raise SpectrumError("no element was detected; count longer")
    names = list(best)
    area = np.array([found.counts[best[name]].value for name in names])
    generated = np.array([generation(name, best[name].split()[1], kv) for name in names])
    lines = {name: mean_energy(name, best[name].split()[1], kv) for name in names}
    seen = np.array([float(detector.efficiency(np.array([lines[name][0]]))[0]) for name in names])
    fraction = area / (generated * seen)
    fraction /= fraction.sum()
    converged = False
    for _ in range(_ITERATIONS):
        mass = dict(zip(names, fraction))
        matrix = np.array([matrix_factor(mass, *lines[name], kv, detector) for name in names])
        updated = area / (generated * seen * matrix)
        updated /= updated.sum()
        moved = float(np.max(np.abs(updated - fraction)))
        fraction = 0.5 * (fraction + updated)
        if moved < 1e-5:
            converged = True
            break
    if not converged:
        nothing = Estimate(float("nan"), float("nan"), float("nan"))
        return Composition(dict.fromkeys(names, nothing), dict.fromkeys(names, nothing), best, False)
    places = [list(found.counts).index(best[name]) for name in names]
    block, scale = np.ix_(places, places), np.outer(area, area)
    answer = _answer(names, fraction, [lines[name] for name in names], kv, detector)
    stat, systematic = (
        answer @ (one[block] / scale) @ answer.T for one in (found.covariance_stat, found.covariance_sys)
    )
    # Declared is the error of the fraction itself, after the correction for the matrix.
    systematic += np.diag([_declared(lines[name][0], best[name]) ** 2 for name in names])
    mass_fraction = _normalised(names, fraction, stat, systematic)
    weight = np.array([atomic_mass(name) for name in names])
    atoms = fraction / weight / np.sum(fraction / weight)
    return Composition(mass_fraction, _normalised(names, atoms, stat, systematic), best, True)


def _answer(
    names: list[str],
    fraction: np.ndarray,
    lines: list[tuple[float, float]],
    kv: float,
    detector: XrayDetector,
) -> np.ndarray:
    """Relative change of the fractions by that of the areas, but for their sum, shape (names, names).

    What an element has more than it should changes the matrix, and by that all fractions once more: with the
    factors m of the matrix, d ln f + (d ln m / d ln f) d ln f = d ln area.
    """

    def factors(mass: np.ndarray) -> np.ndarray:
        of = dict(zip(names, mass / mass.sum()))
        return np.log([matrix_factor(of, *line, kv, detector) for line in lines])

    here = factors(fraction)
    steps = fraction * (1.0 + _STEP * np.eye(fraction.size))
    by_fraction = np.stack([(factors(one) - here) / _STEP for one in steps], axis=1)
    return np.linalg.inv(np.eye(fraction.size) + by_fraction)


def _best_family(found: LineFit, kv: float) -> dict[str, str]:
    """The family with the smallest declared error of each element that counting shows.

    Some of them may be part of a stronger line: their fractions have errors that say so. To leave them out
    would give the other all of it.
    """
    best: dict[str, str] = {}
    for name, area in found.counts.items():
        element, family = name.split()
        if not area.value > _DETECTION_SIGMA * area.sigma_stat:
            continue
        _, edge = mean_energy(element, family, kv)
        if 1e3 * kv < 1.3 * edge:
            continue
        rival = best.get(element)
        errors = [
            _relative(found.counts[one], mean_energy(element, one.split()[1], kv)[0], one)
            for one in ([rival] if rival else []) + [name]
        ]
        if rival is None or errors[-1] < errors[0]:
            best[element] = name
    return best


def _relative(area: Estimate, energy_ev: float, name: str) -> float:
    """Relative error of an element before normalisation."""
    return float(np.hypot(area.sigma / area.value, _declared(energy_ev, name)))


def _declared(energy_ev: float, name: str) -> float:
    """Relative standard uncertainty of what a family gives without a standard."""
    declared = _SYSTEMATIC[name.split()[1]]
    return float(np.hypot(declared, _SOFT)) if energy_ev < _SOFT_EV else declared


def _normalised(
    names: list[str], fraction: np.ndarray, stat: np.ndarray, systematic: np.ndarray
) -> dict[str, Estimate]:
    """Fractions with errors from relative covariances; what one element has too much, all others lack."""
    jacobian = np.diag(fraction) - np.outer(fraction, fraction)
    errors = [np.sqrt(np.diag(jacobian @ one @ jacobian.T)) for one in (stat, systematic)]
    return {
        name: Estimate(float(fraction[at]), float(errors[0][at]), float(errors[1][at]))
        for at, name in enumerate(names)
    }


def generation(element: str, family: str, kv: float) -> float:
    """X-rays of a family per electron and mass fraction, in arbitrary units."""
    total = 0.0
    for line in emission_lines(element):
        overvoltage = 1e3 * kv / line.edge_ev
        if line.family == family and overvoltage > 1.05:
            # Green & Cosslett, Proc. Phys. Soc. 78 (1961) 1206: (U - 1) to the 1.67th.
            total += (
                line.shell_electrons
                * line.fluorescence_yield
                * line.branching
                * (overvoltage - 1.0) ** 1.67
                / overvoltage**0.3
            )
    return total / atomic_mass(element)


def mean_energy(element: str, family: str, kv: float) -> tuple[float, float]:
    """Of a family: energy of its strongest line, and the edge that must be ionised for it."""
    lines = [one for one in emission_lines(element) if one.family == family and one.edge_ev < 1e3 * kv]
    line = max(lines, key=lambda one: one.branching * one.shell_electrons * one.fluorescence_yield)
    return line.energy_ev, line.edge_ev


def matrix_factor(
    mass: Mapping[str, float], energy_ev: float, edge_ev: float, kv: float, detector: XrayDetector
) -> float:
    """What stopping, backscattering and absorption of the matrix leave of a line."""
    number = sum(share * atomic_number(name) for name, share in mass.items())
    atomic = sum(share * atomic_mass(name) for name, share in mass.items())
    absorption = float(
        sum(share * mass_absorption_cm2_g(name, np.array([energy_ev]))[0] for name, share in mass.items())
    )
    chi = absorption / np.sin(np.radians(detector.take_off_deg))
    # Philibert, with sigma after Heinrich (1967).
    sigma = 4.5e5 / max(kv**1.65 - (edge_ev / 1e3) ** 1.65, 1e-3)
    h = 1.2 * atomic / number**2
    escape = (1 + h) / ((1 + chi / sigma) * (1 + h * (1 + chi / sigma)))
    mean_kev = 0.5 * (kv + edge_ev / 1e3)
    potential = 0.0115 * number
    stopping = number / atomic * np.log(max(1.166 * mean_kev / potential, 1.3))
    kept = 1.0 - 0.0081 * number * (1.0 - edge_ev / (1e3 * kv))
    return float(escape * kept / stopping)
