"""Low losses: how thick the sample is, and what one scattering alone would leave."""

from dataclasses import dataclass

import numpy as np

from intercalate.reduction.eels.spectra import EelsError, SpectrumImage

ELASTIC_END_EV = 3.0
"""Up to where the zero loss reaches; between it and the first plasmons of most compounds there is little."""

PLURAL_T_OVER_LAMBDA = 0.4
"""From which on edges are visibly altered by plural scattering."""

TOO_THICK = 1.5
"""From which on most electrons are scattered more than once, and edges drown."""

_SEPARATION_SIGMA = 0.001
"""Declared, of the number of elastic electrons: what of them lies beyond the end of the zero loss, relative.
What of the losses lies below that end is taken from the spectrum beside it."""

_BLOCK = 128
"""Spectra that are transformed at once: what fits into the caches is faster."""

_LENGTH_SIGMA = 0.3
"""Declared, of the losses beyond the window, which go on as a power of the loss: one that is half a unit
steeper or less steep has a third less or more of them."""
INNER_SHARE, _INNER_SIGMA = 0.006, 0.0035
"""Of all scattering, by inner shells whose edges lie beyond the window, in addition to that power; and its
standard uncertainty. By the sum rule a shell of f electrons scatters as f / E ln(beta / theta_E). Of carbon
two of six electrons at about 450 eV are 0.012 of four at 25 eV, for an aperture of some 20 mrad; of silicon
and lithium there is hardly any shell between the end of the window and 1.5 keV; oxides lie in between. From 0
to 0.012 any share is as likely."""
_LOSS_POWER = (1.8, 5.0)
"""Between which that power lies."""
_LATE_PART = 0.8
"""Of the window, above which its electrons say how many lie beyond."""


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
        Statistical as well, but the same for all pixels: how losses go on beyond the window is told by their
        mean. Shape (rows, columns).
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


def thickness(low: SpectrumImage) -> Thickness:
    """Log-ratio method: t / lambda = ln(all / elastic), with what is scattered to beyond the window.

    Raises
    ------
    EelsError
        If a pixel has no elastic electrons, or the window does not reach to 100 eV.
    """
    if low.energy_ev[-1] < 100.0 or low.energy_ev[0] > -ELASTIC_END_EV:
        raise EelsError(
            f"the low-loss window reaches from {low.energy_ev[0]:.0f} to {low.energy_ev[-1]:.0f} eV; "
            f"{-ELASTIC_END_EV:g} to 100 eV are needed"
        )
    inside = low.energy_ev <= ELASTIC_END_EV
    everything = low.electrons.sum(axis=-1)
    elastic = low.electrons[..., inside].sum(axis=-1)
    late = low.energy_ev > _LATE_PART * low.energy_ev[-1]
    per_late, per_late_sigma = _beyond_per_late(low)
    counted_late = low.electrons[..., late].sum(axis=-1)
    beyond = per_late * np.maximum(counted_late, 0.0)
    if not np.all(elastic > 0):
        raise EelsError(f"{int((elastic <= 0).sum())} pixels have no elastic electrons")
    total = np.maximum(everything + beyond, 1.0)
    ratio = (1.0 + INNER_SHARE) * np.log(np.maximum(total / elastic, 1.0))
    # The elastic ones are among all: what both share does not count. The last ones count once more for each
    # that lies beyond them.
    more = (1.0 + per_late) ** 2 - 1.0
    variance = 1 / elastic - 2 / total + (everything + more * np.maximum(counted_late, 0.0)) / total**2
    read = float(np.mean(low.background_variance))
    outside = float((~inside).sum() + more * late.sum())
    variance += read * (inside.sum() * (1 / elastic - 1 / total) ** 2 + outside / total**2)
    beside = (low.energy_ev > ELASTIC_END_EV) & (low.energy_ev < ELASTIC_END_EV + 2.0)
    step_ev = float(low.energy_ev[1] - low.energy_ev[0])
    # Losses rise from nothing at zero: of what lies beside its end, half the density goes on below.
    below = 0.5 * float(low.electrons[..., beside].mean()) * ELASTIC_END_EV / step_ev / float(elastic.mean())
    systematic = np.sqrt(
        _SEPARATION_SIGMA**2
        + below**2
        + (_LENGTH_SIGMA * beyond / np.maximum(everything, 1.0)) ** 2
        + (_INNER_SIGMA * ratio) ** 2
    )
    common = per_late_sigma * np.maximum(counted_late, 0.0) / total
    stat = np.sqrt(np.maximum(variance, 0.0))
    return Thickness(ratio, stat, systematic, common, everything, _warning(ratio))


def _beyond_per_late(low: SpectrumImage) -> tuple[float, float]:
    """Electrons that have lost more than the window holds, for each of those at its end: losses go on as a
    power, which the mean spectrum shows. And its statistical error.
    """
    energy, mean = low.energy_ev, low.electrons.mean(axis=(0, 1))
    end = float(energy[-1])
    early = (energy > 0.5 * end) & (energy < 0.7 * end)
    late = energy > _LATE_PART * end
    first, second = float(mean[early].mean()), float(mean[late].mean())
    factor, step_ev = np.log(0.9 / 0.6), float(energy[1] - energy[0])

    def per_late(steep: float) -> float:
        power = float(np.clip(steep, *_LOSS_POWER))
        return 0.9**power * end / step_ev / (power - 1.0) / float(late.sum())

    if not min(first, second) > 0:
        return per_late(_LOSS_POWER[1]), 0.0
    read, pixels = float(np.mean(low.background_variance)), low.electrons[..., 0].size
    relative = [
        (level + read) / level**2 / (pixels * inside.sum())
        for level, inside in ((first, early), (second, late))
    ]
    steep, sigma = np.log(first / second) / factor, np.sqrt(sum(relative)) / factor
    return per_late(steep), 0.5 * abs(per_late(steep - sigma) - per_late(steep + sigma))


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
