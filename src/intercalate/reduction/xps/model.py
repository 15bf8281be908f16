"""Lines with active backgrounds: what lies behind a line is part of the line, and fitted with it.

Each component brings its own background: a step after D. A. Shirley (Phys. Rev. B 5 (1972) 4709), a loss tail
after S. Tougaard (universal cross section, Surf. Interface Anal. 11 (1988) 453) and a hump where plasmons
are. Their heights per area are parameters of each region. Nothing is subtracted beforehand (A. Herrera-Gomez
et al., Surf. Interface Anal. 46 (2014) 897, call this the active approach).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.polynomial import chebyshev

from intercalate.materials.xps import level_named
from intercalate.reduction.profiles import ProfileMatrix, pseudo_voigt
from intercalate.reduction.separable import LineGeometry, Point, SeparableFit
from intercalate.reduction.xps.components import Component, XpsOptions
from intercalate.reduction.xps.counts import RegionSpectrum

_TOUGAARD_C_EV2 = 1643.0
TAIL_EV = 2.5
"""Decay of the tail of an asymmetric line."""

_PLASMON_EV, _PLASMON_SIGMA_EV = 22.0, 5.0
"""Of compounds with strong bonds, as in many of their loss spectra: I."""

_BACKGROUND_TERMS = 2
_KINDS = 3
"""Of what lies behind a line: step, loss, plasmon."""


@dataclass(frozen=True, slots=True)
class ActiveGeometry(LineGeometry):
    """With the strength of each component in each column of the design (components, columns), and, of every
    region, the tail of asymmetric lines (regions,) and what lies behind all lines (kinds, regions).
    """

    strength: np.ndarray
    tail: np.ndarray
    behind: np.ndarray


@dataclass(frozen=True, slots=True)
class ActiveProfiles(ProfileMatrix):
    """Columns of the design; and the components of which they consist, with their derivatives by the tail and
    by what lies behind (kinds first), and without background. Shape (points, components).
    """

    lines: ProfileMatrix
    by_tail: np.ndarray
    by_behind: np.ndarray
    bare: np.ndarray


@dataclass(frozen=True)
class _Window:
    """Points of one region and the operators on them; those of what lies behind below each other."""

    points: slice
    energy: np.ndarray
    members: np.ndarray
    tail: np.ndarray
    behind: np.ndarray

    @property
    def kinds(self) -> np.ndarray:
        """Operators of what lies behind, shape (kinds, points, points)."""
        return self.behind.reshape(_KINDS, self.energy.size, self.energy.size)


def _window(energy: np.ndarray, points: slice, members: np.ndarray) -> _Window:
    apart = energy[:, None] - energy[None, :]
    spacing = np.gradient(energy)
    behind = np.where(apart > 0, 1.0, np.where(apart == 0, 0.5, 0.0))
    distance = np.maximum(apart, 0.0)
    loss = 2 * _TOUGAARD_C_EV2 * distance / (_TOUGAARD_C_EV2 + distance**2) ** 2
    hump = np.where(apart > 0, np.exp(-0.5 * ((apart - _PLASMON_EV) / _PLASMON_SIGMA_EV) ** 2), 0.0)
    hump /= np.sqrt(2 * np.pi) * _PLASMON_SIGMA_EV
    tail = behind * np.exp(-distance / TAIL_EV) / TAIL_EV
    operators = np.concatenate([behind, loss, hump]) * spacing
    return _Window(points, energy, members, tail * spacing, operators)


@dataclass
class ActiveModel:
    """Nonlinear parameters: shift of each layer; position, width and deviation from the tie of each
    component; tail, step, loss and plasmon of each region. Components tied together make one column of the
    design.
    """

    regions: Sequence[RegionSpectrum]
    components: Sequence[Component]
    options: XpsOptions
    layers: list[str] = field(init=False)
    expected: np.ndarray = field(init=False)
    expected_sigma: np.ndarray = field(init=False)
    low: list[float] = field(init=False)
    high: list[float] = field(init=False)
    background: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.layers = list(dict.fromkeys(one.layer for one in self.components))
        names = [one.name for one in self.regions]
        layers, lines, regions = len(self.layers), len(self.components), len(self.regions)
        self._region_of = np.array([names.index(one.region) for one in self.components])
        instrument = [one.analyser.width_ev(one.pass_energy_ev) for one in self.regions]
        width = np.array(
            [
                np.hypot(one.width_ev, instrument[region])
                for one, region in zip(self.components, self._region_of)
            ]
        )
        o = self.options
        of_regions = (o.asymmetry, o.step_per_ev, o.loss, o.plasmon)
        self.expected = np.concatenate(
            [
                np.zeros(layers + lines),
                width,
                np.zeros(lines),
                *(np.full(regions, one[0]) for one in of_regions),
            ]
        )
        self.expected_sigma = np.concatenate(
            [
                np.full(layers, max(o.shift_sigma_ev, 0.5 * o.search_ev)),
                [one.binding_sigma_ev for one in self.components],
                [one.width_sigma for one in self.components] * width,
                [one.tied_sigma for one in self.components],
                *(np.full(regions, one[1]) for one in of_regions),
            ]
        )
        reach = 6.0 * self.expected_sigma
        low, high = self.expected - reach, self.expected + reach
        widths, first = slice(layers + lines, layers + 2 * lines), self.first_of_regions
        low[widths] = np.maximum(low[widths], 0.3 * width)
        low[first:] = np.maximum(low[first:], 0.0)
        high[first : first + regions] = 0.8
        self.low, self.high = low.tolist(), high.tolist()
        self._assign()

    def _assign(self) -> None:
        """Derivatives of positions and widths, which never change, and the operators of each region."""
        layers, lines = len(self.layers), len(self.components)
        which = np.arange(lines)
        self._centre_by = np.zeros((lines, self.expected.size))
        self._centre_by[which, [self.layers.index(one.layer) for one in self.components]] = 1.0
        self._centre_by[which, layers + which] = 1.0
        self._gaussian_by = np.zeros((lines, self.expected.size))
        self._gaussian_by[which, layers + lines + which] = 1.0
        self._binding = np.array([one.binding_ev for one in self.components])
        levels = [level_named(one.level) for one in self.components]
        self._lorentzian = np.array([one.natural_width_ev for one in levels])
        self._ratio = np.array([one.ratio for one in levels])
        self._apart = np.array([one.splitting_ev for one in levels])
        self._never = np.zeros((lines, self.expected.size))
        ties = [(one.layer, one.compound) if one.tied > 0 else None for one in self.components]
        self.is_tied = np.array([tie is not None and ties.count(tie) > 1 for tie in ties])
        keys = [
            (one.layer, one.compound) if tied else (one.layer, one.compound, one.name)
            for one, tied in zip(self.components, self.is_tied)
        ]
        self.columns = list(dict.fromkeys(keys))
        self._strength = np.zeros((lines, len(self.columns)))
        self._strength[which, [self.columns.index(key) for key in keys]] = [
            one.tied or 1.0 for one in self.components
        ]
        self._is_asymmetric = np.array([float(one.is_asymmetric) for one in self.components])
        self.windows: list[_Window] = []
        first, blocks = 0, []
        total = sum(int(one.used.sum()) for one in self.regions)
        for number, region in enumerate(self.regions):
            energy = region.binding_ev[region.used]
            points = slice(first, first + energy.size)
            self.windows.append(_window(energy, points, np.flatnonzero(self._region_of == number)))
            span = 2 * (energy - energy[0]) / (energy[-1] - energy[0]) - 1
            block = np.zeros((total, _BACKGROUND_TERMS))
            block[points] = chebyshev.chebvander(span, _BACKGROUND_TERMS - 1)
            blocks.append(block)
            first = points.stop
        self.background = np.concatenate(blocks, axis=1)

    @property
    def first_of_regions(self) -> int:
        """Index of the first parameter of a region."""
        return self.first_of_ties + len(self.components)

    @property
    def first_of_ties(self) -> int:
        """Index of the first deviation from a tie."""
        return len(self.layers) + 2 * len(self.components)

    def geometry(self, parameters: np.ndarray) -> ActiveGeometry:
        """Positions, widths and backgrounds."""
        regions = len(self.regions)
        tail, *behind = parameters[self.first_of_regions :].reshape(1 + _KINDS, regions)
        deviation = np.where(self.is_tied, parameters[self.first_of_ties : self.first_of_regions], 0.0)
        return ActiveGeometry(
            centre=self._binding + self._centre_by @ parameters,
            gaussian=self._gaussian_by @ parameters,
            lorentzian=self._lorentzian,
            centre_by=self._centre_by,
            gaussian_by=self._gaussian_by,
            lorentzian_by=self._never,
            strength=self._strength * np.exp(deviation)[:, None],
            tail=tail,
            behind=np.array(behind),
        )

    def profiles(self, geometry: LineGeometry) -> ActiveProfiles:
        """Components with their backgrounds; unit area without."""
        assert isinstance(geometry, ActiveGeometry)
        shape = (self.background.shape[0], len(self.components))
        value, by_centre, by_gaussian, by_tail, bare = (np.zeros(shape) for _ in range(5))
        by_behind = np.zeros((_KINDS, *shape))
        for number, window in enumerate(self.windows):
            points, members = window.points, window.members
            count, height = members.size, geometry.behind[:, number]
            shaped, difference = self._shaped(self._lines(window, geometry), window, geometry.tail[number])
            behind = (window.behind @ shaped).reshape(_KINDS, -1, 3 * count)
            whole = shaped + np.tensordot(height, behind, axes=1)
            for block, part in zip((value, by_centre, by_gaussian), np.split(whole, 3, axis=1)):
                block[points, members] = part
            if difference is not None:
                following = (window.behind @ difference).reshape(_KINDS, -1, count)
                by_tail[points, members] = difference + np.tensordot(height, following, axes=1)
            bare[points, members] = shaped[:, :count]
            by_behind[:, points, members] = behind[:, :, :count]
        lines = ProfileMatrix(value, by_centre, by_gaussian, np.zeros((0, 0)))
        nothing = np.zeros((0, 0))
        return ActiveProfiles(
            value @ geometry.strength, nothing, nothing, nothing, lines, by_tail, by_behind, bare
        )

    def shifted(self, geometry: ActiveGeometry, centres: np.ndarray) -> np.ndarray:
        """Components with their backgrounds where they have other centres.

        Parameters
        ----------
        centres
            Shape (cases, components).

        Returns
        -------
        numpy.ndarray
            Columns of the design, shape (cases, points, columns).
        """
        cases = centres.shape[0]
        value = np.zeros((self.background.shape[0], cases, len(self.components)))
        for number, window in enumerate(self.windows):
            of_case = np.tile(window.members, cases)
            lines = self._lines(window, geometry, of_case, centres[:, window.members].ravel())[0]
            shaped, _ = self._shaped([lines], window, geometry.tail[number], of_case)
            operator = np.tensordot(geometry.behind[:, number], window.kinds, axes=1)
            whole = shaped + operator @ shaped
            value[window.points, :, window.members] = whole.reshape(-1, cases, window.members.size)
        return np.moveaxis(value @ geometry.strength, 1, 0)

    def _shaped(
        self, parts: Sequence[np.ndarray], window: _Window, tail: float, which: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Lines and their derivatives beside each other, with the tails of asymmetric ones; and what a tail
        changes of lines, None where none has one.
        """
        members = window.members if which is None else which
        stacked = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
        is_asymmetric = self._is_asymmetric[members]
        if not is_asymmetric.any():
            return stacked, None
        difference = (window.tail @ stacked - stacked) * np.tile(is_asymmetric, len(parts))
        return stacked + tail * difference, difference[:, : members.size]

    def areas(self, point: Point) -> np.ndarray:
        """Of each component, shape (components,)."""
        assert isinstance(point.geometry, ActiveGeometry)
        return point.geometry.strength @ point.linear[: len(self.columns)]

    def area_slopes(self, point: Point) -> np.ndarray:
        """Derivatives of the areas by all parameters, nonlinear ones first, shape (components, P)."""
        assert isinstance(point.geometry, ActiveGeometry)
        count, lines = self.expected.size, len(self.components)
        found = np.zeros((lines, count + point.linear.size))
        found[:, count : count + len(self.columns)] = point.geometry.strength
        which = np.arange(lines)
        found[which, self.first_of_ties + which] = np.where(self.is_tied, self.areas(point), 0.0)
        return found

    def _lines(
        self,
        window: _Window,
        geometry: LineGeometry,
        which: np.ndarray | None = None,
        centres: np.ndarray | None = None,
    ) -> list[np.ndarray]:
        """Value and derivatives by centre and width, both lines of a doublet together; of some components,
        with other centres, where these are given.
        """
        members = window.members if which is None else which
        centre = geometry.centre[members] if centres is None else centres
        gaussian, lorentzian = geometry.gaussian[members], geometry.lorentzian[members]
        ratio, apart = self._ratio[members], self._apart[members]
        strong = pseudo_voigt(window.energy, centre, gaussian, lorentzian)
        parts = [strong.value, strong.by_centre, strong.by_gaussian]
        split = np.flatnonzero(ratio > 0)
        if split.size:
            weak = pseudo_voigt(window.energy, (centre + apart)[split], gaussian[split], lorentzian[split])
            for part, other in zip(parts, (weak.value, weak.by_centre, weak.by_gaussian)):
                part[:, split] += ratio[split] * other
            parts = [part / (1.0 + ratio) for part in parts]
        return parts


