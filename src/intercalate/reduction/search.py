"""Where a fit starts: lattice parameters from an earlier result or from the pattern itself."""

from dataclasses import replace

import numpy as np

from intercalate.reduction.integration import Pattern
from intercalate.reduction.phases import FitPhase
from intercalate.reduction.results import PawleyResult


def at_temperature(phase: FitPhase, temperature_c: float) -> FitPhase:
    """The phase with the held lattice of a standard expanded from 25 degC to this temperature."""
    if not phase.expansion_per_k:
        return phase
    factor = 1 + phase.expansion_per_k * (temperature_c - 25.0)
    return replace(phase, start=tuple(value * factor for value in phase.start))


def warm_start(pattern: Pattern, phase: FitPhase, start: PawleyResult) -> FitPhase:
    """The phase with the lattice of an earlier result, searched for where it was absent then."""
    if phase.fixed:
        return phase
    if not start.present.get(phase.name, False):
        return searched(pattern, phase)
    values = [start.vector[f"{phase.name}.{name}"] for name in phase.parameters]
    return replace(phase, start=tuple(np.clip(values, phase.low, phase.high)))


def searched(pattern: Pattern, phase: FitPhase) -> FitPhase:
    """The phase with the lattice that the highest points in the windows of its seeds give."""
    lattice = dict(zip(phase.parameters, phase.start))
    spacing = _spacing_at(pattern, phase.depth_um)
    for seed in phase.seeds:
        window = np.flatnonzero((spacing >= seed.d_low_angstrom) & (spacing <= seed.d_high_angstrom))
        if not window.size:
            continue
        d = spacing[window[np.argmax(pattern.intensity[window])]]
        row = phase.reflections.index(seed.reflection)
        column = phase.parameters.index(seed.parameter)
        others = sum(
            phase.coefficients[row, other] / lattice[name] ** 2
            for other, name in enumerate(phase.parameters)
            if other != column
        )
        remaining = 1 / d**2 - phase.offset[row] - others
        if remaining > 0:
            value = np.sqrt(phase.coefficients[row, column] / remaining)
            lattice[seed.parameter] = float(np.clip(value, phase.low[column], phase.high[column]))
    known = dict(zip(phase.parameters, zip(phase.start, phase.low, phase.high)))
    for name, leader, slope in phase.led:
        start, low, high = known[name]
        lattice[name] = float(np.clip(start + slope * (lattice[leader] - known[leader][0]), low, high))
    return replace(phase, start=tuple(lattice[name] for name in phase.parameters))


def _spacing_at(pattern: Pattern, depth_um: float) -> np.ndarray:
    """Spacings in A that have their lines at the points of a pattern, of material so far downstream."""
    two_theta = np.radians(pattern.two_theta_deg)
    if pattern.distance_mm is not None:
        # Of a tilted cell it is millimetres, by which lines leave the windows in which they are looked for.
        two_theta = np.arctan(np.tan(two_theta) / (1 - depth_um * 1e-3 / pattern.distance_mm))
    return pattern.wavelength_angstrom / (2 * np.sin(two_theta / 2))


def moved(phase: FitPhase, relative: float, only: str = "") -> FitPhase:
    """The phase with its refined lattice parameters changed by this part, within their bounds.

    Parameters
    ----------
    only
        The one that is changed; all where empty.
    """
    if phase.fixed:
        return phase
    factor = [1 + relative * (only in ("", name)) for name in phase.parameters]
    return replace(phase, start=tuple(np.clip(np.array(phase.start) * factor, phase.low, phase.high)))
