"""Lithium carbide, which a strong laser makes on a sample: whether a spectrum shows it."""

from collections.abc import Sequence

import numpy as np
from numpy.polynomial import chebyshev

from intercalate.materials.raman import CARBIDE_PER_CM
from intercalate.reduction.band_batch import fit_bands_of
from intercalate.reduction.bands import Band, BandFit, BandOptions, Spectrum, SpectrumError
from intercalate.reduction.profiles import pseudo_voigt
from intercalate.reduction.raman.axis import ShiftAxis

NAME = "Li2C2"

_BESIDE_PER_CM = 5.0
"""By which the band may lie beyond where it has been seen."""
_BACKGROUND_PER_CM = 65.0
"""Beyond that, what belongs to the background."""
_WIDTH_PER_CM = (15.0, 6.0, 40.0)
_BACKGROUND_TERMS = 4
_WORTH_A_FIT_SIGMA = 2.5
"""From which a band of the usual place and width is fitted: at most one of a hundred spectra without any."""


def carbide_bands(spectra: Sequence[Spectrum], axis: ShiftAxis) -> list[BandFit | None]:
    """Look for the band of lithium carbide.

    A band in the middle of where it has been seen is tried on all spectra at once, which is a linear problem;
    it is fitted where that leaves anything.

    Parameters
    ----------
    spectra
        On the shifts of `axis`.

    Returns
    -------
    list
        For each spectrum the band `Li2C2`; None where nothing stands out, or the spectrum does not reach it.
    """
    low, high = CARBIDE_PER_CM[0] - _BESIDE_PER_CM, CARBIDE_PER_CM[1] + _BESIDE_PER_CM
    range_ = (low - _BACKGROUND_PER_CM, high + _BACKGROUND_PER_CM)
    options = BandOptions(axis.width_at((low + high) / 2), background_terms=_BACKGROUND_TERMS)
    found: list[BandFit | None] = [None] * len(spectra)
    worth = _strength(spectra, axis, range_, options) > _WORTH_A_FIT_SIGMA
    numbers = np.flatnonzero(worth).tolist()
    band = Band(NAME, ((low + high) / 2, low, high), _WIDTH_PER_CM)
    for number, fit in zip(numbers, fit_bands_of([spectra[one] for one in numbers], [band], range_, options)):
        if not isinstance(fit, SpectrumError) and fit.converged and fit.present[NAME]:
            found[number] = fit
    return found


def _strength(
    spectra: Sequence[Spectrum], axis: ShiftAxis, range_: tuple[float, float], options: BandOptions
) -> np.ndarray:
    """Intensity of the band in its usual place, in standard errors, shape (spectra,)."""
    shift = axis.shift_per_cm
    inside = (shift >= range_[0]) & (shift <= range_[1])
    # What a cut axis leaves must hold the band and the background on both sides of it.
    if not spectra or shift[0] > range_[0] or shift[-1] < range_[1]:
        return np.zeros(len(spectra))
    x = shift[inside]
    centre, gaussian, lorentzian = (
        np.array([one]) for one in (np.mean(CARBIDE_PER_CM), options.instrument_width, _WIDTH_PER_CM[0])
    )
    profile = pseudo_voigt(x, centre, gaussian, lorentzian).value
    span = (x - range_[0]) / (range_[1] - range_[0]) * 2 - 1
    design = np.hstack([profile, chebyshev.chebvander(span, options.background_terms - 1)])
    intensity, sigma, used = (
        np.array([getattr(one, part)[inside] for one in spectra]) for part in ("intensity", "sigma", "used")
    )
    weight = np.where(used & np.isfinite(intensity) & (sigma > 0), sigma, np.inf) ** -2.0
    intensity = np.where(weight > 0, intensity, 0.0)
    normal = np.einsum("sp,pi,pj->sij", weight, design, design, optimize=True)
    is_known = (weight > 0).sum(axis=1) >= 2 * design.shape[1]
    normal[~is_known] = np.eye(design.shape[1])
    right = (weight * intensity) @ design
    linear = np.linalg.solve(normal, right[:, :, None])[:, :, 0]
    error = np.sqrt(np.linalg.inv(normal)[:, 0, 0])
    return np.where(is_known, linear[:, 0] / error, 0.0)
