"""A micrograph with its scale, and whether it can be used at all."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog
from scipy.stats import norm

from intercalate.reduction.micrographs.pixels import filtered

_LEAST_SIDE = 64
_SATURATED_SHARE = 0.25
_LEAST_SHARE = 0.25
"""Of pixels, those that have no edge of a particle beside them: composites are fine."""
_BLANK_LEVELS = 0.03
"""Range of grey that all but a thousandth of the pixels use, in parts of the whole, below which there is no
picture."""
_NINTHS = np.full(9, 1.0 / 9.0)


class MicrographError(ValueError):
    """An image cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class Micrograph:
    """Grey values with the scale of the image.

    Attributes
    ----------
    grey
        Shape (rows, columns), float32.
    pixel_um
        Size of a pixel.
    pixel_sigma_um
        Its standard error, from a calibration or from what the maker states.
    white
        Grey of saturation.
    """

    grey: np.ndarray
    pixel_um: float
    pixel_sigma_um: float
    white: float

    @property
    def area_um2(self) -> float:
        """Of the whole field."""
        return self.grey.size * self.pixel_um**2


@dataclass(frozen=True, slots=True)
class Quality:
    """What decides whether an image is of use.

    Attributes
    ----------
    noise
        Standard deviation of grey from pixel to pixel.
    contrast_to_noise
        Spread of the smoothed image over the noise.
    sharpness
        Power of the finest detail that is not noise, as the ratio of gradients across two pixels to what
        noise alone would give; 1 where there is nothing but noise or blur.
    black_share, white_share
        Of the pixels.
    """

    noise: float
    contrast_to_noise: float
    sharpness: float
    black_share: float
    white_share: float


def micrograph(counts: np.ndarray, pixel_um: float, pixel_sigma_um: float = 0.0) -> Micrograph:
    """Check an image and give it its scale.

    Parameters
    ----------
    counts
        Shape (rows, columns): uint8, uint16, or floats in 0 ... 1.

    Raises
    ------
    MicrographError
        If shape, values or scale are not those of an image.
    """
    values = np.asarray(counts)
    if values.ndim != 2 or min(values.shape, default=0) < _LEAST_SIDE:
        raise MicrographError(
            f"the image has shape {values.shape}; two axes of {_LEAST_SIDE} pixels at least are needed: give "
            f"one "
            "grey image"
        )
    if not (np.isfinite(pixel_um) and pixel_um > 0 and pixel_sigma_um >= 0):
        raise MicrographError(
            f"a pixel of {pixel_um} +- {pixel_sigma_um} um is no scale; calibrate on a grid"
        )
    if np.issubdtype(values.dtype, np.integer):
        white = float(np.iinfo(values.dtype).max)
    else:
        white = 1.0
        wrong = int(np.sum(~np.isfinite(values)))
        if wrong:
            raise MicrographError(f"{wrong} pixels of the image are no numbers; read the file again")
    return Micrograph(np.asarray(values, dtype=np.float32), float(pixel_um), float(pixel_sigma_um), white)


def quality(image: Micrograph) -> Quality:
    """Measure what decides whether an image is of use."""
    grey = image.grey
    noise = noise_of(grey)
    smooth = filtered(grey, _NINTHS, _NINTHS)[::4, ::4]
    low, high = np.percentile(smooth, [2, 98])
    near = np.abs(grey[:, 2:] - grey[:, :-2])[::4]
    far = np.percentile(near, 99)
    # The 99th percentile of |difference| of two independent normal deviates is 2.576 sqrt(2) sigma.
    return Quality(
        noise,
        float((high - low) / max(noise, 1e-9)),
        float(far / max(2.576 * np.sqrt(2.0) * noise, 1e-9)),
        float(np.mean(grey <= 0)),
        float(np.mean(grey >= image.white)),
    )


def require_usable(image: Micrograph) -> Quality:
    """Refuse what is blank, saturated or noise alone.

    Raises
    ------
    MicrographError
        With the value, the limit, and what to do.
    """
    found = quality(image)
    low, high = np.percentile(image.grey[::2, ::2], [0.05, 99.95])
    span = float(high - low)
    if span < _BLANK_LEVELS * image.white:
        raise MicrographError(
            f"the image is blank: its grey spans {span:g} of {image.white:g}; is the beam on and the shutter "
            f"open?"
        )
    for share, name, remedy in (
        (found.black_share, "black", "raise the brightness"),
        (found.white_share, "white", "lower brightness or contrast"),
    ):
        if share > _SATURATED_SHARE:
            raise MicrographError(
                f"{100 * share:.0f} % of the pixels are {name}, {100 * _SATURATED_SHARE:.0f} % are the "
                f"limit; {remedy}"
            )
    return found


def noise_of(grey: np.ndarray, share: float = 0.5) -> float:
    """Standard deviation of grey from pixel to pixel, without edges: median of a second difference along both
    axes (after J. Immerkaer, Comput. Vis. Image Underst. 64 (1996) 300).

    Parameters
    ----------
    share
        Of pixels that may be taken to have no edge beside them: less than half in a composite.
    """
    return float(np.quantile(np.abs(bends(grey)), share) / norm.ppf(0.5 + 0.5 * share) / 6.0)


def bends(grey: np.ndarray) -> np.ndarray:
    """Second differences along both axes, at every other pixel of every other row: of noise, 6 times it."""
    across = grey[:, :-2:2] - 2 * grey[:, 1:-1:2] + grey[:, 2::2]
    return across[:-2:2] - 2 * across[1:-1:2] + across[2::2]


def counting_noise(parts: Sequence[np.ndarray]) -> list[float]:
    """Standard deviation of grey by counting in each part of an image.

    Fine particles of a composite differ from pixel to pixel as noise does, but alike in each image. Counting
    is told from them by all parts together: the variance of counted electrons is a straight line by the grey,
    and no part has less. It is the highest one that lies below what is seen in all parts.
    """
    # Whole numbers are spread evenly over their step: a quantile of them would fall on a few values.
    spread = np.random.Generator(np.random.SFC64(2))
    evenly = [one + spread.uniform(-0.5, 0.5, one.shape) for one in parts]
    variance = [max(noise_of(one, _LEAST_SHARE) ** 2 - 1.0 / 12.0, 0.0) for one in evenly]
    line = np.stack([np.ones(len(parts)), [float(one.mean()) for one in parts]], axis=1)
    best = linprog(-line.mean(axis=0), line, variance, bounds=[(None, None), (0.0, None)])
    return [float(one) for one in np.sqrt(np.maximum(line @ best.x, 0.0))]
