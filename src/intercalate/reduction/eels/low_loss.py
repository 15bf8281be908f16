"""Low losses: how thick the sample is, and what one scattering alone would leave."""

from dataclasses import dataclass

import numpy as np

from intercalate.materials.eels import COMPOUNDS
from intercalate.reduction.eels.background import EXPONENT_DRIFT
from intercalate.reduction.eels.inner_shells import LATE_PART, inner_share, last_clear_ev
from intercalate.reduction.eels.spectra import EelsError, SpectrumImage

ELASTIC_END_EV = 3.0
"""Up to where the zero loss reaches; between it and the first plasmons of most compounds there is little."""

PLURAL_T_OVER_LAMBDA = 0.4
"""From which on edges are visibly altered by plural scattering."""

TOO_THICK = 1.5
"""From which on most electrons are scattered more than once, and edges drown."""

_TAIL_SIGMA = 0.2
"""Of the elastic electrons that a camera shows beyond the end of the zero loss, relative: they are taken to
be as many as on the other side, where no electron can be. Light that scatters in a scintillator makes some
permille of them, to both sides alike but for its edges and its tilt; direct detectors have less (Hart et al.,
Sci. Rep. 7 (2017) 8243). What of the losses lies below that end is taken from the spectrum beside it."""

_BLOCK = 128
"""Spectra that are transformed at once: what fits into the caches is faster."""

_LOSS_POWER = (1.8, 5.0)
"""Between which the power lies as which losses go on beyond the window."""
_EARLY = (0.5, 0.7)
"""Parts of the window whose electrons say with the late ones how steeply losses fall."""


@dataclass(frozen=True)
class Thickness:
    """How thick a sample is, in mean free paths.

    Attributes
    ----------
    t_over_lambda, sigma_stat
        Shape (rows, columns).
    sigma_sys
        Shape (rows, columns).
    sigma_common
        Statistical as well, but the same for all pixels: how losses go on beyond the window, and how far the
        zero loss reaches, is told by their mean. Shape (rows, columns).
    incident
        Electrons of each pixel in the low-loss window.
    warning
        Empty, or in words what plural scattering does.
    """

    t_over_lambda: np.ndarray
    sigma_stat: np.ndarray
    sigma_sys: np.ndarray
    sigma_common: np.ndarray
    incident: np.ndarray
    warning: str


def thickness(low: SpectrumImage, compound: str | None = None) -> Thickness:
    """Log-ratio method: t / lambda = ln(all / elastic), with what is scattered to beyond the window.

    Losses go on beyond it as a power; what inner shells add to that follows from the sum rule.

    Parameters
    ----------
    compound
        Of `materials.eels.COMPOUNDS`, where the whole image is known to be of it.

    Raises
    ------
    EelsError
        If a pixel has no elastic electrons, the window does not reach to 100 eV, or the compound is unknown.
    """
    if compound is not None and compound not in COMPOUNDS:
        raise EelsError(f"there is no compound {compound!r}; known are {', '.join(COMPOUNDS)}")
    if low.energy_ev[-1] < 100.0 or low.energy_ev[0] > -ELASTIC_END_EV:
        raise EelsError(
            f"the low-loss window reaches from {low.energy_ev[0]:.0f} to {low.energy_ev[-1]:.0f} eV; "
            f"{-ELASTIC_END_EV:g} to 100 eV are needed"
        )
    inside = low.energy_ev <= ELASTIC_END_EV
    everything = low.electrons.sum(axis=-1)
    elastic = low.electrons[..., inside].sum(axis=-1)
    if not np.all(elastic > 0):
        raise EelsError(f"{int((elastic <= 0).sum())} pixels have no elastic electrons")
    tail, tail_sigma = _tail(low, float(elastic.mean()))
    elastic *= 1.0 + tail
    end_ev = float(low.energy_ev[-1])
    clear_ev = last_clear_ev(compound, end_ev)
    late = (low.energy_ev > LATE_PART * clear_ev) & (low.energy_ev <= clear_ev)
    per_late, per_late_sigma, length_sigma = _beyond_per_late(low, clear_ev)
    inner, inner_sigma = inner_share(compound, end_ev)
    counted_late = low.electrons[..., late].sum(axis=-1)
    beyond = per_late * np.maximum(counted_late, 0.0)
    total = np.maximum(everything + beyond, 1.0)
    ratio = (1.0 + inner) * np.log(np.maximum(total / elastic, 1.0))
    # The elastic ones are among all: what both share does not count. The last ones count once more for each
    # that lies beyond them.
    more = (1.0 + per_late) ** 2 - 1.0
    variance = 1 / elastic - 2 / total + (everything + more * np.maximum(counted_late, 0.0)) / total**2
    read = float(np.mean(low.background_variance))
    outside = float((~inside).sum() + more * late.sum())
    variance += read * (inside.sum() * (1 / elastic - 1 / total) ** 2 + outside / total**2)
    above, under = (
        float(low.electrons[..., (side > ELASTIC_END_EV) & (side < ELASTIC_END_EV + 2.0)].mean())
        for side in (low.energy_ev, -low.energy_ev)
    )
    step_ev = float(low.energy_ev[1] - low.energy_ev[0])
    # Losses rise from nothing at zero: of what lies beside its end, half the density goes on below.
    below = 0.5 * max(above - under, 0.0) * ELASTIC_END_EV / step_ev / float(elastic.mean())
    systematic = np.sqrt(
        (_TAIL_SIGMA * tail) ** 2
        + below**2
        + (length_sigma * beyond / np.maximum(everything, 1.0)) ** 2
        + (inner_sigma * ratio) ** 2
    )
    common = np.hypot(tail_sigma, per_late_sigma * np.maximum(counted_late, 0.0) / total)
    stat = np.sqrt(np.maximum(variance, 0.0))
    return Thickness(ratio, stat, systematic, common, everything, _warning(ratio))


