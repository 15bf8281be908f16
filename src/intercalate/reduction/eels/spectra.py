"""From counts of both windows to electrons on one energy axis, whose zero is the zero loss of every pixel."""

from dataclasses import dataclass, replace

import numpy as np


class EelsError(ValueError):
    """A spectrum image cannot be used; the message says why."""


@dataclass(frozen=True)
class EelsCamera:
    """What is known of spectrometer and camera.

    Attributes
    ----------
    dispersion_ev
        Per channel.
    low_first_ev, core_first_ev
        Loss of the first channel of both windows on paper.
    low_share
        Of the dwell time, for low losses.
    point_spread
        Of one electron over channels, sum 1.
    """

    dispersion_ev: float
    low_first_ev: float
    core_first_ev: float
    low_share: float
    counts_per_electron: float
    read_noise_electrons: float
    full_well_counts: float
    point_spread: tuple[float, ...]


@dataclass(frozen=True)
class SpectrumImage:
    """Spectra of a grid of pixels on one axis.

    Attributes
    ----------
    energy_ev
        Loss, ascending, shape (channels,).
    electrons
        Shape (rows, columns, channels).
    background_variance
        Of what is not among these electrons: reading, and what was taken off; in electrons squared, a number
        or shape (rows, columns, channels).
    noise_factor, read_factor
        Variance of one channel over that of sums of channels, per channel: the camera's point spread and the
        alignment join neighbours. Of counted electrons, and of reading; shape (rows, columns).
    """

    energy_ev: np.ndarray
    electrons: np.ndarray
    background_variance: float | np.ndarray
    noise_factor: np.ndarray
    read_factor: np.ndarray

    def between(self, low_ev: float, high_ev: float) -> "SpectrumImage":
        """Part of the axis.

        Raises
        ------
        EelsError
            If the spectra do not reach over it.
        """
        if low_ev < self.energy_ev[0] or high_ev > self.energy_ev[-1]:
            raise EelsError(
                f"the spectra reach from {self.energy_ev[0]:.1f} to {self.energy_ev[-1]:.1f} eV; "
                f"{low_ev:g} to {high_ev:g} eV are asked for: move the window"
            )
        first, last = np.searchsorted(self.energy_ev, [low_ev, high_ev])
        part = slice(int(first), int(last) + 1)
        extra = self.background_variance
        if isinstance(extra, np.ndarray):
            extra = extra[..., part]
        return replace(
            self,
            energy_ev=self.energy_ev[part],
            electrons=self.electrons[..., part],
            background_variance=extra,
        )

    def columns(self, width: int = 1) -> "SpectrumImage":
        """Sums over all rows and `width` neighbouring columns, shape (1, columns // width, channels)."""
        rows, count, channels = self.electrons.shape
        used = count // width * width
        summed = self.electrons[:, :used].sum(axis=0).reshape(-1, width, channels).sum(axis=1)[None]
        extra = self.background_variance
        if isinstance(extra, np.ndarray):
            extra = extra[:, :used].sum(axis=0).reshape(-1, width, channels).sum(axis=1)[None]
        else:
            extra = extra * rows * width
        factors = [
            factor[:, :used].mean(axis=0).reshape(1, -1, width).mean(axis=2)
            for factor in (self.noise_factor, self.read_factor)
        ]
        return SpectrumImage(self.energy_ev, summed, extra, *factors)


def electrons_of(counts: np.ndarray, dark: np.ndarray, camera: EelsCamera) -> np.ndarray:
    """Electrons of every channel.

    Parameters
    ----------
    counts
        Shape (rows, columns, channels).
    dark
        Mean counts without a beam, shape (channels,).

    Raises
    ------
    EelsError
        If shapes differ, a channel is saturated or no number, or there is no light.
    """
    if counts.ndim != 3 or counts.size == 0 or dark.shape != counts.shape[-1:]:
        raise EelsError(
            f"counts have the shape {counts.shape}, the dark spectrum {dark.shape}; needed are "
            "(rows, columns, channels) and (channels,)"
        )
    highest = float(counts.max())
    if not np.isfinite(highest) or not np.isfinite(dark).all():
        raise EelsError("counts or dark spectrum hold what is no number; take them again")
    if highest >= camera.full_well_counts:
        where = np.unravel_index(int(np.argmax(counts)), counts.shape)
        raise EelsError(
            f"channel {where[2]} of pixel {where[0]}, {where[1]} is saturated: {highest:g} counts of "
            f"{camera.full_well_counts:g}; shorten the dwell time"
        )
    found, per_count = np.empty(counts.shape), 1.0 / camera.counts_per_electron
    for row, here in zip(found, counts):
        np.subtract(here, dark, out=row)
        row *= per_count
    return found


