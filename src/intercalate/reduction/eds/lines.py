"""Areas of the lines of elements, over a background that a filter takes away.

The top-hat filter (F. H. Schamber, 1977, in: X-ray Fluorescence Analysis of Environmental Samples) gives zero
for whatever is straight over its width, and is applied to spectrum and line shapes alike. Counts in filtered
channels are not independent; errors follow from the counts of all channels by the linear map from spectrum to
areas.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from intercalate.materials.eds import (
    SILICON_EDGE_EV,
    SILICON_ESCAPE_EV,
    EmissionLine,
    XrayDetector,
    emission_lines,
)
from intercalate.reduction.eds.axis import EnergyAxis
from intercalate.reduction.eds.errors import SpectrumError, require_counts
from intercalate.reduction.linear import solve_nonnegative
from intercalate.reduction.results import Estimate

_DETECTION_SIGMA = 3.0
_SHAPE = 0.05
"""Standard uncertainty of a line's area by its shape: some 3 % of the counts have lost charge and lie in a
tail that the filter takes away, two more are lost to pile-up."""
_FAMILY = 0.05
"""Standard uncertainty of lines of one family against each other."""
_LEAST_OVERVOLTAGE = 1.15

__all__ = ["LineFit", "SpectrumError", "fit_lines", "line_shapes"]


@dataclass(frozen=True)
class LineFit:
    """Areas of families of lines.

    Attributes
    ----------
    counts
        By `element family`, such as `Zr L`: all lines of it.
    detected
        Whether an area is above three times its error.
    overlap
        For each, the name of the family with which it is most confused, and the correlation of both areas.
    reduced_chi2
        Of the filtered spectrum.
    unknown_ev
        Energies of peaks that no family explains.
    calculated, filtered
        Fitted and measured filtered spectrum, shape (channels,).
    """

    counts: dict[str, Estimate]
    detected: dict[str, bool]
    overlap: dict[str, tuple[str, float]]
    reduced_chi2: float
    unknown_ev: tuple[float, ...]
    calculated: np.ndarray
    filtered: np.ndarray


@dataclass(frozen=True)
class Shapes:
    """Line shapes on the channels of a detector.

    Attributes
    ----------
    names
        `element family`.
    area
        Counts per channel of unit area, shape (families, channels).
    filter_matrix
        Shape (channels, channels); rows of channels that are not used are zero.
    used
        Channels that are fitted.
    """

    names: tuple[str, ...]
    area: np.ndarray
    filter_matrix: np.ndarray
    used: np.ndarray


def line_shapes(
    elements: Sequence[str], axis: EnergyAxis, detector: XrayDetector, kv: float, least_ev: float = 150.0
) -> Shapes:
    """Shapes of all families of the elements that the beam can excite above an energy.

    Raises
    ------
    SpectrumError
        If an element has none.
    """
    names: list[str] = []
    rows: list[np.ndarray] = []
    energy = axis.energy_ev
    for element in dict.fromkeys(elements):
        before = len(names)
        for family in ("K", "L", "M"):
            lines = [
                one
                for one in emission_lines(element)
                if one.family == family
                and least_ev < one.energy_ev < energy[-1]
                and one.edge_ev * _LEAST_OVERVOLTAGE < 1e3 * kv
            ]
            if lines:
                names.append(f"{element} {family}")
                rows.append(_family(lines, axis, detector, kv))
        if len(names) == before:
            raise SpectrumError(
                f"{element} has no line between {least_ev:g} eV and what {kv:g} kV can excite; leave it out "
                f"or raise the "
                "voltage"
            )
    used = (energy > least_ev) & (energy < min(950.0 * kv, energy[-1]))
    return Shapes(tuple(names), np.array(rows), _top_hat(axis, detector, used), used)


def fit_lines(
    counts: np.ndarray,
    elements: Sequence[str],
    axis: EnergyAxis,
    detector: XrayDetector,
    kv: float,
) -> LineFit:
    """Fit the lines of elements to a spectrum.

    Parameters
    ----------
    counts
        Shape (channels,).
    elements
        Chemical symbols. Lithium is none of them: see `lithium`.

    Raises
    ------
    SpectrumError
        If the spectrum cannot be used, or an element has no line in it.
    """
    if "Li" in elements:
        raise SpectrumError("Li is not quantified from its line at 54 eV; ask `lithium` whether it is seen")
    values = require_counts(counts, detector.channels)
    shapes = line_shapes(elements, axis, detector, kv)
    matrix = shapes.filter_matrix
    filtered = matrix @ values
    variance = np.maximum(matrix**2 @ np.maximum(_smoothed(values), 1.0), 1e-9)
    weight = np.where(shapes.used, 1.0 / variance, 0.0)
    design = matrix @ shapes.area.T
    gram = design.T @ (weight[:, None] * design)
    free = np.ones(len(shapes.names), dtype=bool)
    areas, _ = solve_nonnegative(gram, design.T @ (weight * filtered), free, len(shapes.names))
    calculated = design @ areas
    left = filtered - calculated
    chi2 = float(np.sum(weight * left**2) / shapes.used.sum())
    # Where an area is held at zero, its error is that of the free problem.
    inverse = np.linalg.pinv(gram)
    to_areas = inverse @ (design.T * weight) @ matrix
    covariance = (to_areas * np.maximum(_smoothed(values), 1.0)) @ to_areas.T
    stat = np.sqrt(np.diag(covariance))
    systematic = _systematic(shapes, areas, axis, to_areas, chi2, stat)
    estimates = {
        name: Estimate(float(areas[number]), float(stat[number]), float(systematic[number]))
        for number, name in enumerate(shapes.names)
    }
    correlation = covariance / np.outer(stat, stat) - np.eye(stat.size)
    worst = np.argmax(np.abs(correlation), axis=1)
    return LineFit(
        estimates,
        {name: one.value > _DETECTION_SIGMA * one.sigma for name, one in estimates.items()},
        {
            name: (shapes.names[worst[at]], float(correlation[at, worst[at]]))
            for at, name in enumerate(shapes.names)
        },
        chi2,
        _unknown(left, variance, shapes, axis, detector, calculated),
        calculated,
        filtered,
    )


def _family(lines: Sequence[EmissionLine], axis: EnergyAxis, detector: XrayDetector, kv: float) -> np.ndarray:
    """Profile of all lines of a family, of unit area, escape peaks with it."""
    total = np.zeros(axis.energy_ev.size)
    weights = np.array([_excited(one, kv) for one in lines])
    for line, weight in zip(lines, weights / weights.sum()):
        total += weight * _gaussian(axis, detector, line.energy_ev)
        if line.energy_ev > SILICON_EDGE_EV:
            share = 0.01 * (SILICON_EDGE_EV / line.energy_ev) ** 2.5
            total += weight * share * _gaussian(axis, detector, line.energy_ev - SILICON_ESCAPE_EV)
    return total


def _excited(line: EmissionLine, kv: float) -> float:
    """Relative number of X-rays of a line, by Green and Cosslett's power of the overvoltage."""
    overvoltage = 1e3 * kv / line.edge_ev
    return (
        line.shell_electrons
        * line.fluorescence_yield
        * line.branching
        * (overvoltage - 1.0) ** 1.6
        / overvoltage**0.3
    )


