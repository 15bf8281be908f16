"""Bands over a background, fitted together: spectra of one dimension.

Each band is a Lorentzian behind an instrument of known Gaussian width; position and width are refined within
bounds, the intensity is free and not negative, the background is a polynomial.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.polynomial import chebyshev

from intercalate.reduction.linear import regularised
from intercalate.reduction.profiles import ProfileMatrix, pseudo_voigt
from intercalate.reduction.results import CONVERGED, UNDETERMINED, Estimate
from intercalate.reduction.separable import LineGeometry, Point, SeparableFit


class SpectrumError(ValueError):
    """A spectrum cannot be fitted; the message says why."""


@dataclass(frozen=True)
class Spectrum:
    """Intensity along one axis.

    Attributes
    ----------
    x, intensity, sigma
        Axis, ascending; intensity, and its standard error, independent between points. Shape (points,).
    used
        False where a point must not be used, shape (points,).
    """

    x: np.ndarray
    intensity: np.ndarray
    sigma: np.ndarray
    used: np.ndarray

    def __post_init__(self) -> None:
        sizes = {array.shape for array in (self.x, self.intensity, self.sigma, self.used)}
        if len(sizes) != 1 or self.x.ndim != 1:
            shapes = ", ".join(str(array.shape) for array in (self.x, self.intensity, self.sigma, self.used))
            raise SpectrumError(
                f"axis, intensity, error and mask have the shapes {shapes}; all must be alike"
            )
        if not np.all(np.diff(self.x) > 0):
            raise SpectrumError("the axis does not ascend")

    def between(self, low: float, high: float) -> "Spectrum":
        """Points that can be used between two values of the axis.

        Raises
        ------
        SpectrumError
            If there is none.
        """
        inside = self.used & (self.x >= low) & (self.x <= high)
        inside &= np.isfinite(self.intensity) & (self.sigma > 0)
        if not inside.any():
            raise SpectrumError(
                f"no point between {low:g} and {high:g} can be used; the spectrum reaches from "
                f"{self.x[0]:g} to {self.x[-1]:g}"
            )
        return Spectrum(self.x[inside], self.intensity[inside], self.sigma[inside], inside[inside])


@dataclass(frozen=True)
class Band:
    """A band that may be in a spectrum.

    Attributes
    ----------
    centre, width
        Start and bounds of position and Lorentzian full width at half maximum: (start, low, high).
    """

    name: str
    centre: tuple[float, float, float]
    width: tuple[float, float, float]


@dataclass(frozen=True)
class BandOptions:
    """How to fit bands.

    Attributes
    ----------
    instrument_width
        Gaussian full width at half maximum that the instrument adds.
    background_terms
        Chebyshev polynomials.
    detection_sigma
        A band that is weaker than this many sigma, of counting and misfit, counts as absent.
    profile_fraction
        Declared: centre of a fitted band against that of the true one, in full widths.
    """

    instrument_width: float
    background_terms: int = 5
    detection_sigma: float = 5.0
    profile_fraction: float = 0.02
    tolerance: float = 0.05
    max_iterations: int = 40


@dataclass(frozen=True)
class BandFit:
    """What a fit of bands found.

    Attributes
    ----------
    centre, width, intensity
        Of each band, intensity as area; NaN where the band is absent.
    present
        Which bands were found.
    reduced_chi2
        Against counting errors alone.
    converged, message
        Whether to trust this at all, and what happened.
    calculated
        On the points that were fitted.
    covariance
        Of the intensities, from counting; those of each pair of bands that are present.
    """

    centre: Mapping[str, Estimate]
    width: Mapping[str, Estimate]
    intensity: Mapping[str, Estimate]
    present: Mapping[str, bool]
    reduced_chi2: float
    converged: bool
    message: str
    calculated: np.ndarray
    covariance: Mapping[tuple[str, str], float] = field(default_factory=dict)

    def ratio(self, upper: str, lower: str) -> Estimate:
        """Intensity of one band over that of another; of bands that overlap, errors go against each other."""
        one, other = self.intensity[upper], self.intensity[lower]
        value = one.value / other.value
        common = self.covariance.get((upper, lower), np.nan) / (one.value * other.value)
        stat = (one.sigma_stat / one.value) ** 2 + (other.sigma_stat / other.value) ** 2 - 2.0 * common
        systematic = np.hypot(one.sigma_sys / one.value, other.sigma_sys / other.value)
        return Estimate(value, float(value * np.sqrt(max(stat, 0.0))), float(value * systematic))


@dataclass
class _BandModel:
    """Two parameters for each band, centre and width; the instrument's width is held."""

    x: np.ndarray
    bands: Sequence[Band]
    instrument_width: float
    background: np.ndarray
    low: list[float] = field(init=False)
    high: list[float] = field(init=False)

    def __post_init__(self) -> None:
        self.low, self.high = (
            [band_part[bound] for band in self.bands for band_part in (band.centre, band.width)]
            for bound in (1, 2)
        )

    def geometry(self, parameters: np.ndarray) -> LineGeometry:
        count = len(self.bands)
        which, zero = np.arange(count), np.zeros((count, 2 * count))
        centre_by, lorentzian_by = zero.copy(), zero.copy()
        centre_by[which, 2 * which] = 1.0
        lorentzian_by[which, 2 * which + 1] = 1.0
        gaussian = np.full(count, self.instrument_width)
        return LineGeometry(parameters[0::2], gaussian, parameters[1::2], centre_by, zero, lorentzian_by)

    def profiles(self, geometry: LineGeometry) -> ProfileMatrix:
        return pseudo_voigt(self.x, geometry.centre, geometry.gaussian, geometry.lorentzian)