class ActiveFit(SeparableFit):
    """A fit to which what is known beforehand is added as further observations."""

    model: ActiveModel

    def __init__(self, model: ActiveModel, observed: np.ndarray, sigma: np.ndarray):
        super().__init__(
            model,
            observed,
            sigma,
            allowed=np.ones(len(model.columns), dtype=bool),
            decisive=np.ones(model.expected.size, dtype=bool),
            tolerance=model.options.tolerance,
            max_iterations=model.options.max_iterations,
        )
        self.prior = 1.0 / model.expected_sigma**2

    def evaluate(self, parameters: np.ndarray, passive: np.ndarray | None = None) -> Point:
        """Chi squared of counts and of what was expected."""
        point = super().evaluate(parameters, passive)
        off = parameters - self.model.expected
        return replace(point, chi2=point.chi2 + float(off @ (self.prior * off)))

    def chi2_of_shifts(self, parameters: np.ndarray, layer: int, shifts: np.ndarray) -> np.ndarray:
        """Chi squared as `evaluate` has it, where one layer is shifted; much faster for many shifts."""
        geometry = self.model.geometry(parameters)
        moved = (shifts - parameters[layer])[:, None] * geometry.centre_by[:, layer]
        designs = self.model.shifted(geometry, geometry.centre + moved) * self.weight[:, None]
        off = parameters - self.model.expected
        known = float(off @ (self.prior * off)) - self.prior[layer] * off[layer] ** 2
        others = self.prior[layer] * (shifts - self.model.expected[layer]) ** 2
        return known + others + np.array([float(np.sum(self.solved(one).residual ** 2)) for one in designs])

    def jacobian(self, point: Point) -> np.ndarray:
        """Of lines with their backgrounds, ties, tails and backgrounds."""
        profiles, model = point.profiles, self.model
        assert isinstance(profiles, ActiveProfiles)
        areas = model.areas(point)
        geometry = point.geometry
        # Widths by the life of a hole are known, and no parameter moves them.
        found = profiles.lines.by_centre @ (areas[:, None] * geometry.centre_by)
        found += profiles.lines.by_gaussian @ (areas[:, None] * geometry.gaussian_by)
        ties = slice(model.first_of_ties, model.first_of_regions)
        found[:, ties] = profiles.lines.value * np.where(model.is_tied, areas, 0.0)
        regions, first = len(model.windows), model.first_of_regions
        for number, window in enumerate(model.windows):
            area = areas[window.members]
            for kind, by in enumerate((profiles.by_tail, *profiles.by_behind)):
                column = by[window.points, window.members] @ area
                found[window.points, first + kind * regions + number] = column
        return found * self.weight[:, None]

    def normal_matrix(self, point: Point) -> tuple[np.ndarray, np.ndarray]:
        """Normal equations with the prior."""
        normal, gradient = super().normal_matrix(point)
        which = np.arange(self.prior.size)
        normal[which, which] += self.prior
        return normal, gradient - self.prior * (point.parameters - self.model.expected)