def _gaussian(axis: EnergyAxis, detector: XrayDetector, energy_ev: float) -> np.ndarray:
    sigma = float(detector.width_ev(energy_ev)) / 2.3548
    away = (axis.energy_ev - energy_ev) / sigma
    return axis.channel_ev / (sigma * np.sqrt(2 * np.pi)) * np.exp(-0.5 * away**2)


def _top_hat(axis: EnergyAxis, detector: XrayDetector, used: np.ndarray) -> np.ndarray:
    """Filter of every channel: a hat as wide as a line there, and brims of half of that."""
    count = axis.energy_ev.size
    matrix = np.zeros((count, count))
    for channel in np.flatnonzero(used):
        half = max(1, round(float(detector.width_ev(axis.energy_ev[channel])) / axis.channel_ev / 2))
        brim = max(1, half)
        low, high = channel - half - brim, channel + half + brim + 1
        if low < 0 or high > count:
            continue
        matrix[channel, channel - half : channel + half + 1] = 1.0 / (2 * half + 1)
        matrix[channel, low : channel - half] = -0.5 / brim
        matrix[channel, channel + half + 1 : high] = -0.5 / brim
    return matrix


def _smoothed(values: np.ndarray) -> np.ndarray:
    """Expected counts of a channel from its neighbours, so that a channel does not weigh itself."""
    return np.convolve(np.pad(values, 2, mode="edge"), np.full(5, 0.2), "valid")


def _systematic(
    shapes: Shapes,
    areas: np.ndarray,
    axis: EnergyAxis,
    to_areas: np.ndarray,
    chi2: float,
    stat: np.ndarray,
) -> np.ndarray:
    """Declared: energy axis, profile, ratios within families; and what the misfit itself shows."""
    moved = np.zeros_like(stat)
    for number, area in enumerate(areas):
        if area <= 0:
            continue
        profile = area * shapes.area[number]
        shifted = np.gradient(profile, axis.energy_ev) * axis.sigma_ev
        # A family whose lines are distributed differently: its lower half against its upper.
        middle = float(np.average(axis.energy_ev, weights=np.maximum(shapes.area[number], 1e-12)))
        tilted = (
            _FAMILY
            * profile
            * np.where(axis.energy_ev < middle, -1.0, 1.0)
            * _is_spread(shapes, number, axis, middle)
        )
        own = np.zeros_like(stat)
        own[number] = _SHAPE * area
        broadened = to_areas @ (_SHAPE * np.roll(profile, -3) - _SHAPE * profile)
        moved += (to_areas @ shifted) ** 2 + (to_areas @ tilted) ** 2 + broadened**2 + own**2
    return np.sqrt(moved + max(chi2 - 1.0, 0.0) * stat**2)


def _is_spread(shapes: Shapes, number: int, axis: EnergyAxis, middle: float) -> float:
    """1 where a family has lines well apart (L and M), 0 where it is one peak."""
    area = np.maximum(shapes.area[number], 0.0)
    width = float(np.sqrt(np.average((axis.energy_ev - middle) ** 2, weights=np.maximum(area, 1e-12))))
    return 1.0 if width > 60.0 else 0.3


def _unknown(
    left: np.ndarray,
    variance: np.ndarray,
    shapes: Shapes,
    axis: EnergyAxis,
    detector: XrayDetector,
    calculated: np.ndarray,
) -> tuple[float, ...]:
    """Peaks of the residual that are neither noise nor part of a line that is there."""
    height = np.where(shapes.used, left / np.sqrt(variance), 0.0)
    # Beside a strong line its tail, and the imperfect shape of its peak, are known to be there.
    reach = round(3.0 * float(detector.width_ev(2000.0)) / axis.channel_ev)
    strong = ndimage.maximum_filter1d(calculated, 2 * reach + 1)
    strange = (height > 6.0) & (left > 0.12 * strong)
    found: list[float] = []
    for at in np.flatnonzero(strange)[np.argsort(-height[strange])]:
        energy = float(axis.energy_ev[at])
        if all(abs(energy - one) > 1.5 * float(detector.width_ev(one)) for one in found):
            found.append(energy)
    return tuple(sorted(found))