def fit_bands(
    spectrum: Spectrum, bands: Sequence[Band], range_: tuple[float, float], options: BandOptions
) -> BandFit:
    """Fit bands and background together.

    Parameters
    ----------
    range_
        Part of the axis.

    Raises
    ------
    SpectrumError
        If the range holds too few points for the number of parameters.
    """
    part = spectrum.between(*range_)
    unknowns = 3 * len(bands) + options.background_terms
    if part.x.size < 2 * unknowns:
        raise SpectrumError(
            f"{part.x.size} points between {range_[0]:g} and {range_[1]:g} are too few for {len(bands)} "
            f"bands and {options.background_terms} background terms"
        )
    span = (part.x - range_[0]) / (range_[1] - range_[0]) * 2 - 1
    background = chebyshev.chebvander(span, options.background_terms - 1)
    left = list(bands)
    while True:
        fit = _Fit(part, left, background, options)
        absent = fit.absent()
        if not absent:
            return fit.result(bands)
        left = [band for band in left if band.name not in absent]


class _Fit:
    """One minimisation, with the bands that are left."""

    def __init__(
        self, part: Spectrum, bands: Sequence[Band], background: np.ndarray, options: BandOptions
    ) -> None:
        self.bands, self.options = bands, options
        model = _BandModel(part.x, bands, options.instrument_width, background)
        everything = np.ones(2 * len(bands), dtype=bool)
        self.separable = SeparableFit(
            model,
            part.intensity,
            part.sigma,
            allowed=np.ones(len(bands), dtype=bool),
            decisive=everything,
            tolerance=options.tolerance,
            max_iterations=options.max_iterations,
        )
        start = np.array([value[0] for band in bands for value in (band.centre, band.width)])
        self.point: Point = self.separable.evaluate(start)
        self.point, normal, self.free, _, self.message = self.separable.minimise(self.point, everything)
        keep = np.concatenate([np.flatnonzero(self.free), np.arange(self.free.size, normal.shape[0])]).astype(
            int
        )
        self.covariance = np.linalg.inv(regularised(normal[np.ix_(keep, keep)]))
        self.degrees = max(part.x.size - keep.size, 1)
        self.reduced_chi2 = self.point.chi2 / self.degrees

    def _errors(self) -> tuple[np.ndarray, np.ndarray]:
        """Standard errors of nonlinear parameters and of intensities; NaN where held."""
        sigma = np.sqrt(np.diag(self.covariance))
        nonlinear = np.full(self.free.size, np.nan)
        nonlinear[self.free] = sigma[: int(self.free.sum())]
        linear = np.full(self.point.linear.size, np.nan)
        linear[self.point.passive] = sigma[int(self.free.sum()) :]
        return nonlinear, linear[: len(self.bands)]

    def absent(self) -> set[str]:
        """The weakest band that does not stand out; none where all do."""
        _, sigma = self._errors()
        needed = self.options.detection_sigma * max(1.0, np.sqrt(self.reduced_chi2))
        strength = {
            band.name: 0.0 if not np.isfinite(error) else value / error
            for band, value, error in zip(self.bands, self.point.linear, sigma)
        }
        weak = {name: value for name, value in strength.items() if value < needed}
        return {min(weak, key=lambda name: weak[name])} if weak else set()

    def result(self, asked: Sequence[Band]) -> BandFit:
        """With every band that was asked for."""
        nonlinear, linear = self._errors()
        misfit = np.sqrt(max(self.reduced_chi2 - 1.0, 0.0))
        estimates: dict[str, tuple[Estimate, Estimate, Estimate]] = {}
        for number, band in enumerate(self.bands):
            centre, width = self.point.parameters[2 * number : 2 * number + 2]
            sigma = nonlinear[2 * number : 2 * number + 2]
            shape = self.options.profile_fraction * np.hypot(width, self.options.instrument_width)
            area, area_sigma = self.point.linear[number], linear[number]
            estimates[band.name] = (
                self._estimate(centre, sigma[0], float(np.hypot(misfit * sigma[0], shape))),
                self._estimate(width, sigma[1], float(np.hypot(misfit * sigma[1], 2 * shape))),
                self._estimate(
                    area,
                    area_sigma,
                    float(np.hypot(misfit * area_sigma, self.options.profile_fraction * area)),
                ),
            )
        nothing = (UNDETERMINED,) * 3
        by_name = {band.name: estimates.get(band.name, nothing) for band in asked}
        return BandFit(
            centre={name: found[0] for name, found in by_name.items()},
            width={name: found[1] for name, found in by_name.items()},
            intensity={name: found[2] for name, found in by_name.items()},
            present={band.name: band.name in estimates for band in asked},
            reduced_chi2=self.reduced_chi2,
            converged=self.message == CONVERGED,
            message=self.message,
            calculated=(self.point.design @ self.point.linear) / self.separable.weight,
            covariance=self._intensity_covariance(),
        )

    def _intensity_covariance(self) -> dict[tuple[str, str], float]:
        full = np.full((self.point.linear.size,) * 2, np.nan)
        first = int(self.free.sum())
        full[np.ix_(self.point.passive, self.point.passive)] = self.covariance[first:, first:]
        names = [band.name for band in self.bands]
        return {
            (one, other): float(full[row, column])
            for row, one in enumerate(names)
            for column, other in enumerate(names)
        }

    @staticmethod
    def _estimate(value: float, stat: float, systematic: float) -> Estimate:
        return Estimate(float(value), float(stat), systematic) if np.isfinite(stat) else UNDETERMINED
