"""Fit of one or several regions together, and what it says with its errors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from intercalate.materials.xps import level_named
from intercalate.reduction.linear import regularised
from intercalate.reduction.results import CONVERGED, UNDETERMINED, Estimate
from intercalate.reduction.separable import Point
from intercalate.reduction.xps.components import Component, XpsOptions
from intercalate.reduction.xps.counts import RegionSpectrum, XpsError
from intercalate.reduction.xps.model import ActiveFit, ActiveModel, ActiveProfiles
from intercalate.reduction.xps.search import scan, searched
from intercalate.reduction.xps.unknown import UnknownLine, unknown_lines

_OTHER_EV, _OTHER_CHI2 = 0.8, 0.5
"""A shift is another one when it lies so far away, and fits nearly as well: within this part of chi squared,
because a profile that is not the true one makes such differences."""

_PASSES = 3
"""Of a fit: weights from the counts, then twice from the fit before, which is what counts scatter about."""


@dataclass(frozen=True)
class FittedRegion:
    """One region as it was fitted; shape (points,), `components` and
    `templates` (points, components of the region).

    Attributes
    ----------
    components
        Lines without background, as they lie on it.
    background
        Of all components, with what does not belong to any.
    templates
        Components of unit area with the background that lies behind them.
    """

    name: str
    binding_ev: np.ndarray
    counts: np.ndarray
    sigma: np.ndarray
    model: np.ndarray
    background: np.ndarray
    components: np.ndarray
    templates: np.ndarray
    component_names: tuple[str, ...]

    @property
    def residual(self) -> np.ndarray:
        """In standard errors."""
        return (self.counts - self.model) / self.sigma


@dataclass(frozen=True)
class XpsFit:
    """What a fit found; NaN where it did not converge, and for positions and widths that ended at a bound.

    Attributes
    ----------
    components
        Those that were asked for, in their order.
    area
        By component, counts eV, whole doublets.
    centre, width
        Binding energy on the scale of the instrument (stronger line of a doublet), and Gaussian full width at
        half maximum with the instrument's.
    shift
        By layer: of its lines against the tables.
    separation
        By component: how far it lies from where the tables and the shift of its layer have it.
    present
        Whether a component stands out.
    covariance_stat, covariance_sys
        Of the areas in the order of the components.
    unknown
        Lines in the residual that no component explains.
    other_shifts
        By layer: another shift that describes the spectra nearly as well, with lines taken for those of other
        species. It is not decided which species they are; another region, or a known charge, decides.
    """

    components: tuple[Component, ...]
    area: dict[str, Estimate]
    centre: dict[str, Estimate]
    width: dict[str, Estimate]
    shift: dict[str, Estimate]
    separation: dict[str, Estimate]
    present: dict[str, bool]
    covariance_stat: np.ndarray
    covariance_sys: np.ndarray
    unknown: tuple[UnknownLine, ...]
    reduced_chi2: float
    converged: bool
    message: str
    regions: tuple[FittedRegion, ...]
    spectra: tuple[RegionSpectrum, ...]
    other_shifts: Mapping[str, float] = field(default_factory=dict)

    def region(self, name: str) -> FittedRegion:
        """The region of this name.

        Raises
        ------
        XpsError
            If there is none.
        """
        for one in self.regions:
            if one.name == name:
                return one
        known = ", ".join(one.name for one in self.regions)
        raise XpsError(f"no region {name!r} was fitted; there are {known}")


def fit_regions(
    spectra: Sequence[RegionSpectrum], components: Sequence[Component], options: XpsOptions | None = None
) -> XpsFit:
    """Fit components and their backgrounds to regions, all together.

    Raises
    ------
    XpsError
        If names are not unique, a component lies in no region or outside its own, a region has no component
        or too few points.
    """
    options = options or XpsOptions()
    _check(spectra, components)
    model = ActiveModel(spectra, components, options)
    observed = np.concatenate([one.counts[one.used] for one in spectra])
    sigma = np.concatenate([one.sigma[one.used] for one in spectra])
    parameters = model.expected.copy()
    fit = ActiveFit(model, observed, sigma)
    if options.search_ev > 0:
        parameters = searched(fit, parameters, options.search_ev)
    point = fit.evaluate(parameters)
    message, free = "", np.zeros(0, dtype=bool)
    for number in range(_PASSES):
        point, free, message = _minimised(fit, point)
        if message != CONVERGED or number == _PASSES - 1:
            break
        calculated = (point.design @ point.linear) / fit.weight
        sigma = np.concatenate(
            [one.expected_sigma(calculated[window.points]) for one, window in zip(spectra, model.windows)]
        )
        left = fit.allowed
        fit = ActiveFit(model, observed, sigma)
        fit.allowed = left
        point = fit.evaluate(point.parameters, point.passive)
    rivals = _rivals(fit, point, options.search_ev) if message == CONVERGED and options.search_ev > 0 else []
    better = min(rivals, key=lambda one: one[1].chi2, default=None)
    if better is not None and better[1].chi2 < point.chi2 - 1.0:
        # The grid knows nothing of separations and widths, and may have taken one line for another.
        rivals = [(layer, point if one is better[1] else one) for layer, one in rivals]
        point, free, message = _minimised(fit, better[1])
    found = _result(fit, point, free, message)
    return replace(found, other_shifts=_other_shifts(fit, point, found, rivals))


def _rivals(fit: ActiveFit, point: Point, reach_ev: float) -> list[tuple[int, Point]]:
    """What the fit comes to from other shifts of single layers: the best of the minima of a grid, far from
    where they are, with all lines where tables have them beside the strongest of their layer.
    """
    layers, areas = len(fit.model.layers), fit.model.areas(point)
    start = fit.model.expected.copy()
    for layer, name in enumerate(fit.model.layers):
        mine = [number for number, one in enumerate(fit.model.components) if one.layer == name]
        strongest = max(mine, key=lambda number: areas[number])
        start[layer] = point.parameters[layer] + point.parameters[layers + strongest]
    found = []
    for layer in range(layers):
        grid, tried = scan(fit, start, layer, reach_ev)
        around = np.concatenate([[np.inf], tried, [np.inf]])
        is_far = np.abs(grid - point.parameters[layer]) > _OTHER_EV
        minima = np.flatnonzero((tried < around[:-2]) & (tried < around[2:]) & is_far)
        if minima.size:
            other = start.copy()
            other[layer] = grid[minima[np.argmin(tried[minima])]]
            again = ActiveFit(fit.model, fit.observed / fit.weight, 1.0 / fit.weight)
            found.append((layer, _minimised(again, again.evaluate(other))[0]))
    return found


def _other_shifts(
    fit: ActiveFit, point: Point, found: XpsFit, rivals: Sequence[tuple[int, Point]]
) -> dict[str, float]:
    """Shifts at which the lines of a layer, each taken for another one, fit nearly as well."""
    if not found.converged:
        return {}
    ambiguous: dict[str, float] = {}
    for layer, other in rivals:
        name = fit.model.layers[layer]
        if not any(found.present[one.name] for one in found.components if one.layer == name):
            continue
        apart = abs(other.parameters[layer] - point.parameters[layer])
        if apart > _OTHER_EV and other.chi2 < (1.0 + _OTHER_CHI2) * point.chi2:
            ambiguous[name] = float(other.parameters[layer])
    return ambiguous


def _minimised(fit: ActiveFit, point: Point) -> tuple[Point, np.ndarray, str]:
    """Minimise; where that does not end, leave out what is there with less than its error.

    A line that fades away has no position any more, and steps along it lead nowhere.
    """
    everything = np.ones(fit.model.expected.size, dtype=bool)
    while True:
        point, _, free, _, message = fit.minimise(point, everything)
        if message == CONVERGED:
            return point, free, message
        columns = len(fit.model.columns)
        errors = _errors(fit, point, free)
        sigma = np.sqrt(np.diag(errors.stat)[free.size : free.size + columns])
        strength = np.where(fit.allowed, point.linear[:columns] / np.maximum(sigma, 1e-300), np.inf)
        weakest = int(np.argmin(strength))
        if not strength[weakest] < 1.0:
            return point, free, message
        fit.allowed = fit.allowed & (np.arange(columns) != weakest)
        point = fit.evaluate(point.parameters)


def _check(spectra: Sequence[RegionSpectrum], components: Sequence[Component]) -> None:
    if not spectra or not components:
        raise XpsError(f"{len(spectra)} regions and {len(components)} components: nothing to fit")
    for kind, names in (
        ("regions", [one.name for one in spectra]),
        ("components", [one.name for one in components]),
    ):
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise XpsError(f"two {kind} have the same name: {', '.join(sorted(twice))}")
    by_name = {one.name: one for one in spectra}
    for one in components:
        if one.region not in by_name:
            raise XpsError(f"component {one.name} lies in region {one.region!r}, which was not measured")
        energy = by_name[one.region].binding_ev
        if not energy[0] < one.binding_ev < energy[-1]:
            raise XpsError(
                f"component {one.name} at {one.binding_ev:g} eV lies outside of region {one.region}, which "
                f"reaches from {energy[0]:g} to {energy[-1]:g} eV"
            )
    for name, spectrum in by_name.items():
        count = sum(one.region == name for one in components)
        points = int(spectrum.used.sum())
        if count == 0:
            raise XpsError(f"no component lies in region {name}; leave it out or name what is there")
        if points < 3 * count + 8:
            raise XpsError(
                f"region {name} has {points} points that can be used, too few for {count} components"
            )


@dataclass(frozen=True)
class _Errors:
    """Covariances of all parameters, nonlinear ones first, from counting and from what was assumed."""

    stat: np.ndarray
    sys: np.ndarray
    inverse: np.ndarray
    tangent: np.ndarray


def _errors(fit: ActiveFit, point: Point, free: np.ndarray) -> _Errors:
    """Sandwich of the data between the normal equations with the prior (all linear parameters in use).

    What is assumed beforehand scatters not from one measurement to the next: its part of the covariance is
    a systematic error.
    """
    count = free.size
    tangent = np.concatenate([fit.jacobian(point), point.design], axis=1)
    held = np.flatnonzero(~free)
    tangent[:, held] = 0.0
    data = tangent.T @ tangent
    prior = np.zeros(data.shape[0])
    prior[:count] = fit.prior
    scale = np.sqrt(np.maximum(np.diag(data) + prior, 1e-300))
    whole = (data + np.diag(prior)) / np.outer(scale, scale)
    inverse = np.linalg.inv(regularised(whole)) / np.outer(scale, scale)
    stat = inverse @ data @ inverse
    sys = (inverse * prior) @ inverse
    return _Errors(stat, sys, inverse, tangent)


def _result(fit: ActiveFit, point: Point, free: np.ndarray, message: str) -> XpsFit:
    model, options = fit.model, fit.model.options
    converged = message == CONVERGED
    errors = _errors(fit, point, free)
    used = int(free.sum()) + int(point.passive.sum())
    reduced = float(point.residual @ point.residual) / max(point.residual.size - used, 1)
    misfit = max(reduced - 1.0, 0.0)
    areas, slopes = model.areas(point), model.area_slopes(point)
    declared = _declared(fit, point, areas)
    stat = slopes @ errors.stat @ slopes.T
    sys = slopes @ errors.sys @ slopes.T + misfit * stat + np.diag(declared**2)
    area: dict[str, Estimate] = {}
    present: dict[str, bool] = {}
    for number, one in enumerate(model.components):
        own = Estimate(*map(float, (areas[number], stat[number, number] ** 0.5, sys[number, number] ** 0.5)))
        area[one.name] = own if converged else UNDETERMINED
        present[one.name] = converged and own.value > options.detection_sigma * own.sigma
    centre, width, separation, shift = _positions(fit, point, free & converged, errors, misfit)
    unknown = unknown_lines(model, fit.weight, point, errors.tangent, errors.inverse) if converged else ()
    return XpsFit(
        components=tuple(model.components),
        area=area,
        centre=centre,
        width=width,
        shift=shift,
        separation=separation,
        present=present,
        covariance_stat=stat,
        covariance_sys=sys,
        unknown=unknown,
        reduced_chi2=reduced,
        converged=converged,
        message=message,
        regions=_regions(fit, point),
        spectra=tuple(model.regions),
    )


def _declared(fit: ActiveFit, point: Point, areas: np.ndarray) -> np.ndarray:
    """Systematic errors of areas that are stated beforehand, shape (components,).

    A background and a profile that are not the true ones, and what such a profile leaves of a strong line to
    its neighbours, which dies away over a full width.
    """
    options, components, geometry = fit.model.options, fit.model.components, point.geometry
    own = np.hypot(options.background_fraction, options.profile_fraction) * areas
    region = np.array([one.region for one in components])
    above = np.array([level_named(one.level).splitting_ev for one in components])
    apart = geometry.centre[:, None] - geometry.centre
    apart = np.minimum(np.abs(apart), np.abs(apart - above))
    left = (
        options.profile_fraction * areas * np.exp(-apart / np.hypot(geometry.gaussian, geometry.lorentzian))
    )
    left[(region[:, None] != region) | np.eye(region.size, dtype=bool)] = 0.0
    return np.sqrt(own**2 + (left**2).sum(axis=1))


def _positions(
    fit: ActiveFit, point: Point, known: np.ndarray, errors: _Errors, misfit: float
) -> tuple[dict[str, Estimate], ...]:
    """Centres, widths and separations by component, and shifts by layer; none of what ended at a bound.

    Parameters
    ----------
    known
        Nonlinear parameters that were free to move to where they are, shape (P,).
    """
    model = fit.model
    layers, lines = len(model.layers), len(model.components)

    def estimate(value: float, *indices: int, extra: float = 0.0) -> Estimate:
        if not known[list(indices)].all():
            return UNDETERMINED
        block = np.ix_(indices, indices)
        stat, sys = float(errors.stat[block].sum()), float(errors.sys[block].sum())
        return Estimate(float(value), float(np.sqrt(stat)), float(np.sqrt(sys + misfit * stat + extra**2)))

    centre, width, separation = {}, {}, {}
    for number, one in enumerate(model.components):
        layer, own = model.layers.index(one.layer), layers + number
        gaussian, lorentzian = point.geometry.gaussian[number], point.geometry.lorentzian[number]
        shape = model.options.profile_fraction * float(np.hypot(gaussian, lorentzian))
        centre[one.name] = estimate(point.geometry.centre[number], layer, own, extra=shape)
        width[one.name] = estimate(gaussian, own + lines, extra=2 * shape)
        separation[one.name] = estimate(point.parameters[own], own, extra=shape)
    shift = {name: estimate(point.parameters[number], number) for number, name in enumerate(model.layers)}
    return centre, width, separation, shift


def _regions(fit: ActiveFit, point: Point) -> tuple[FittedRegion, ...]:
    profiles = point.profiles
    assert isinstance(profiles, ActiveProfiles)
    calculated = (point.design @ point.linear) / fit.weight
    bare = profiles.bare * fit.model.areas(point)
    found = []
    for spectrum, window in zip(fit.model.regions, fit.model.windows):
        parts = bare[window.points, window.members]
        found.append(
            FittedRegion(
                name=spectrum.name,
                binding_ev=window.energy,
                counts=fit.observed[window.points] / fit.weight[window.points],
                sigma=1.0 / fit.weight[window.points],
                model=calculated[window.points],
                background=calculated[window.points] - parts.sum(axis=1),
                components=parts,
                templates=profiles.lines.value[window.points, window.members],
                component_names=tuple(fit.model.components[number].name for number in window.members),
            )
        )
    return tuple(found)
