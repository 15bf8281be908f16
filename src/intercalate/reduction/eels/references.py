"""A spectrum image made ready, and references of known samples brought to its thickness."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from intercalate.reduction.eels.background import power_law
from intercalate.reduction.eels.low_loss import Thickness, single_scattering, thickness
from intercalate.reduction.eels.mlls import Component
from intercalate.reduction.eels.spectra import (
    EelsCamera,
    EelsError,
    SpectrumImage,
    aligned,
    electrons_of,
    zero_loss_ev,
)


@dataclass(frozen=True)
class Prepared:
    """Both windows on one axis.

    Attributes
    ----------
    zero_ev
        Where the zero loss of each pixel was, shape (rows, columns).
    core_incident
        Electrons that entered each pixel while core losses were taken, shape (rows, columns).
    """

    low: SpectrumImage
    core: SpectrumImage
    zero_ev: np.ndarray
    thickness: Thickness
    core_incident: np.ndarray

    def columns(self, width: int = 1) -> "Prepared":
        """Sums over all rows and `width` neighbouring columns."""
        low, core = self.low.columns(width), self.core.columns(width)
        used = self.zero_ev.shape[1] // width * width
        zero = self.zero_ev[:, :used].mean(axis=0).reshape(1, -1, width).mean(axis=2)
        share = self.core_incident.sum() / self.thickness.incident.sum()
        found = thickness(low)
        return Prepared(low, core, zero, found, share * found.incident)


@dataclass(frozen=True)
class Reference:
    """A sample of one compound and known thickness.

    Attributes
    ----------
    prepared
        Of one pixel.
    thickness_sigma
        Relative.
    cobalt_valence
        Known from its making; None without cobalt.
    """

    compound: str
    prepared: Prepared
    thickness_nm: float
    thickness_sigma: float = 0.03
    cobalt_valence: float | None = None


def prepare(
    low_counts: np.ndarray, core_counts: np.ndarray, dark: np.ndarray, camera: EelsCamera
) -> Prepared:
    """Counts of both windows, made ready.

    Parameters
    ----------
    low_counts, core_counts
        Shape (rows, columns, channels).
    dark
        Mean counts without a beam, shape (channels,).

    Raises
    ------
    EelsError
        If they cannot be used.
    """
    if low_counts.shape != core_counts.shape:
        raise EelsError(
            f"low losses have the shape {low_counts.shape}, core losses {core_counts.shape}; both "
            "must be alike"
        )
    low, core = electrons_of(low_counts, dark, camera), electrons_of(core_counts, dark, camera)
    zero = zero_loss_ev(low, camera)
    aligned_low = aligned(low, zero, camera.low_first_ev, camera)
    found = thickness(aligned_low)
    share = (1 - camera.low_share) / camera.low_share
    return Prepared(
        aligned_low,
        aligned(core, zero, camera.core_first_ev, camera),
        zero,
        found,
        share * found.incident,
    )


def thickness_bins(prepared: Prepared, count: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Bins of equal width in t/lambda: number of each pixel, and the mean low loss of each bin.

    Returns
    -------
    number, low
        Shape (rows, columns) and (bins, channels), the latter in electrons; empty bins hold the overall mean.
    """
    ratio = prepared.thickness.t_over_lambda
    edges = np.linspace(ratio.min(), ratio.max() + 1e-9, count + 1)
    number = np.clip(np.searchsorted(edges, ratio, side="right") - 1, 0, count - 1)
    electrons = prepared.low.electrons
    overall = electrons.mean(axis=(0, 1))
    low = [
        electrons[number == one].mean(axis=0) if (number == one).any() else overall for one in range(count)
    ]
    return number, np.array(low)


