"""What each pixel of an integrating detector is like, from frames taken for the purpose.

Dark frames give offset, dark current and noise; evenly lit ones the efficiency, the counts that one photon
makes, and what a frame leaves behind in the next.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import ndimage

MIN_DARKS = 3
MIN_FLATS = 2

_OUTLIER = 20.0
"""Robust standard deviations from the median beyond which a pixel's dark counts are not its own."""

_EFFICIENCY_RANGE = (0.5, 1.5)
_SHADOW_PIXELS = 50
"""Blind pixels that touch each other in such numbers are a shadow, whose edge is half in the light."""

_SHADOW_EDGE_PIXELS = 2
_MIN_FLAT_COUNTS = 100.0
_MAX_SATURATED = 1e-3
"""Share of the pixels."""


class PixelError(ValueError):
    """The frames do not show what they were taken for; the message says what to look at."""


@dataclass(frozen=True)
class Dark:
    """Counts without light.

    Attributes
    ----------
    exposure_s
        Of each frame.
    frames
        Their number.
    mean, variance
        Of one frame's counts, each of the shape of a frame.
    """

    exposure_s: float
    frames: int
    mean: np.ndarray
    variance: np.ndarray


def average_dark(frames: Iterable[np.ndarray], exposure_s: float) -> Dark:
    """Mean and variance of dark frames.

    Raises
    ------
    PixelError
        If there are too few to tell noise.
    """
    count, mean, squares = 0, np.zeros(()), np.zeros(())
    for count, frame in enumerate(frames, 1):
        counts = frame.astype(np.float64)
        change = counts - mean
        mean = mean + change / count
        squares = squares + change * (counts - mean)
    if count < MIN_DARKS:
        raise PixelError(f"{count} dark frames tell nothing of their noise; take at least {MIN_DARKS}")
    return Dark(exposure_s, count, mean.astype(np.float32), (squares / (count - 1)).astype(np.float32))


def blind_pixels(dark: Dark) -> np.ndarray:
    """Pixels that give the same count every time, or far more or less than others, in the dark.

    Returns
    -------
    ndarray of bool, shape of a frame

    Raises
    ------
    PixelError
        If that is most of them.
    """
    blind = (dark.variance == 0) & (dark.mean == dark.mean.astype(np.int64))
    if blind.mean() < 0.5:
        for quantity in (dark.mean, np.sqrt(dark.variance)):
            middle = np.median(quantity[~blind])
            spread = 1.4826 * np.median(np.abs(quantity[~blind] - middle))
            blind |= np.abs(quantity - middle) > _OUTLIER * max(float(spread), 1e-6)
    if blind.mean() > 0.5:
        raise PixelError(
            f"{100 * blind.mean():.0f} % of the pixels are blind in the dark; is the detector powered, and "
            "does it write counts?"
        )
    return blind


@dataclass(frozen=True)
class FlatField:
    """Response to even light.

    Attributes
    ----------
    efficiency
        Relative to the median pixel; 1 where `mask` is set. Shape of a frame.
    mask
        True where a pixel must not be used: blind in the dark, without response, or in a shadow.
    counts_per_photon
        From the difference of successive frames.
    lag
        Share of a frame's signal that the next one holds too; NaN where no dark frame followed.
    relative_sigma
        Standard uncertainty of the efficiency of one pixel, by counting.
    """

    efficiency: np.ndarray
    mask: np.ndarray
    counts_per_photon: float
    lag: float
    relative_sigma: float


def flat_field(
    frames: Iterable[np.ndarray],
    dark: Dark,
    blind: np.ndarray,
    solid_angle: np.ndarray,
    *,
    dark_after: np.ndarray | None = None,
    saturation: float = np.inf,
) -> FlatField:
    """Efficiency of each pixel from frames of a sample that radiates alike in all directions.

    Parameters
    ----------
    frames
        One after the other, of the exposure of `dark`.
    blind
        As `blind_pixels` found them.
    solid_angle
        Of each pixel, relative.
    dark_after
        A frame of the same exposure behind a closed shutter, right after the last of `frames`.

    Raises
    ------
    PixelError
        If the frames are too few, too faint or saturated.
    """
    taken = [frame - dark.mean.astype(np.float64) for frame in frames]
    count = len(taken)
    if count < MIN_FLATS:
        raise PixelError(f"{count} even frames are too few; take at least {MIN_FLATS}")
    full = saturation - dark.mean
    if max(float(np.mean((signal >= full)[~blind])) for signal in taken) > _MAX_SATURATED:
        raise PixelError("the detector is saturated by the even light; expose for less time")
    mean = np.mean(taken, axis=0)
    even = mean / solid_angle
    level = float(np.median(even[~blind]))
    counts = float(np.median(mean[~blind]))
    if counts * count < _MIN_FLAT_COUNTS:
        raise PixelError(
            f"the even light gave {counts * count:.0f} counts per pixel in all, {_MIN_FLAT_COUNTS:.0f} are "
            "needed: is the fluorescent foil in the beam, are both shutters open, is I0 there?"
        )
    efficiency = even / level
    low, high = _EFFICIENCY_RANGE
    mask = blind | ~((efficiency > low) & (efficiency < high))
    mask |= _shadow_edges(mask)
    used = ~mask
    # Half the variance of the difference of two frames is that of one: what is constant in them is gone.
    variance = np.mean([np.var((later - earlier)[used]) / 2 for earlier, later in pairwise(taken)])
    noise = float(np.median(dark.variance[used]))
    counts_per_photon = max((float(variance) - noise) / float(np.mean(mean[used])), 0.0)
    lag = float("nan")
    if dark_after is not None:
        lag = float(np.sum((dark_after - dark.mean)[used]) / np.sum(taken[-1][used]))
    return FlatField(
        efficiency=np.where(mask, 1.0, efficiency).astype(np.float32),
        mask=mask,
        counts_per_photon=counts_per_photon,
        lag=lag,
        relative_sigma=float(np.sqrt(max(counts_per_photon, 1e-12) / (counts * count))),
    )


def _shadow_edges(mask: np.ndarray) -> np.ndarray:
    """Pixels around large connected parts of a mask."""
    labels = np.zeros(mask.shape, dtype=np.int32)
    ndimage.label(mask, output=labels)
    sizes = np.bincount(labels.ravel())
    large = np.flatnonzero(sizes >= _SHADOW_PIXELS)
    shadows = np.isin(labels, large[large > 0])
    return ndimage.binary_dilation(shadows, iterations=_SHADOW_EDGE_PIXELS)
