"""Lines that no component explains, looked for in the residual of a fit."""

from dataclasses import dataclass

import numpy as np

from intercalate.reduction.profiles import pseudo_voigt
from intercalate.reduction.results import Estimate
from intercalate.reduction.separable import Point
from intercalate.reduction.xps.model import ActiveModel

_STEP_EV = 0.25
_WIDTH_EV = 1.4
"""Of a line that may be there, with the instrument's."""

_MARGIN_EV = 1.0


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
    """The strongest line of each region that the fit cannot imitate by moving any of its parameters.

    Parameters
    ----------
    weight
        Reciprocal standard error of each point, shape (points,).
    tangent, inverse
        Weighted derivatives of the model by all parameters, shape (points, P), and the inverse of their
        normal equations with the prior.
    """
    options, found = model.options, []
    for region, window in zip(model.regions, model.windows):
        energy = window.energy
        centres = np.arange(energy[0] + _MARGIN_EV, energy[-1] - _MARGIN_EV, _STEP_EV)
        if not centres.size:
            continue
        full = np.full(centres.size, _WIDTH_EV)
        lines = pseudo_voigt(energy, centres, full, 0.1 * full).value
        # Its own background lies behind it, as it does behind the others.
        loss = point.parameters[model.first_of_regions + 2 * len(model.windows) + model.windows.index(window)]
        lines = lines + loss * (window.loss @ lines)
        template = np.zeros((weight.size, centres.size))
        template[window.points] = lines * weight[window.points, None]
        apart = template - tangent @ (inverse @ (tangent.T @ template))
        strength = np.einsum("ij,ij->j", template, apart)
        area = np.einsum("ij,i->j", apart, point.residual) / np.maximum(strength, 1e-300)
        sigma = 1.0 / np.sqrt(np.maximum(strength, 1e-300))
        significance = np.where(strength > 1e-6 * (template**2).sum(axis=0), area / sigma, 0.0)
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
