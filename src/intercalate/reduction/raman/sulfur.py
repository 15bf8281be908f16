"""Sulfur and polysulfides in a Raman spectrum: all bands of all species at once, in places that are known.

Of each species all bands have one scale; how much of it there is follows from that of what does not change:
the carbon of a cathode, or the anion of the electrolyte. Bands of species lie upon each other, and none of
them is quite where and what the tables say. A series in which species come and go tells more of them than the
tables; what it leaves open is most of `sigma_sys`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.polynomial import chebyshev

from intercalate.materials.raman_sulfur import (
    CARBON_BANDS,
    SHIFT_SIGMA_PER_CM,
    SPECIES,
    STRENGTH_SIGMA,
    SULFUR_BANDS,
    WIDTH_SIGMA,
    RamanElectrolyte,
    SpeciesBand,
)
from intercalate.reduction.bands import Spectrum, SpectrumError
from intercalate.reduction.profiles import pseudo_voigt
from intercalate.reduction.raman.axis import ShiftAxis
from intercalate.reduction.results import CONVERGED, UNDETERMINED, Estimate

RANGE_PER_CM = (140.0, 800.0)
"""Of sulfur and anion."""
CARBON_RANGE_PER_CM = (1180.0, 1760.0)
_BACKGROUND_TERMS = 7
_CARBON_BACKGROUND_TERMS = 4
_LORENTZIAN, _GAUSSIAN = 0.8, 0.33
"""Parts of the width of a band: neither of both alone, as particles and neighbours differ."""

DETECTION_SIGMA = 3.0
_LEAST_SIGMA = 8.0
"""By which carbon or anion must stand out for anything to be measured by it."""
_LEAST_POINTS = 60
_FIGURES = 3
"""Of a band: strength, shift and width."""
_ROUNDS, _STEP, _FURTHEST = 5, 0.05, 4.0
"""Gauss-Newton steps, and in standard errors: of a difference quotient, and how far a figure may be off."""
_MOST_CHI2 = 25.0
"""Of counting: above it the spectrum is of something else."""


class Where(StrEnum):
    """What light meets."""

    CATHODE = "cathode"
    ELECTROLYTE = "electrolyte"
    UNDETERMINED = "undetermined"


@dataclass(frozen=True)
class MixtureFit:
    """How well the bands describe a spectrum.

    Attributes
    ----------
    reduced_chi2
        Against counting errors alone.
    """

    reduced_chi2: float
    converged: bool
    message: str


@dataclass(frozen=True)
class SulfurSpectrum:
    """What a spectrum says of sulfur.

    Attributes
    ----------
    amounts
        Of each species: atoms of sulfur for an atom of carbon where light meets the cathode, mol of sulfur
        per litre where it meets the electrolyte.
    shared
        Of each species, the part of `sigma_stat` that all spectra of the series have in common: what counting
        has left in the figures of the bands. It is not averaged out over them.
    """

    where: Where
    amounts: Mapping[str, Estimate]
    shared: Mapping[str, float]
    fit: MixtureFit


def sulfur_spectra(
    spectra: Sequence[Spectrum], axis: ShiftAxis, electrolyte: RamanElectrolyte
) -> list[SulfurSpectrum | SpectrumError]:
    """Say of each spectrum where it is of, and how much of each species is there.

    A spectrum in which the bands of carbon stand out is of the cathode, another one in which those of the
    anion do of the electrolyte.

    Parameters
    ----------
    spectra
        On the shifts of `axis`.

    Returns
    -------
    list
        For each spectrum what it says, or why it cannot be fitted.
    """
    mixture = _Mixture(axis, (*SULFUR_BANDS, *electrolyte.bands), RANGE_PER_CM, _BACKGROUND_TERMS)
    carbon = _Mixture(axis, CARBON_BANDS, CARBON_RANGE_PER_CM, _CARBON_BACKGROUND_TERMS)
    found: list[SulfurSpectrum | SpectrumError] = []
    for of_sulfur, of_carbon in zip(mixture.fit_all(spectra), carbon.fit_all(spectra)):
        if isinstance(of_sulfur, SpectrumError):
            found.append(of_sulfur)
        elif isinstance(of_carbon, SpectrumError):
            found.append(of_carbon)
        else:
            found.append(_said(of_sulfur, of_carbon, electrolyte))
    return found


def _said(mixture: "_Fitted", carbon: "_Fitted", electrolyte: RamanElectrolyte) -> SulfurSpectrum:
    where, reference, unit = Where.UNDETERMINED, mixture, 1.0
    anion = len(mixture.species) - 1
    if carbon.stands_out(0):
        where, reference, number = Where.CATHODE, carbon, 0
    elif mixture.stands_out(anion):
        where, number, unit = Where.ELECTROLYTE, anion, electrolyte.mol_l
    message = CONVERGED
    if where is Where.UNDETERMINED:
        message = f"neither carbon nor {electrolyte.anion} stands out, by which amounts are measured"
    elif mixture.reduced_chi2 > _MOST_CHI2:
        message = f"reduced chi squared {mixture.reduced_chi2:.0f} exceeds {_MOST_CHI2:g}: unknown bands"
    fit = MixtureFit(mixture.reduced_chi2, message == CONVERGED, message)
    if not fit.converged:
        return SulfurSpectrum(
            where, dict.fromkeys(SPECIES, UNDETERMINED), dict.fromkeys(SPECIES, np.nan), fit
        )
    amounts, shared = {}, {}
    for position, name in enumerate(mixture.species[:-1]):
        # Amount x over that of the reference r: d(x/r) = (dx - (x/r) dr) / r.
        value = mixture.value[position] / reference.value[number]
        stat, noise, sys = (
            one[:, position] for one in (mixture.solving.T, mixture.noise_shifts, mixture.shifts)
        )
        if reference is mixture:
            stat = stat - value * mixture.solving[number]
            noise = noise - value * mixture.noise_shifts[:, number]
            sys = sys - value * mixture.shifts[:, number]
            more_stat = more_noise = more_sys = 0.0
        else:
            more_stat = value * float(np.linalg.norm(reference.solving[number]))
            more_noise = value * float(np.linalg.norm(reference.noise_shifts[:, number]))
            more_sys = value * float(np.linalg.norm(reference.shifts[:, number]))
        # Counting of the misfit too, as of a profile that is not quite this one.
        misfit = np.sqrt(max(mixture.reduced_chi2 - 1.0, 0.0)) * float(np.linalg.norm(stat))
        scale = unit / reference.value[number]
        shared[name] = scale * float(np.hypot(np.linalg.norm(noise), more_noise))
        amounts[name] = Estimate(
            unit * value,
            float(np.hypot(scale * np.hypot(np.linalg.norm(stat), more_stat), shared[name])),
            scale * float(np.sqrt(np.sum(sys**2) + more_sys**2 + misfit**2)),
        )
    return SulfurSpectrum(where, amounts, shared, fit)


@dataclass(frozen=True)
class _Fitted:
    """Amounts by which templates of unit strength are in a spectrum.

    Attributes
    ----------
    solving
        By which intensities in sigma become amounts, shape (species, points).
    noise_shifts, shifts
        Of the amounts by independent standard errors of the figures of all bands, shape (figures, species):
        those that counting has left in them, and those that no spectrum of the series tells.
    """

    species: tuple[str, ...]
    value: np.ndarray
    solving: np.ndarray
    noise_shifts: np.ndarray
    shifts: np.ndarray
    reduced_chi2: float

    def sigma(self, number: int) -> float:
        """Of an amount, by counting."""
        return float(
            np.hypot(np.linalg.norm(self.solving[number]), np.linalg.norm(self.noise_shifts[:, number]))
        )

    def stands_out(self, number: int) -> bool:
        """Whether there is so much of it that others can be measured by it."""
        return bool(self.value[number] > _LEAST_SIGMA * self.sigma(number) * max(1.0, self.reduced_chi2**0.5))


@dataclass(frozen=True)
class _Part:
    """Of a spectrum what lies in the range."""

    used: np.ndarray
    sigma: np.ndarray
    observed: np.ndarray


@dataclass(frozen=True)
class _Linear:
    """A linear fit of one part: the solution, by what it is made, an orthonormal base of what was fitted."""

    value: np.ndarray
    solving: np.ndarray
    base: np.ndarray
    residual: np.ndarray

    @property
    def reduced_chi2(self) -> float:
        return float(self.residual @ self.residual) / max(self.residual.size - self.value.size, 1)


class _Mixture:
    """Templates of species over a background in a range.

    Shift, width and strength of a band are the same in all spectra of a series, and are known from the tables
    to so much. What the series says of them is added to that, by Gauss-Newton steps from which the amounts in
    each spectrum are eliminated; what is left of their errors is correlated, and common to all spectra.

    Of that covariance C a part is what counting does to the figures, C N C, where N is the information of the
    series with the squares of its weights. Other exposures of the same series would give other figures by as
    much: it belongs to the statistical error of the amounts. The rest is what the tables leave open.
    """

    def __init__(
        self,
        axis: ShiftAxis,
        bands: Sequence[SpeciesBand],
        range_per_cm: tuple[float, float],
        background_terms: int,
    ):
        self._axis, self._bands, self._range = axis, bands, range_per_cm
        self.species = tuple(dict.fromkeys(band.of for band in bands))
        self._of = np.array([self.species.index(band.of) for band in bands])
        x = axis.shift_per_cm
        span = (x - range_per_cm[0]) / (range_per_cm[1] - range_per_cm[0]) * 2 - 1
        self._background = chebyshev.chebvander(np.clip(span, -1.0, 1.0), background_terms - 1)

    def fit_all(self, spectra: Sequence[Spectrum]) -> list[_Fitted | SpectrumError]:
        """Fit a series; in the place of a spectrum that cannot be fitted, why."""
        parts = [self._part(one) for one in spectra]
        good = [one for one in parts if isinstance(one, _Part)]
        figures, *covariances = self._figures(good)
        by_noise, by_tables = (_root(one) for one in covariances)
        bands = self._profiles(figures)
        columns, slopes = self._columns(bands), self._slopes(figures, bands)
        return [
            one if isinstance(one, SpectrumError) else self._fitted(one, columns, slopes, by_noise, by_tables)
            for one in parts
        ]

    def _part(self, spectrum: Spectrum) -> "_Part | SpectrumError":
        low, high = self._range
        used = spectrum.used & (spectrum.x >= low) & (spectrum.x <= high) & (spectrum.sigma > 0)
        used &= np.isfinite(spectrum.intensity)
        if used.sum() < _LEAST_POINTS:
            return SpectrumError(
                f"{used.sum()} points between {low:g} and {high:g} can be used, {_LEAST_POINTS} are needed; "
                f"the spectrum reaches from {spectrum.x[0]:.0f} to {spectrum.x[-1]:.0f}"
            )
        sigma = spectrum.sigma[used]
        return _Part(used, sigma, spectrum.intensity[used] / sigma)

    def _profiles(self, figures: np.ndarray) -> np.ndarray:
        """Of every band with these figures, shape (points, bands)."""
        return np.stack([_band(self._axis, *pair) for pair in zip(self._bands, figures)], axis=1)

    def _columns(self, profiles: np.ndarray) -> np.ndarray:
        templates = np.zeros((profiles.shape[0], len(self.species)))
        for number, profile in zip(self._of, profiles.T):
            templates[:, number] += profile
        return np.concatenate([templates, self._background], axis=1)

    def _slopes(self, figures: np.ndarray, profiles: np.ndarray) -> np.ndarray:
        """Of the profile of each band by its own figures, shape (points, bands, figures)."""
        slopes = np.zeros((*profiles.shape, _FIGURES))
        for number, (band, own) in enumerate(zip(self._bands, figures)):
            for which in range(_FIGURES):
                moved = own.copy()
                moved[which] += _STEP
                slopes[:, number, which] = (_band(self._axis, band, moved) - profiles[:, number]) / _STEP
        return slopes

    def _linear(self, part: _Part, columns: np.ndarray) -> _Linear:
        scaled = columns[part.used] / part.sigma[:, None]
        norm = np.linalg.norm(scaled, axis=0)
        norm[norm == 0] = 1.0
        base, triangle = np.linalg.qr(scaled / norm)
        solving = np.linalg.solve(triangle + 1e-9 * np.eye(norm.size), base.T) / norm[:, None]
        value = solving @ part.observed
        return _Linear(value, solving, base, part.observed - scaled @ value)

    def _by_figures(self, part: _Part, value: np.ndarray, slopes: np.ndarray) -> np.ndarray:
        """Of what is expected in sigma, by all figures, shape (points, bands x figures)."""
        change = slopes[part.used] / part.sigma[:, None, None] * value[self._of][:, None]
        return change.reshape(part.sigma.size, -1)

    def _figures(self, parts: Sequence[_Part]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Figures of all bands in standard errors of the tables, shape (bands, figures); their covariance by
        counting, and by what is left open.
        """
        count = len(self._bands) * _FIGURES
        figures, covariance = np.zeros((len(self._bands), _FIGURES)), np.eye(count)
        noise = np.zeros((count, count))
        for _ in range(_ROUNDS if parts else 0):
            profiles = self._profiles(figures)
            columns, slopes = self._columns(profiles), self._slopes(figures, profiles)
            normal, noise, gradient = np.zeros((count, count)), np.zeros((count, count)), np.zeros(count)
            for part in parts:
                linear = self._linear(part, columns)
                value = np.maximum(linear.value[: len(self.species)], 0.0)
                change = self._by_figures(part, value, slopes)
                change = change - linear.base @ (linear.base.T @ change)
                # Where the profile is not quite this one, points weigh less.
                weight = 1.0 / max(1.0, linear.reduced_chi2)
                information = change.T @ change
                normal += weight * information
                noise += weight**2 * information
                gradient += weight * change.T @ linear.residual
            covariance = np.linalg.inv(normal + np.eye(count))
            step = covariance @ (gradient - figures.ravel())
            figures = np.clip(figures + step.reshape(figures.shape), -_FURTHEST, _FURTHEST)
        by_noise = covariance @ noise @ covariance
        return figures, by_noise, covariance - by_noise

    def _fitted(
        self,
        part: _Part,
        columns: np.ndarray,
        slopes: np.ndarray,
        by_noise: np.ndarray,
        by_tables: np.ndarray,
    ) -> _Fitted:
        linear, count = self._linear(part, columns), len(self.species)
        change, solving = self._by_figures(part, linear.value[:count], slopes), linear.solving[:count]
        return _Fitted(
            self.species,
            linear.value[:count],
            solving,
            (change @ by_noise).T @ solving.T,
            (change @ by_tables).T @ solving.T,
            linear.reduced_chi2,
        )


def _root(covariance: np.ndarray) -> np.ndarray:
    """Matrix R with R R^T the covariance, which need not be of full rank."""
    variance, axes = np.linalg.eigh(covariance)
    return axes * np.sqrt(np.maximum(variance, 0.0))


def _band(axis: ShiftAxis, band: SpeciesBand, figures: np.ndarray) -> np.ndarray:
    """Intensity of a pixel by a band, per unit of the amount; figures of strength, shift and width."""
    shift = float(np.hypot(SHIFT_SIGMA_PER_CM, axis.sigma_at(band.shift_per_cm))) * figures[1]
    width = band.width_per_cm * float(np.exp(WIDTH_SIGMA * figures[2]))
    gaussian = np.hypot(_GAUSSIAN * width, axis.width_at(band.shift_per_cm))
    centre, lorentzian = np.array([band.shift_per_cm + shift]), np.array([_LORENTZIAN * width])
    profile = pseudo_voigt(axis.shift_per_cm, centre, np.array([gaussian]), lorentzian).value[:, 0]
    strength = band.strength * float(np.exp(STRENGTH_SIGMA * figures[0]))
    return strength * profile * np.abs(np.gradient(axis.shift_per_cm))
