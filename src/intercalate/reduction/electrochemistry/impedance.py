"""Impedance spectra: whether they are of a linear, steady cell, and what circuit gives them."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import least_squares

from intercalate.reduction.results import Estimate


@dataclass(frozen=True, slots=True)
class _Element:
    """Impedance of one element by angular frequency, names and bounds of its parameters."""

    parameters: tuple[str, ...]
    bounds: tuple[tuple[float, float], ...]
    impedance: Callable[..., np.ndarray]


_OHM, _SECOND, _EXPONENT = (1e-9, 1e9), (1e-9, 1e9), (0.3, 1.0)

ELEMENTS: dict[str, _Element] = {
    "R": _Element(("resistance_ohm",), (_OHM,), lambda w, r: r + 0j * w),
    "L": _Element(("inductance_henry",), ((1e-15, 1.0),), lambda w, h: 1j * w * h),
    "ZARC": _Element(
        ("resistance_ohm", "time_s", "exponent"),
        (_OHM, _SECOND, _EXPONENT),
        lambda w, r, t, a: r / (1 + (1j * w * t) ** a),
    ),
    "W": _Element(("sigma_ohm_per_root_s",), (_OHM,), lambda w, s: s * (1 - 1j) / np.sqrt(w)),
    "WO": _Element(
        ("resistance_ohm", "time_s"),
        (_OHM, _SECOND),
        lambda w, r, t: r / (np.sqrt(1j * w * t) * np.tanh(np.sqrt(1j * w * t))),
    ),
}
"""Elements by name: resistor; inductance of leads; resistor beside a constant-phase element, whose time is
(R Q)^(1/exponent); semi-infinite diffusion; diffusion to a blocking end, of which `time_s` is L^2/D.
As in J. R. Macdonald (ed.), Impedance Spectroscopy, Wiley 1987."""


@dataclass(frozen=True)
class CircuitFit:
    """A circuit that was fitted to a spectrum.

    Attributes
    ----------
    circuit
        Its elements, in series.
    parameters
        By `element_number.name`, such as `ZARC_1.time_s`; NaN where one ended at its bound, so that the
        spectrum does not determine it.
    relative_residual
        Root of the mean square of |Z - fit| / |Z|.
    reduced_chi2
        Against the relative error that was given; above 1 all `sigma_stat` have been widened by its root.
    impedance_ohm
        Fitted, shape (n,).
    converged
        Whether to trust it.
    """

    circuit: tuple[str, ...]
    parameters: dict[str, Estimate]
    relative_residual: float
    reduced_chi2: float
    impedance_ohm: np.ndarray
    converged: bool


def circuit_impedance(
    circuit: Sequence[str], values: Mapping[str, float], frequency_hz: np.ndarray
) -> np.ndarray:
    """Impedance in ohm of elements in series, complex, shape (n,); capacitive is negative.

    Parameters
    ----------
    circuit
        Names of `ELEMENTS`.
    values
        By `element_number.name`, as in `CircuitFit.parameters`.

    Raises
    ------
    ValueError
        If an element is unknown.
    KeyError
        If a value is missing.
    """
    return _impedance(circuit, [values[name] for name in _names(circuit)], frequency_hz)


def _names(circuit: Sequence[str]) -> list[str]:
    unknown = [name for name in circuit if name not in ELEMENTS]
    if unknown or not circuit:
        raise ValueError(f"circuit has {unknown or 'no element'}; use some of {', '.join(ELEMENTS)}")
    return [
        f"{name}_{number}.{parameter}"
        for number, name in enumerate(circuit)
        for parameter in ELEMENTS[name].parameters
    ]


def _impedance(circuit: Sequence[str], values: Sequence[float], frequency_hz: np.ndarray) -> np.ndarray:
    omega, total, taken = 2 * np.pi * np.asarray(frequency_hz, dtype=float), 0j, 0
    for name in circuit:
        element = ELEMENTS[name]
        count = len(element.parameters)
        total = total + element.impedance(omega, *values[taken : taken + count])
        taken += count
    return np.asarray(total)


def _spectrum(frequency_hz: np.ndarray, impedance_ohm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies and impedances that can be used.

    Raises
    ------
    ValueError
        If they do not belong together, or a frequency is not above 0.
    """
    frequency, impedance = np.asarray(frequency_hz, float), np.asarray(impedance_ohm, complex)
    if frequency.shape != impedance.shape or frequency.ndim != 1:
        raise ValueError(f"a spectrum needs two arrays alike, not {frequency.shape} and {impedance.shape}")
    if not (np.all(frequency > 0) and np.all(np.isfinite(frequency)) and np.all(np.isfinite(impedance))):
        raise ValueError("frequencies must be above 0 and all numbers finite; leave the others out")
    if np.any(impedance == 0):
        raise ValueError("an impedance of 0 has no relative error; leave it out")
    return frequency, impedance


