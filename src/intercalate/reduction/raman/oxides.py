"""Oxidation states of the metal of an oxide and its lithium content, by the ratios of its bands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from intercalate.materials.raman_oxides import FRAMEWORK, OxideBand, RedoxOxide
from intercalate.reduction.band_batch import fit_bands_of
from intercalate.reduction.bands import Band, BandFit, BandOptions, Spectrum, SpectrumError
from intercalate.reduction.raman.axis import ShiftAxis
from intercalate.reduction.results import UNDETERMINED, Estimate

_BESIDE_PER_CM = 50.0
"""Beyond the outermost bands, what belongs to the background; solvents of carbonates begin at 715."""


@dataclass(frozen=True)
class _Freedom:
    """Of a band.

    Attributes
    ----------
    reach_per_cm
        By which it may lie beside where the table has it.
    widths
        Between these times the width of the table.
    """

    reach_per_cm: float
    widths: tuple[float, float]


_FREE = _Freedom(6.0, (0.5, 1.8))
_NARROW = _Freedom(0.5, (0.95, 1.05))

_STANDS_OUT_SIGMA = 8.0
"""From which on a band has its own place and width."""

_LEAST_SIGMA = 5.0
"""By which the framework must stand out, or nothing is said."""

_BESIDE_OTHERS = 1.5
"""Times the error of a band alone, where background and neighbours are fitted too."""

_FORMULA_SIGMA = 0.015
"""Of the lithium content of a neutral formula: a sample is not quite what it is called."""


@dataclass(frozen=True)
class OxideState:
    """What a spectrum says of an oxide.

    Attributes
    ----------
    shares
        Of the metal's atoms, by ion; that without bands is what is left to 1.
    oxidation_number
        Mean over the metal's atoms.
    li_content
        x in the formula, which is neutral.
    fit
        Of the bands.
    """

    shares: Mapping[str, Estimate]
    oxidation_number: Estimate
    li_content: Estimate
    fit: BandFit

    @classmethod
    def unknown(cls, fit: BandFit, oxide: RedoxOxide) -> "OxideState":
        """Nothing is said."""
        return cls(dict.fromkeys(oxide.ions, UNDETERMINED), UNDETERMINED, UNDETERMINED, fit)


def oxide_states(
    spectra: Sequence[Spectrum], axis: ShiftAxis, oxide: RedoxOxide
) -> list[OxideState | SpectrumError]:
    """Say of each spectrum in which states the metal is.

    All bands of the table are fitted over one background. The area of the bands of an ion over that of the
    bands of the framework, in parts of what it is where all of the metal is that ion, is its share.

    Parameters
    ----------
    spectra
        On the shifts of `axis`.

    Returns
    -------
    list
        For each spectrum what it says, or why it cannot be fitted.
    """
    shifts = [band.shift_per_cm for band in oxide.bands]
    range_ = (min(shifts) - _BESIDE_PER_CM, max(shifts) + _BESIDE_PER_CM)
    # A band that does not stand out has a share near 0 with an error, and is not left out.
    options = BandOptions(axis.width_at(float(np.mean(shifts))), background_terms=4, detection_sigma=0.0)
    fits = fit_bands_of(spectra, [_sought(band, _FREE) for band in oxide.bands], range_, options)
    groups: dict[frozenset[str], list[int]] = {}
    for number, fit in enumerate(fits):
        if isinstance(fit, BandFit) and (faint := _faint(fit)):
            groups.setdefault(faint, []).append(number)
    for faint, numbers in groups.items():
        bands = [_sought(band, _NARROW if band.key in faint else _FREE) for band in oxide.bands]
        again = fit_bands_of([spectra[number] for number in numbers], bands, range_, options)
        for number, fit in zip(numbers, again):
            fits[number] = fit
    return [
        fit if isinstance(fit, SpectrumError) else _state(fit, spectrum, axis, oxide)
        for fit, spectrum in zip(fits, spectra)
    ]


def _sought(band: OxideBand, freedom: "_Freedom") -> Band:
    centre, width = band.shift_per_cm, band.width_per_cm
    low, high = freedom.widths
    reach = freedom.reach_per_cm
    return Band(band.key, (centre, centre - reach, centre + reach), (width, low * width, high * width))


def _faint(fit: BandFit) -> frozenset[str]:
    """Bands that do not stand out: with a place and a width of their own they would take what is noise."""
    return frozenset(
        key for key, one in fit.intensity.items() if not one.value > _STANDS_OUT_SIGMA * one.sigma_stat
    )


def _state(fit: BandFit, spectrum: Spectrum, axis: ShiftAxis, oxide: RedoxOxide) -> OxideState:
    if not fit.converged:
        return OxideState.unknown(fit, oxide)
    groups = [*oxide.seen_ions, FRAMEWORK]
    which = np.array([[float(band.of == group) for band in oxide.bands] for group in groups])
    area, covariance, systematic = _areas(fit, spectrum, axis, oxide)
    area = which @ area
    covariance = which @ covariance @ which.T
    systematic = np.sqrt(which @ systematic**2)
    framework = area[-1]
    if not framework > _LEAST_SIGMA * np.sqrt(covariance[-1, -1]):
        return OxideState.unknown(fit, oxide)
    strength = np.array([oxide.strength(ion) for ion in oxide.seen_ions]) / oxide.strength(FRAMEWORK)
    share = area[:-1] / framework / strength
    # Derivatives of the shares by all areas.
    by_area = np.concatenate([np.diag(1 / strength), -share[:, None]], axis=1) / framework
    stat = by_area @ covariance @ by_area.T
    # Errors of strengths and profiles are those of one band each, and that of the framework is common.
    by_band = np.hypot(oxide.strength_sigma * share, systematic[:-1] / framework / strength)
    common = share * systematic[-1] / framework
    sys = np.diag(by_band**2) + np.outer(common, common)
    numbers = oxide.number_of
    rest = numbers[oxide.unseen_ion]
    weight = np.array([numbers[ion] - rest for ion in oxide.seen_ions], dtype=float)
    shares = {ion: _sum(np.eye(share.size)[i], share, stat, sys) for i, ion in enumerate(oxide.seen_ions)}
    shares[oxide.unseen_ion] = _sum(-np.ones(share.size), share, stat, sys, 1.0)
    number = _sum(weight, share, stat, sys, float(rest))
    content = Estimate(
        oxide.li_content(number.value),
        oxide.metal_content * number.sigma_stat,
        float(np.hypot(oxide.metal_content * number.sigma_sys, _FORMULA_SIGMA)),
    )
    return OxideState({ion: shares[ion] for ion in oxide.ions}, number, content, fit)


def _areas(
    fit: BandFit, spectrum: Spectrum, axis: ShiftAxis, oxide: RedoxOxide
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of all bands: areas, their covariance by counting, and their systematic errors.

    A band for which the fit left nothing has the area 0, with the error that one of the table's width would
    have: for a Lorentzian of full width w on points apart by d with errors s it is s sqrt(pi w d).
    """
    count = len(oxide.bands)
    area, covariance, systematic = np.zeros(count), np.zeros((count, count)), np.zeros(count)
    keys = [band.key for band in oxide.bands]
    is_there = np.array([np.isfinite(fit.intensity[key].value) for key in keys])
    for i, key in enumerate(keys):
        if is_there[i]:
            area[i], systematic[i] = fit.intensity[key].value, fit.intensity[key].sigma_sys
            covariance[i] = [
                fit.covariance[key, other] if is_there[j] else 0.0 for j, other in enumerate(keys)
            ]
            continue
        band = oxide.bands[i]
        at = int(np.argmin(np.abs(axis.shift_per_cm - band.shift_per_cm)))
        apart = abs(float(np.gradient(axis.shift_per_cm)[at]))
        covariance[i, i] = (
            _BESIDE_OTHERS**2 * float(spectrum.sigma[at]) ** 2 * np.pi * band.width_per_cm * apart
        )
    return area, covariance, systematic


def _sum(
    weight: np.ndarray, share: np.ndarray, stat: np.ndarray, sys: np.ndarray, constant: float = 0.0
) -> Estimate:
    """Constant and weighted shares, with both errors."""
    return Estimate(
        float(constant + weight @ share),
        float(np.sqrt(weight @ stat @ weight)),
        float(np.sqrt(weight @ sys @ weight)),
    )