def zero_loss_ev(low_electrons: np.ndarray, camera: EelsCamera) -> np.ndarray:
    """Where the zero loss lies on the paper's axis, shape (rows, columns).

    The vertex of a parabola through the logarithms of five channels around the highest.

    Raises
    ------
    EelsError
        If a pixel has no peak well inside the window.
    """
    rows, columns, channels = low_electrons.shape
    flat = low_electrons.reshape(-1, channels)
    top = np.argmax(flat, axis=1)
    height = flat[np.arange(flat.shape[0]), top]
    weak = (height < 50.0) | (top < 2) | (top > channels - 3)
    if weak.any():
        pixel = int(np.flatnonzero(weak)[0])
        raise EelsError(
            f"{int(weak.sum())} pixels have no zero loss, the first is {pixel // columns}, "
            f"{pixel % columns}: its highest channel holds {height[pixel]:.0f} electrons, "
            "50 are needed; was the beam on?"
        )
    offsets = np.arange(-2, 3)
    around = np.log(np.maximum(flat[np.arange(flat.shape[0])[:, None], top[:, None] + offsets], 0.5))
    weight = np.exp(around - around.max(axis=1, keepdims=True))
    design = np.stack([np.ones(5), offsets, offsets**2], axis=1)
    gram = np.einsum("pi,ij,ik->pjk", weight, design, design)
    found = np.linalg.solve(gram, np.einsum("pi,ij->pj", weight * around, design)[..., None])[..., 0]
    vertex = top - found[:, 1] / 2.0 / np.minimum(found[:, 2], -1e-3)
    return (camera.low_first_ev + camera.dispersion_ev * vertex).reshape(rows, columns)


def aligned(electrons: np.ndarray, zero_ev: np.ndarray, first_ev: float, camera: EelsCamera) -> SpectrumImage:
    """Spectra moved so that the zero loss of every pixel is at 0 eV.

    Between two channels by linear interpolation, which keeps sums; what it does to the noise of one channel
    is kept in `noise_factor`. Channels that are not there in every pixel are cut off.
    """
    rows, columns, channels = electrons.shape
    moved = zero_ev / camera.dispersion_ev
    whole = np.floor(moved).astype(int)
    part = (moved - whole).reshape(rows, columns, 1)
    low, high = -int(whole.min()), channels - 1 - int(whole.max())
    low, high = max(low, 0), min(high, channels)
    if high - low < channels // 2:
        raise EelsError(
            f"the zero loss moved from {zero_ev.min():.1f} to {zero_ev.max():.1f} eV within the image: "
            "hardly any channel is common to all pixels; steady the spectrometer"
        )
    result = np.empty((rows, columns, high - low))
    # Row by row: what is worked on stays in the caches.
    for row in range(rows):
        for shift in np.unique(whole[row]):
            which = whole[row] == shift
            here = electrons[row, which, low + shift : high + shift + 1]
            step = here[:, 1:] - here[:, :-1]
            step *= part[row, which]
            step += here[:, :-1]
            result[row, which] = step
    energy = first_ev + camera.dispersion_ev * np.arange(low, high)
    spread = np.array(camera.point_spread)
    neighbour = float(spread[1:] @ spread[:-1])
    square = float(spread @ spread)
    fraction = part[..., 0]
    read = (1 - fraction) ** 2 + fraction**2
    factor = square * read + 2 * neighbour * fraction * (1 - fraction)
    return SpectrumImage(energy, result, camera.read_noise_electrons**2, factor, read)