def _tail(low: SpectrumImage, elastic: float) -> tuple[float, float]:
    """Electrons as far below the zero loss as those beyond its end, in parts of the elastic ones, of the mean
    spectrum; and its statistical error.
    """
    before = low.energy_ev < -ELASTIC_END_EV
    found = float(low.electrons[..., before].mean(axis=(0, 1)).sum())
    read, pixels = float(np.mean(low.background_variance)), low.electrons[..., 0].size
    sigma = np.sqrt((max(found, 0.0) + read * before.sum()) / pixels)
    return found / elastic, float(sigma) / elastic


def _beyond_per_late(low: SpectrumImage, clear_ev: float) -> tuple[float, float, float]:
    """Electrons that have lost more than the window holds, for each of those at the end of its clear part:
    losses go on as a power, which the mean spectrum shows. And its statistical error; and the relative one
    of that no losses go exactly as a power.
    """
    energy, mean = low.energy_ev, low.electrons.mean(axis=(0, 1))
    end = float(energy[-1])
    early = (energy > _EARLY[0] * clear_ev) & (energy < _EARLY[1] * clear_ev)
    late = (energy > LATE_PART * clear_ev) & (energy <= clear_ev)
    first, second = float(mean[early].mean()), float(mean[late].mean())
    first_ev, second_ev = 0.5 * sum(_EARLY) * clear_ev, 0.5 * (1.0 + LATE_PART) * clear_ev
    factor, step_ev = np.log(second_ev / first_ev), float(energy[1] - energy[0])

    def per_late(steep: float) -> float:
        power = float(np.clip(steep, *_LOSS_POWER))
        return (second_ev / end) ** power * end / step_ev / (power - 1.0) / float(late.sum())

    if not min(first, second) > 0:
        return per_late(_LOSS_POWER[1]), 0.0, 1.0
    read, pixels = float(np.mean(low.background_variance)), low.electrons[..., 0].size
    relative = [
        (level + read) / level**2 / (pixels * inside.sum())
        for level, inside in ((first, early), (second, late))
    ]
    steep, sigma = np.log(first / second) / factor, np.sqrt(sum(relative)) / factor
    stat = 0.5 * abs(per_late(steep - sigma) - per_late(steep + sigma))
    # The exponent drifts from where it was read off to where the losses beyond the end are on the average.
    over = 1.0 / (float(np.clip(steep, *_LOSS_POWER)) - 1.0)
    drift = EXPONENT_DRIFT * (np.log(end / np.sqrt(first_ev * second_ev)) + over)
    return per_late(steep), stat, float(drift * (np.log(end / second_ev) + over))


