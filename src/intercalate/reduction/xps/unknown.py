"""Lines that no component explains, looked for in the residual of a fit."""

from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev

from intercalate.materials.xps import level_named
from intercalate.reduction.profiles import pseudo_voigt
from intercalate.reduction.results import Estimate
from intercalate.reduction.separable import Point
from intercalate.reduction.xps.model import TAIL_EV, ActiveGeometry, ActiveModel

_STEP_EV = 0.25
_WIDTH_EV = 1.4
"""Of a line that may be there, with the instrument's."""

_MARGIN_EV = 1.0

_LEAST_OF_ITS_OWN = 0.05
"""Of a line that the fit cannot imitate: below, it would lie under a line that is known."""

_OF_A_LINE = 0.8
"""In full widths at half maximum, within which a residual belongs to a known line."""

_BEND_EV = 5.0
"""Over which a background may bend: what is broader than that is no line."""


@dataclass(frozen=True, slots=True)
class UnknownLine:
    """A line in the residual.

    Attributes
    ----------
    binding_ev
        On the scale of the instrument.
    area
        Counts eV.
    significance
        Of the area, in standard errors of counting.
    """

    region: str
    binding_ev: Estimate
    area: Estimate
    significance: float


def unknown_lines(
    model: ActiveModel, weight: np.ndarray, point: Point, tangent: np.ndarray, inverse: np.ndarray
) -> tuple[UnknownLine, ...]:
    """The strongest line of each region that the fit cannot imitate by moving any of its parameters, nor a
    background by bending, and that lies apart from known lines.

    Parameters
    ----------
    weight
        Reciprocal standard error of each point, shape (points,).
    tangent, inverse
        Weighted derivatives of the model by all parameters, shape (points, P), and the inverse of their
        normal equations with the prior.
    """
    options, found = model.options, []
    for number, (region, window) in enumerate(zip(model.regions, model.windows)):
        energy = window.energy
        centres = np.arange(energy[0] + _MARGIN_EV, energy[-1] - _MARGIN_EV, _STEP_EV)
        if not centres.size:
            continue
        full = np.full(centres.size, _WIDTH_EV)
        lines = pseudo_voigt(energy, centres, full, 0.1 * full).value
        # Its own background lies behind it, as it does behind the others.
        assert isinstance(point.geometry, ActiveGeometry)
        lines = lines + np.tensordot(point.geometry.behind[:, number], window.kinds, axes=1) @ lines
        template = np.zeros((weight.size, centres.size))
        template[window.points] = lines * weight[window.points, None]
        whole = (template**2).sum(axis=0)
        bends = np.zeros((weight.size, max(round(np.ptp(energy) / _BEND_EV), 1)))
        span = 2 * (energy - energy[0]) / np.ptp(energy) - 1
        bends[window.points] = chebyshev.chebvander(span, bends.shape[1] + 1)[:, 2:]
        bends *= weight[:, None]
        template, bends = (one - tangent @ (inverse @ (tangent.T @ one)) for one in (template, bends))
        basis, _ = np.linalg.qr(bends)
        apart = template - basis @ (basis.T @ template)
        strength = np.einsum("ij,ij->j", apart, apart)
        area = np.einsum("ij,i->j", apart, point.residual) / np.maximum(strength, 1e-300)
        sigma = 1.0 / np.sqrt(np.maximum(strength, 1e-300))
        significance = np.where(strength > _LEAST_OF_ITS_OWN * whole, area / sigma, 0.0)
        significance[_under_known_lines(model, point, window.members, centres)] = 0.0
        best = int(np.argmax(significance))
        largest = float(np.max(model.areas(point)[window.members], initial=0.0))
        if significance[best] < options.unknown_sigma or area[best] < options.unknown_fraction * largest:
            continue
        position_sigma = _WIDTH_EV / 2.355 / significance[best]
        found.append(
            UnknownLine(
                region.name,
                Estimate(float(centres[best]), float(np.hypot(position_sigma, _STEP_EV / np.sqrt(12))), 0.2),
                Estimate(float(area[best]), float(sigma[best]), 0.2 * float(area[best])),
                float(significance[best]),
            )
        )
    return tuple(found)


def _under_known_lines(
    model: ActiveModel, point: Point, members: np.ndarray, centres: np.ndarray
) -> np.ndarray:
    """Where what is left over belongs to the shape of a line that is known, shape of `centres`."""
    geometry, areas = point.geometry, model.areas(point)
    found = np.zeros(centres.size, dtype=bool)
    for number in members:
        if areas[number] <= 0:
            continue
        width = np.hypot(geometry.gaussian[number], geometry.lorentzian[number])
        level = level_named(model.components[number].level)
        reach = _OF_A_LINE * width
        tail = TAIL_EV if model.components[number].is_asymmetric else 0.0
        for apart in {0.0, level.splitting_ev}:
            beside = centres - geometry.centre[number] - apart
            found |= (beside > -reach) & (beside < max(reach, tail))
    return found
