"""Areas of the lines of elements, over a background that a filter takes away.

The top-hat filter (F. H. Schamber, 1977, in: X-ray Fluorescence Analysis of Environmental Samples) gives zero
for whatever is straight over its width, and is applied to spectrum and line shapes alike. Counts in filtered
channels are not independent; errors follow from the counts of all channels by the linear map from spectrum to
areas.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage, sparse

from intercalate.materials.eds import (
    SILICON_EDGE_EV,
    SILICON_ESCAPE_EV,
    EmissionLine,
    XrayDetector,
    emission_lines,
)
from intercalate.reduction.eds.axis import EnergyAxis
from intercalate.reduction.eds.errors import SpectrumError, require_counts
from intercalate.reduction.eds.profile import TAIL, TAIL_SIGMA, peak_and_tail
from intercalate.reduction.linear import solve_nonnegative
from intercalate.reduction.results import Estimate

_DETECTION_SIGMA = 3.0
_PILE_UP, _PILE_UP_SIGMA = 0.015, 0.01
"""Of a line, counts that have come in pairs and are missing, and its standard uncertainty: two times the rate
and the 0.3 us in which a detector takes two for one, at 10,000 to 40,000 a second."""
_LINE_RATIO = 0.05
"""Relative standard uncertainty of each line of a family against the others."""
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
    covariance_stat, covariance_sys
        Of areas, in the order of `counts`, shape (families, families): what overlaps takes from each other.
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
    covariance_stat: np.ndarray
    covariance_sys: np.ndarray
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
    lines
        Of each family, the part of each of its lines in that, shape (lines, channels).
    tails
        Of each family, what one more part of its counts in its tail changes, shape (families, channels).
    filter_matrix
        Sparse, shape (channels, channels); rows of channels that are not used are zero.
    used
        Channels that are fitted.
    """

    names: tuple[str, ...]
    area: np.ndarray
    lines: tuple[np.ndarray, ...]
    tails: np.ndarray
    filter_matrix: sparse.csr_array
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
    lined: list[np.ndarray] = []
    tails: list[np.ndarray] = []
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
                one, tail = _family(lines, axis, detector, kv)
                lined.append(one)
                tails.append(tail)
        if len(names) == before:
            raise SpectrumError(
                f"{element} has no line between {least_ev:g} eV and what {kv:g} kV can excite; leave it out "
                f"or raise the "
                "voltage"
            )
    used = (energy > least_ev) & (energy < min(950.0 * kv, energy[-1]))
    area = np.array([one.sum(axis=0) for one in lined])
    return Shapes(tuple(names), area, tuple(lined), np.array(tails), _top_hat(axis, detector, used), used)


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
    variance = np.maximum(matrix.power(2) @ np.maximum(_smoothed(values), 1.0), 1e-9)
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
    to_areas = inverse @ (matrix.T @ (weight[:, None] * design)).T
    covariance = (to_areas * np.maximum(_smoothed(values), 1.0)) @ to_areas.T
    declared = _declared(shapes, areas, axis, to_areas) + max(chi2 - 1.0, 0.0) * covariance
    # With those that have come in pairs.
    whole = 1.0 / (1.0 - _PILE_UP)
    areas, covariance, declared = whole * areas, whole**2 * covariance, whole**2 * declared
    stat, systematic = np.sqrt(np.diag(covariance)), np.sqrt(np.diag(declared))
    estimates = {
        name: Estimate(float(areas[number]), float(stat[number]), float(systematic[number]))
        for number, name in enumerate(shapes.names)
    }
    correlation = covariance / np.outer(stat, stat) - np.eye(stat.size)
    worst = np.argmax(np.abs(correlation), axis=1)
    return LineFit(
        estimates,
        {name: one.value > _DETECTION_SIGMA * one.sigma for name, one in estimates.items()},
        covariance,
        declared,
        {
            name: (shapes.names[worst[at]], float(correlation[at, worst[at]]))
            for at, name in enumerate(shapes.names)
        },
        chi2,
        _unknown(left, variance, shapes, axis, detector, calculated),
        calculated,
        filtered,
    )


def _family(
    lines: Sequence[EmissionLine], axis: EnergyAxis, detector: XrayDetector, kv: float
) -> tuple[np.ndarray, np.ndarray]:
    """Profiles of the lines of a family, together of unit area, escape peaks with them; and by how much they
    change for each part that a tail takes from their peaks.
    """
    weights = np.array([_excited(one, kv) for one in lines])
    profiles = np.zeros((len(lines), axis.energy_ev.size))
    tail = np.zeros(axis.energy_ev.size)
    for number, (line, weight) in enumerate(zip(lines, weights / weights.sum())):
        peak, below = (
            axis.channel_ev * one for one in peak_and_tail(axis.energy_ev, line.energy_ev, detector)
        )
        profiles[number] = weight * ((1.0 - TAIL) * peak + TAIL * below)
        tail += weight * (below - peak)
        if line.energy_ev > SILICON_EDGE_EV:
            share = 0.01 * (SILICON_EDGE_EV / line.energy_ev) ** 2.5
            escape, _ = peak_and_tail(axis.energy_ev, line.energy_ev - SILICON_ESCAPE_EV, detector)
            profiles[number] += weight * share * axis.channel_ev * escape
    return profiles, tail


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


def _top_hat(axis: EnergyAxis, detector: XrayDetector, used: np.ndarray) -> sparse.csr_array:
    """Filter of every channel: a hat as wide as a line there, and brims of half of that."""
    count = axis.energy_ev.size
    widths = np.asarray(detector.width_ev(axis.energy_ev)) / axis.channel_ev / 2
    rows, columns, values = [], [], []
    for channel in np.flatnonzero(used):
        half = max(1, round(float(widths[channel])))
        low, high = channel - 2 * half, channel + 2 * half + 1
        if low < 0 or high > count:
            continue
        hat = np.full(high - low, -0.5 / half)
        hat[half:-half] = 1.0 / (2 * half + 1)
        rows.append(np.full(hat.size, channel))
        columns.append(np.arange(low, high))
        values.append(hat)
    place = (np.concatenate(rows), np.concatenate(columns))
    return sparse.csr_array((np.concatenate(values), place), shape=(count, count))


def _smoothed(values: np.ndarray) -> np.ndarray:
    """Expected counts of a channel from its neighbours, so that a channel does not weigh itself."""
    return np.convolve(np.pad(values, 2, mode="edge"), np.full(5, 0.2), "valid")


def _declared(shapes: Shapes, areas: np.ndarray, axis: EnergyAxis, to_areas: np.ndarray) -> np.ndarray:
    """Covariance of areas by what counting does not show, shape (families, families).

    One standard error each of the energy axis, the tail and pile-up moves all areas together; the strength of
    each line in its family moves its own and those that it overlaps.
    """
    expected = areas @ shapes.area
    moved = [
        to_areas @ (np.gradient(expected, axis.energy_ev) * axis.sigma_ev),
        TAIL_SIGMA * to_areas @ (areas @ shapes.tails),
        _PILE_UP_SIGMA * areas,
    ]
    for number, (area, lines) in enumerate(zip(areas, shapes.lines)):
        if area <= 0 or len(lines) < 2:
            continue
        for line in lines:
            change = _LINE_RATIO * area * (to_areas @ line)
            # More of the line is more of the family as well.
            change[number] -= _LINE_RATIO * area * float(line.sum())
            moved.append(change)
    steps = np.array(moved)
    return steps.T @ steps


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