def fit_circuit(
    frequency_hz: np.ndarray,
    impedance_ohm: np.ndarray,
    circuit: Sequence[str],
    *,
    relative_error: float,
    starts: int = 12,
) -> CircuitFit:
    """Fit elements in series to a spectrum, by complex least squares from several starts.

    Parameters
    ----------
    frequency_hz, impedance_ohm
        Shape (n,); imaginary part negative where capacitive.
    circuit
        Names of `ELEMENTS`, such as ("R", "ZARC", "ZARC", "W"). Elements of one kind are given back
        in order of their time, the shortest first.
    relative_error
        Standard deviation of the real and of the imaginary part, over |Z|.
    starts
        How many starts, from a fixed seed.

    Raises
    ------
    ValueError
        If the spectrum has too few points for the circuit, or cannot be used.
    """
    frequency, impedance = _spectrum(frequency_hz, impedance_ohm)
    names = _names(circuit)
    if 2 * frequency.size <= len(names):
        raise ValueError(f"{frequency.size} frequencies do not determine {len(names)} parameters")
    if not relative_error > 0:
        raise ValueError(f"relative_error is {relative_error}; it must be above 0")
    bounds = np.log(np.array([b for name in circuit for b in ELEMENTS[name].bounds])).T
    weight = 1 / (relative_error * np.abs(impedance))

    def residuals(logs: np.ndarray) -> np.ndarray:
        difference = weight * (_impedance(circuit, list(np.exp(logs)), frequency) - impedance)
        return np.concatenate([np.real(difference), np.imag(difference)])

    generator = np.random.default_rng(1687)
    begins = [np.clip(_start(names, frequency, impedance, generator), *bounds) for _ in range(starts)]
    fits = [least_squares(residuals, begin, bounds=bounds, x_scale=1.0) for begin in begins]
    best = min(fits, key=lambda fit: fit.cost)
    return _result(tuple(circuit), names, best, impedance, relative_error)