def core_component(
    reference: Reference,
    image: SpectrumImage,
    low: np.ndarray,
    low_energy_ev: np.ndarray,
    pre_edge_ev: tuple[float, float],
) -> Component:
    """An edge as it is in a sample of another thickness, per nm.

    The edge, its background taken off, is convolved with the ratio of both low losses (forward instead of
    deconvolving every pixel, which would raise the noise).

    Parameters
    ----------
    image
        On whose channels the template must be.
    low, low_energy_ev
        Mean low loss of each bin of thickness, shape (bins, channels), and its axis.
    pre_edge_ev
        Where the reference has nothing but background.
    """
    own = reference.prepared
    spectrum = own.core
    edge = (spectrum.electrons - power_law(spectrum, pre_edge_ev).background)[0, 0]
    edge = np.where(spectrum.energy_ev < pre_edge_ev[0], 0.0, edge)
    per = 1.0 / (own.core_incident[0, 0] * reference.thickness_nm)
    ratio = _low_loss_ratio(low, low_energy_ev, own.low.electrons[0, 0], own.low.energy_ev, edge.size)
    points = ratio[1]
    padded = np.concatenate([edge, np.linspace(edge[-20:].mean(), 0.0, points - edge.size)])
    seen = np.fft.irfft(np.fft.rfft(padded) * ratio[0], points)[:, : edge.size]
    template = [np.interp(image.energy_ev, spectrum.energy_ev, one) for one in per * seen]
    counted = np.maximum(spectrum.electrons[0, 0], 0.0) + float(np.mean(spectrum.background_variance))
    noise = np.interp(image.energy_ev, spectrum.energy_ev, counted) * per**2 * own.core.noise_factor[0, 0]
    return Component(reference.compound, np.array(template), noise, reference.thickness_sigma)


def _low_loss_ratio(
    low: np.ndarray, energy_ev: np.ndarray, own: np.ndarray, own_energy_ev: np.ndarray, channels: int
) -> tuple[np.ndarray, int]:
    """Transform of the low losses over that of the reference's, and its number of points."""
    points = 1 << int(np.ceil(np.log2(2 * channels)))

    def transform(electrons: np.ndarray, axis: np.ndarray) -> np.ndarray:
        zero = int(np.argmin(np.abs(axis)))
        rolled = np.zeros((*electrons.shape[:-1], points))
        last = min(electrons.shape[-1] - zero, points // 2)
        rolled[..., :last] = electrons[..., zero : zero + last]
        rolled[..., points - zero :] = electrons[..., :zero]
        found = np.fft.rfft(rolled)
        return found / found[..., :1].real

    sample, reference = transform(low, energy_ev), transform(own, own_energy_ev)
    power = np.abs(reference) ** 2
    trusted = power / (power + 1e-3)
    return 1.0 + (sample / np.where(power > 1e-12, reference, 1.0) - 1.0) * trusted, points


def low_component(
    reference: Reference,
    image: SpectrumImage,
    name: str,
    per_nm: float,
    pre_edge_ev: tuple[float, float] = (40.0, 52.0),
) -> Component:
    """An edge among the low losses, plural scattering and background taken out, per atom and nm2.

    Parameters
    ----------
    image
        On whose channels the template must be.
    per_nm
        Atoms per nm3 of the element in the reference.
    """
    single, scale = single_image(reference.prepared)
    edge = single.electrons - power_law(single, pre_edge_ev).background
    edge = np.where(single.energy_ev < pre_edge_ev[0], 0.0, edge)[0, 0] / scale[0, 0]
    template = np.interp(image.energy_ev, single.energy_ev, edge) / (reference.thickness_nm * per_nm)
    return Component(name, template, amount_sigma=reference.thickness_sigma)


def single_image(prepared: Prepared) -> tuple[SpectrumImage, np.ndarray]:
    """Low losses without plural scattering, as a spectrum image, and what its amounts are divided by.

    The noise of the deconvolution is that of the spectrum, plural scattering and all, at losses far above the
    zero loss: amounts are brought to the scale of its counts.
    """
    low = prepared.low
    scale = prepared.thickness.incident * np.exp(-prepared.thickness.t_over_lambda)
    single = single_scattering(low) * scale[..., None]
    taken = np.maximum(low.electrons - single, 0.0) + low.background_variance
    return replace(low, electrons=single, background_variance=taken), scale


def components_of(
    references: Sequence[Reference],
    prepared: Prepared,
    image: SpectrumImage,
    pre_edge_ev: tuple[float, float] = (509.0, 525.5),
    bins: int | None = 6,
) -> tuple[list[Component], np.ndarray]:
    """References as components for an image of core losses, and the bin of each pixel.

    Parameters
    ----------
    bins
        Of thickness. None where each pixel has a bin of its own: different materials of one t/lambda have
        different low losses, which matters where pixels are few and hold many electrons.
    """
    if bins is None:
        shape = prepared.thickness.t_over_lambda.shape
        number = np.arange(np.prod(shape)).reshape(shape)
        low = prepared.low.electrons.reshape(number.size, -1)
    else:
        number, low = thickness_bins(prepared, bins)
    axis = prepared.low.energy_ev
    return [core_component(one, image, low, axis, pre_edge_ev) for one in references], number