def full_width_ev(energy_ev: np.ndarray, electrons: np.ndarray) -> float:
    """Full width at half maximum of the zero loss, between channels by straight lines.

    Parameters
    ----------
    energy_ev, electrons
        Of one spectrum, shape (channels,).

    Raises
    ------
    EelsError
        If it does not fall to half of its maximum within the window.
    """
    top = int(np.argmax(electrons))
    half = 0.5 * float(electrons[top])
    below_left, below_right = (
        np.flatnonzero(one) for one in (electrons[:top] < half, electrons[top:] < half)
    )
    if below_left.size == 0 or below_right.size == 0:
        raise EelsError(
            "the zero loss does not fall to half of its maximum within the window; move the window"
        )
    left, right = int(below_left[-1]), top + int(below_right[0])
    rise = np.interp(half, electrons[left : left + 2], energy_ev[left : left + 2])
    fall = np.interp(half, electrons[[right, right - 1]], energy_ev[[right, right - 1]])
    return float(fall - rise)


def _warning(ratio: np.ndarray) -> str:
    highest = float(ratio.max())
    if highest > TOO_THICK:
        return (
            f"t/lambda reaches {highest:.2f}: most electrons are scattered more than once; "
            "find a thinner place"
        )
    if highest > PLURAL_T_OVER_LAMBDA:
        return f"t/lambda reaches {highest:.2f}: edges hold plural scattering, which must be taken out"
    return ""


def single_scattering(low: SpectrumImage) -> np.ndarray:
    """Single losses in parts of the elastic electrons, per channel, by Fourier-log deconvolution.

    Returns
    -------
    numpy.ndarray
        Shape (rows, columns, channels); its statistical variance is that of the spectrum over the squared
        number of elastic electrons, but near the zero loss.

    Notes
    -----
    The result is reconvolved with the zero loss. J = Z exp(S) in Fourier space, Z the zero loss and S the
    single losses (Johnson & Spence, J. Phys. D 7 (1974) 771). The spectrum goes to a power of the loss at its
    end, so that its transform does not ring.
    """
    flat = low.electrons.reshape(-1, low.energy_ev.size)
    found = np.empty_like(flat)
    for first in range(0, flat.shape[0], _BLOCK):
        found[first : first + _BLOCK] = _single(low.energy_ev, flat[first : first + _BLOCK])
    return found.reshape(low.electrons.shape)


def _single(energy: np.ndarray, electrons: np.ndarray) -> np.ndarray:
    """Of some spectra, shape (spectra, channels)."""
    channels = energy.size
    points = 1 << int(np.ceil(np.log2(2 * channels)))
    zero = int(np.argmin(np.abs(energy)))
    end = electrons[..., -40:].mean(axis=-1, keepdims=True)
    beyond = np.arange(1, points - channels + 1)
    # Falls off as a power, and vanishes where the array closes on itself.
    tail = (energy[-1] / (energy[-1] + beyond * (energy[1] - energy[0]))) ** 3
    tail = tail * np.cos(0.5 * np.pi * beyond / beyond[-1]) ** 2
    whole = np.zeros((*electrons.shape[:-1], points))
    whole[..., : channels - zero] = electrons[..., zero:]
    whole[..., channels - zero : points - zero] = end * tail
    whole[..., points - zero :] = electrons[..., :zero]
    elastic = np.where(np.abs(energy) <= ELASTIC_END_EV, electrons, 0.0)
    rolled = np.zeros_like(whole)
    rolled[..., : channels - zero] = elastic[..., zero:]
    rolled[..., points - zero :] = elastic[..., :zero]
    measured, zero_loss = np.fft.rfft(whole), np.fft.rfft(rolled)
    count = zero_loss[..., :1].real
    # Beyond the resolution both transforms are noise: there the difference stands for the logarithm.
    known = np.abs(zero_loss) > 0.02 * count
    ratio = np.where(known, measured / np.where(known, zero_loss, 1.0), 1.0)
    logarithm = np.log(ratio)
    single = np.where(known, zero_loss * logarithm, measured - zero_loss) / count
    back = np.fft.irfft(single, points)
    return np.concatenate([back[..., points - zero :], back[..., : channels - zero]], axis=-1)