def _start(
    names: Sequence[str], frequency: np.ndarray, impedance: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """Logarithms of a guess: resistances and times from the range of the spectrum, drawn at random."""
    times = np.sort(
        np.exp(generator.uniform(np.log(0.1 / frequency.max()), -np.log(frequency.min()), len(names)))
    )
    span = max(float(np.ptp(np.real(impedance))), 1e-6 * float(np.abs(impedance).max()))
    size = float(np.abs(impedance).max())
    guess = []
    for position, name in enumerate(names):
        share = generator.uniform(0.05, 1)
        match name.split(".")[1]:
            case "time_s":
                guess.append(times[position])
            case "exponent":
                guess.append(generator.uniform(0.6, 0.98))
            case "inductance_henry":
                guess.append(share * size / (2 * np.pi * frequency.max()))
            case "sigma_ohm_per_root_s":
                guess.append(share * span * np.sqrt(2 * np.pi * frequency.min()))
            case _:
                is_series = name.startswith("R_")
                guess.append(max(float(np.real(impedance).min()), 1e-3 * span) if is_series else share * span)
    return np.log(np.array(guess, dtype=float))


def _result(
    circuit: tuple[str, ...], names: list[str], fit: Any, impedance: np.ndarray, relative_error: float
) -> CircuitFit:
    logs, jacobian = fit.x, fit.jac
    chi2 = 2 * float(fit.cost) / (2 * impedance.size - logs.size)
    covariance = np.linalg.pinv(jacobian.T @ jacobian) * max(1.0, chi2)
    sigma = np.sqrt(np.diag(covariance))
    at_bound = fit.active_mask != 0
    # A constant phase of 1 is a capacitor, which a cell may well have.
    free = [not bound or name.endswith("exponent") for name, bound in zip(names, at_bound)]
    values = np.exp(logs)
    estimates = {
        name: Estimate(float(v), float(v * s), 0.0) if ok else Estimate(math.nan, math.nan, math.nan)
        for name, v, s, ok in zip(names, values, sigma, free)
    }
    residual = fit.fun * relative_error
    relative = math.sqrt(float(residual @ residual) / impedance.size)
    difference = residual[: impedance.size] + 1j * residual[impedance.size :]
    return CircuitFit(
        circuit,
        _sorted_by_time(circuit, estimates),
        relative,
        chi2,
        impedance + difference * np.abs(impedance),
        bool(fit.success) and all(free),
    )


def _sorted_by_time(circuit: tuple[str, ...], estimates: dict[str, Estimate]) -> dict[str, Estimate]:
    """Equal elements in order of their time: a fit has them in any."""
    renamed = dict(estimates)
    for kind in {name for name in circuit if "time_s" in ELEMENTS[name].parameters}:
        places = [number for number, name in enumerate(circuit) if name == kind]
        order = sorted(places, key=lambda n: estimates[f"{kind}_{n}.time_s"].value)
        for place, source in zip(places, order):
            for parameter in ELEMENTS[kind].parameters:
                renamed[f"{kind}_{place}.{parameter}"] = estimates[f"{kind}_{source}.{parameter}"]
    return renamed


@dataclass(frozen=True)
class KramersKronig:
    """Whether a spectrum can be that of a linear, causal, steady system.

    Attributes
    ----------
    elements
        Of resistor and capacitor that were used.
    residual
        (Z - fit) / |Z|, complex, shape (n,).
    root_mean_square
        Of the residual, over real and imaginary parts.
    passed
        Whether that is within `tolerance`.
    """

    elements: int
    residual: np.ndarray
    root_mean_square: float
    passed: bool


def kramers_kronig(
    frequency_hz: np.ndarray,
    impedance_ohm: np.ndarray,
    *,
    tolerance: float,
) -> KramersKronig:
    """Test a spectrum with a chain of RC elements, linear in its resistances.

    B. A. Boukamp, J. Electrochem. Soc. 142 (1995) 1885; times are spread evenly in their logarithm over
    the spectrum. A resistor, an inductance and a capacitor in series are fitted besides. Of 3 elements to
    one for each frequency, that number is taken which has the least residual per degree of freedom.

    Parameters
    ----------
    tolerance
        Largest root of the mean square of the relative residual that passes.

    Raises
    ------
    ValueError
        If there are fewer than 4 frequencies, or the spectrum cannot be used.
    """
    frequency, impedance = _spectrum(frequency_hz, impedance_ohm)
    if frequency.size < 4:
        raise ValueError(f"{frequency.size} frequencies; the test needs 4 at least")
    omega = 2 * np.pi * frequency
    best: tuple[float, int, np.ndarray] | None = None
    for count in range(3, frequency.size + 1):
        residual = _chain_residual(omega, impedance, count)
        # Per degree of freedom: an element that fits noise alone does not lower it.
        freedom = 2 * frequency.size - count - 3
        mean_square = float(np.sum(np.abs(residual) ** 2)) / freedom if freedom > 0 else math.inf
        if best is None or mean_square < best[0]:
            best = (mean_square, count, residual)
    assert best is not None
    root = math.sqrt(best[0])
    return KramersKronig(best[1], best[2], root, root <= tolerance)


def _chain_residual(omega: np.ndarray, impedance: np.ndarray, count: int) -> np.ndarray:
    """Relative residual of the best chain of so many RC elements, with R, L and C in series."""
    size = np.abs(impedance)
    tau = np.geomspace(1 / omega.max(), 1 / omega.min(), count)
    columns = [1 / (1 + 1j * np.outer(omega, tau)), np.ones((omega.size, 1)) + 0j]
    columns += [1j * omega[:, None], -1j / omega[:, None]]
    design = np.hstack(columns)
    scale = np.abs(design).max(axis=0)
    weighted = design / scale / size[:, None]
    goal = impedance / size
    found, *_ = np.linalg.lstsq(
        np.vstack([weighted.real, weighted.imag]), np.concatenate([goal.real, goal.imag]), rcond=None
    )
    return goal - weighted @ found
