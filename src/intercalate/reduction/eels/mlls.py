"""Maps of components: multiple linear least squares of reference edges, all pixels at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from intercalate.reduction.eels.pixel_fits import Fitted, Solved, Solver
from intercalate.reduction.eels.spectra import EelsError, SpectrumImage
from intercalate.reduction.linear import regularised
from intercalate.reduction.results import UNDETERMINED, Estimate

_BLOCK = 128
"""Pixels that are fitted at once: what fits into the caches is faster."""

_MODE_PERIODS_EV = (6.0, 9.0, 14.0, 21.0, 32.0, 50.0)


@dataclass(frozen=True)
class Component:
    """A reference edge.

    Attributes
    ----------
    template
        Electrons per channel, for one incident electron and one unit of amount. Shape (channels,), or
        (bins, channels) for each bin of thickness.
    variance
        Of the template's own noise, shape (channels,): taken off the normal equations, which would otherwise
        hold it for signal and find too little, and counted as an error. 0 where there is none.
    amount_sigma
        Relative standard uncertainty of the amount in the reference.
    parts
        Edges that the template is a sum of, each with its factor; empty where it is one itself.
    """

    name: str
    template: np.ndarray
    variance: np.ndarray | float = 0.0
    amount_sigma: float = 0.03
    parts: tuple[tuple["Component", float], ...] = ()

    @property
    def edges(self) -> tuple[tuple["Component", float], ...]:
        """Measured edges in it, each with its factor."""
        return self.parts or ((self, 1.0),)


def difference(name: str, component: Component, other: Component) -> Component:
    """What changes when an amount of one component becomes the other.

    Fitted beside `other`, whose amount is then that of both, where two components are alike. Both edges keep
    their own noise and their own errors of shape: where half has become the other, half of each counts.
    """
    return Component(
        name,
        component.template - other.template,
        np.asarray(component.variance) + np.asarray(other.variance),
        max(component.amount_sigma, other.amount_sigma),
        (*component.edges, *((edge, -factor) for edge, factor in other.edges)),
    )


@dataclass(frozen=True)
class FitSettings:
    """How to fit components.

    Attributes
    ----------
    exponents
        The background is a sum of these powers of the loss, of any sign: none of them fits by itself (Cueva
        et al., Microsc. Microanal. 18 (2012) 667).
    shape_sigma
        Declared: by what part near-edge structure differs between a sample and its reference.
    largest_confusion
        An amount whose error grows so much by the presence of the others that this factor times `shape_sigma`
        is more is not determined: the shapes are not known well enough to tell them apart.
    is_nonnegative
        Whether amounts are held at 0; what is then said of errors near 0 is too small.
    """

    exponents: tuple[float, ...] = (1.0, 2.5, 4.0)
    shape_sigma: float = 0.03
    largest_confusion: float = 0.8
    is_nonnegative: bool = False


@dataclass(frozen=True)
class ComponentMaps:
    """Amounts of all components.

    Attributes
    ----------
    amount, sigma_stat, sigma_sys
        By component, shape (rows, columns); NaN where the component is not determined.
    edges
        Names of the references, each of which errs by itself.
    sigma_by_edge
        By component, shape (edges, rows, columns): the part of `sigma_sys` that is of each edge, with the
        sign of its amount. It adds up linearly over pixels and images of one sample, edges in quadrature.
    common_sigma
        By component, relative: of the reference's amount, the same for all pixels, in addition.
    inflation
        By component: error with all others over error alone.
    reduced_chi2
        1 where the components are all there is. Shape (rows, columns).
    misfit
        What is not explained, in parts of the edges' signal, noise taken off; 0 where there is hardly an
        edge. Shape (rows, columns).
    is_unknown
        Where that is more than shapes differ by: a species that is not among the components.
    residual
        Mean over those pixels, or over all where there are none; electrons, shape (channels,).
    energy_ev
        Axis, shape (channels,).
    fitted
        What the spectra were fitted with.
    """

    amount: Mapping[str, np.ndarray]
    sigma_stat: Mapping[str, np.ndarray]
    sigma_sys: Mapping[str, np.ndarray]
    edges: tuple[str, ...]
    sigma_by_edge: Mapping[str, np.ndarray]
    common_sigma: Mapping[str, float]
    inflation: Mapping[str, float]
    reduced_chi2: np.ndarray
    misfit: np.ndarray
    is_unknown: np.ndarray
    residual: np.ndarray
    energy_ev: np.ndarray
    fitted: Fitted

    @property
    def model(self) -> np.ndarray:
        """Fitted spectra, shape (rows, columns, channels)."""
        return self.fitted.spectra()

    @property
    def background(self) -> np.ndarray:
        """Part of the model that is no edge, shape (rows, columns, channels)."""
        return self.fitted.spectra(self.fitted.edges)

    def determined(self, name: str) -> bool:
        """Whether a component can be told from all others."""
        return bool(np.isfinite(self.amount[name]).any())

    def mean(self, name: str, where: np.ndarray | None = None) -> Estimate:
        """Mean amount over pixels; shapes and references err alike in all of them."""
        amount = self.amount[name]
        inside = np.isfinite(amount) if where is None else where & np.isfinite(amount)
        if not inside.any():
            return UNDETERMINED
        value = float(amount[inside].mean())
        stat = float(np.sqrt(np.sum(self.sigma_stat[name][inside] ** 2))) / int(inside.sum())
        systematic = np.hypot(self.sigma_sys[name][inside].mean(), self.common_sigma[name] * value)
        return Estimate(value, stat, float(systematic))


def fit_components(
    image: SpectrumImage,
    components: Sequence[Component],
    incident: np.ndarray,
    settings: FitSettings | None = None,
    thickness_bin: np.ndarray | None = None,
) -> ComponentMaps:
    """Fit components and background to every pixel.

    Parameters
    ----------
    image
        The part of the axis that is to be fitted; templates are on its channels.
    incident
        Electrons that entered each pixel in the time of this window, shape (rows, columns).
    thickness_bin
        Number of the bin of each pixel, shape (rows, columns); None where templates have no bins.

    Raises
    ------
    EelsError
        If shapes do not fit, there are too few channels, or a pixel has no electrons.
    """
    settings = FitSettings() if settings is None else settings
    rows, columns, channels = image.electrons.shape
    flat = image.electrons.reshape(-1, channels)
    total = flat.sum(axis=1)
    _check(image, components, incident, settings, total)
    bins = np.zeros(flat.shape[0], int) if thickness_bin is None else thickness_bin.ravel()
    powers = (image.energy_ev / image.energy_ev.mean())[:, None] ** -np.array(settings.exponents)
    mean = np.maximum(flat.mean(axis=0), 1e-12)
    # What is expected of each pixel before anything is fitted: the mean spectrum, as bright as the pixel.
    bright = np.maximum(total, 1.0) / mean.sum()
    count = len(components)
    extra = np.asarray(image.background_variance)
    extra = extra.reshape(-1, channels) if extra.ndim else extra
    edges, made_of = _edges_of(components)
    found = _Found.empty(flat.shape[0], count, len(edges), len(settings.exponents), bins)
    noise = np.array([np.broadcast_to(one.variance, (channels,)) for one in edges.values()]).T
    modes = shape_modes(image.energy_ev).T[:, None, :]
    held = count if settings.is_nonnegative else 0
    for number in np.unique(bins):
        inside = np.flatnonzero(bins == number)
        shapes = np.array(
            [one.template if one.template.ndim == 1 else one.template[number] for one in edges.values()]
        ).T.reshape(channels, len(edges))
        templates = shapes @ made_of
        scale = np.abs(templates).mean(axis=0)
        design = np.concatenate([templates / scale, powers], axis=1)
        # Components that share an edge share its noise.
        shared = np.einsum("ce,ei,ej->cij", noise, made_of / scale, made_of / scale)
        solver = Solver.of(design, shared)
        varies = np.zeros(channels)
        for first in range(0, inside.size, _BLOCK):
            which = inside[first : first + _BLOCK]
            data, own = flat[which], extra[which] if extra.ndim else extra
            expected = bright[which, None] * mean
            solution = solver.solved(data, 1.0 / (expected + own), 0).solution
            expected *= 0.05
            variance = np.maximum(solution @ design.T, expected, out=expected)
            variance += own
            varies += variance.sum(axis=0)
            found.put(which, design, scale, data, solver.solved(data, 1.0 / variance, held))
        deviations = settings.shape_sigma * shapes[:, :, None] * modes
        response = _response(deviations, noise, design, inside.size / varies, count)
        of_edges = found.amount[inside] @ made_of.T
        found.by_edge[inside] = of_edges[:, None, :] * np.sqrt(response) / scale[:, None]
        found.designs[int(number)] = design
    return found.maps(image, components, tuple(edges), incident, settings, (rows, columns))


def _edges_of(components: Sequence[Component]) -> tuple[dict[str, Component], np.ndarray]:
    """Edges by name, and their factors in all components, shape (edges, components)."""
    edges = {edge.name: edge for one in components for edge, _ in one.edges}
    return edges, np.array(
        [[sum(f for edge, f in one.edges if edge.name == name) for one in components] for name in edges]
    )


def _check(
    image: SpectrumImage,
    components: Sequence[Component],
    incident: np.ndarray,
    settings: FitSettings,
    total: np.ndarray,
) -> None:
    """`total` are the electrons of each pixel, which are numbers where all of its channels are."""
    rows, columns, channels = image.electrons.shape
    if not components:
        raise EelsError("there are no components to be fitted")
    for one in components:
        if one.template.shape[-1] != channels or not np.isfinite(one.template).all():
            raise EelsError(
                f"the reference {one.name!r} has the shape {one.template.shape} or holds what is no number; "
                f"the spectra have {channels} channels"
            )
    if channels < 3 * (len(components) + len(settings.exponents)):
        raise EelsError(f"{channels} channels are too few for {len(components)} components")
    if incident.shape != (rows, columns) or not np.all(incident > 0):
        raise EelsError(f"incident electrons must be above 0 with shape {(rows, columns)}")
    if not np.isfinite(total).all():
        raise EelsError("the spectrum image holds what is no number")
    if not total.sum() > 0:
        raise EelsError("the spectrum image is dark; was the window in the right place?")


def shape_modes(energy_ev: np.ndarray) -> np.ndarray:
    """Slow waves by which the shape of an edge may differ, variance 1 together. Shape (modes, channels)."""
    phase = 2 * np.pi * energy_ev / np.array(_MODE_PERIODS_EV)[:, None]
    return np.concatenate([np.cos(phase), np.sin(phase)]) / np.sqrt(len(_MODE_PERIODS_EV))


def _response(
    deviations: np.ndarray, noise: np.ndarray, design: np.ndarray, weight: np.ndarray, count: int
) -> np.ndarray:
    """Variance of each amount for one unit of each edge, by shapes and noise of templates.

    Parameters
    ----------
    deviations
        Of each edge in each mode, shape (channels, edges, modes).
    noise
        Variance of each edge, shape (channels, edges).

    Returns
    -------
    numpy.ndarray
        Shape (components, edges).
    """
    gram = regularised(design.T @ (weight[:, None] * design))
    solver = np.linalg.solve(gram, design.T * weight)[:count]
    moved = (solver @ deviations.reshape(weight.size, -1)).reshape(count, deviations.shape[1], -1)
    return np.sum(moved**2, axis=2) + solver**2 @ noise


@dataclass
class _Found:
    """What has been found so far, of all pixels."""

    amount: np.ndarray
    stat: np.ndarray
    inflation: np.ndarray
    chi2: np.ndarray
    signal: np.ndarray
    poisson_part: np.ndarray
    solution: np.ndarray
    by_edge: np.ndarray
    bins: np.ndarray
    designs: dict[int, np.ndarray]

    @classmethod
    def empty(cls, pixels: int, count: int, edges: int, terms: int, bins: np.ndarray) -> "_Found":
        return cls(
            *(np.zeros((pixels, count)) for _ in range(3)),
            *(np.zeros(pixels) for _ in range(3)),
            solution=np.zeros((pixels, count + terms)),
            by_edge=np.zeros((pixels, count, edges)),
            bins=bins,
            designs={},
        )

    def put(
        self, which: np.ndarray, design: np.ndarray, scale: np.ndarray, data: np.ndarray, solved: Solved
    ) -> None:
        """Keep some pixels of one bin."""
        count, solution, weight = scale.size, solved.solution, solved.weight
        self.solution[which] = solution
        self.amount[which] = solution[:, :count] / scale
        diagonal = np.einsum("pii->pi", solved.covariance)[:, :count]
        self.stat[which] = np.sqrt(diagonal) / scale
        alone = np.einsum("pii->pi", solved.gram)[:, :count]
        self.inflation[which] = np.sqrt(diagonal * alone)
        of_edges = solution[:, :count]
        self.signal[which] = np.einsum("pi,pij,pj->p", of_edges, solved.gram[:, :count, :count], of_edges)
        model = solution @ design.T
        self.poisson_part[which] = np.einsum("pc,pc->p", weight, model) / model.shape[1]
        left = np.subtract(data, model, out=model)
        self.chi2[which] = np.einsum("pc,pc->p", weight * left, left)

    def maps(
        self,
        image: SpectrumImage,
        components: Sequence[Component],
        edges: tuple[str, ...],
        incident: np.ndarray,
        settings: FitSettings,
        shape: tuple[int, int],
    ) -> ComponentMaps:
        """As images."""
        names = [one.name for one in components]
        degrees = image.energy_ev.size - self.solution.shape[1]
        # Reading is not spread by the light of an electron: only the alignment joins its neighbours.
        counted = np.clip(self.poisson_part, 0.0, 1.0)
        factor = counted * image.noise_factor.ravel() + (1 - counted) * image.read_factor.ravel()
        reduced = self.chi2 / degrees / factor
        excess = np.maximum(reduced - 1.0, 0.0) * degrees
        # Where there is hardly an edge there is nothing of which a part could be left.
        is_edge = self.signal > 10.0 * self.solution.shape[1]
        misfit = np.where(is_edge, np.sqrt(excess / np.maximum(self.signal, 1e-300)), 0.0)
        inflation = {name: float(np.median(self.inflation[:, number])) for number, name in enumerate(names)}
        significant = reduced > 1.0 + 5.0 * np.sqrt(2.0 / degrees)
        unknown = significant & (misfit > 3.0 * settings.shape_sigma)
        seen = unknown if unknown.any() else np.ones(unknown.size, bool)
        fitted = Fitted(self.bins.reshape(shape), self.designs, self.solution.reshape(*shape, -1), len(names))
        seen = seen.reshape(shape)
        residual = image.electrons.mean(axis=(0, 1), where=seen[..., None]) - fitted.mean(seen)
        extra = np.where(significant, np.sqrt(np.maximum(reduced - 1.0, 0.0)), 0.0)
        per = incident.ravel()

        def mapped(values: np.ndarray, name: str) -> np.ndarray:
            if inflation[name] * settings.shape_sigma > settings.largest_confusion:
                return np.full(shape, np.nan)
            return (values / per).reshape(shape)

        columns = {name: number for number, name in enumerate(names)}
        shapes = np.sqrt(np.sum(self.by_edge**2, axis=2))
        systematic = np.hypot(shapes, np.where(unknown, extra, 0.0)[:, None] * self.stat)
        return ComponentMaps(
            amount={name: mapped(self.amount[:, at], name) for name, at in columns.items()},
            sigma_stat={name: mapped(self.stat[:, at], name) for name, at in columns.items()},
            sigma_sys={name: mapped(systematic[:, at], name) for name, at in columns.items()},
            edges=edges,
            sigma_by_edge={
                name: np.array([mapped(self.by_edge[:, at, edge], name) for edge in range(len(edges))])
                for name, at in columns.items()
            },
            common_sigma={one.name: one.amount_sigma for one in components},
            inflation=inflation,
            reduced_chi2=reduced.reshape(shape),
            misfit=misfit.reshape(shape),
            is_unknown=unknown.reshape(shape),
            residual=residual,
            energy_ev=image.energy_ev,
            fitted=fitted,
        )
