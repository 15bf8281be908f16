"""Colour images in white light: counts in, reflectance and the colours of graphite out; no EPICS.

Graphite changes its colour while lithium goes in (`materials.optical`). Colours tell where which stage is,
and not how much lithium: that is for spectra.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from intercalate.materials import Mark, Source
from intercalate.materials.optical import GRAPHITE_COLOURS, SILICON_REFLECTANCE, SILICON_SIGMA
from intercalate.reduction.results import Estimate

MOST_SATURATED = 1e-3
"""Share of the pixels that may be saturated."""
LEAST_LIGHT = 10.0
"""Standard deviations of a read-out by which the brighter pixels of an image stand out of the dark."""
NEAR = 0.6
"""Distance to a colour over that to the next, below which a pixel has it; else it lies between them."""
FARTHEST = 0.15
"""Distance in reflectance beyond which a colour is none of graphite's."""
BALANCE_SIGMA, BRIGHTNESS_SIGMA = 0.03, 0.05
"""Relative, of one channel against the others, and of all: how a face lies, and what it is covered with."""
SHARES_SOURCE = Source("limits between colours, and how far shades differ from the table", Mark.ILLUSTRATION)
FOCUS_UM = 1.0
"""By which an image may be out of focus without being seen to be."""


class OpticalError(ValueError):
    """An image cannot be used; the message says why."""


@dataclass(frozen=True)
class OpticalCamera:
    """What is known of a camera.

    Attributes
    ----------
    dark_counts, read_noise_counts
        Of a pixel without light.
    """

    pixel_um: float
    counts_per_electron: float
    dark_counts: float
    read_noise_counts: float
    saturation_counts: float


@dataclass(frozen=True)
class White:
    """Counts of a white face for each count of the lamp's monitor.

    Attributes
    ----------
    per_count
        Shape (rows, columns, 3).
    relative_sigma
        By counting, of the median pixel.
    """

    per_count: np.ndarray
    relative_sigma: float


@dataclass(frozen=True)
class FaceColours:
    """The colours of a face of graphite.

    Attributes
    ----------
    colour
        Number of the colour of each pixel in `GRAPHITE_COLOURS`, -1 between two, -2 for none of them; shape
        (rows, columns).
    shares
        Of the pixels of the image, by colour, with `between` and `other`.
    """

    colour: np.ndarray
    shares: Mapping[str, Estimate]


BETWEEN, OTHER = -1, -2


def light_of(counts: np.ndarray, camera: OpticalCamera) -> np.ndarray:
    """Counts above the dark, shape (rows, columns, 3).

    Raises
    ------
    OpticalError
        If the image is dark or saturated.
    """
    counts = np.asarray(counts, float)
    saturated = float(np.mean(counts >= camera.saturation_counts))
    if saturated > MOST_SATURATED:
        raise OpticalError(
            f"{100 * saturated:.2g} % of the image are saturated, {100 * MOST_SATURATED:g} % may be: expose "
            "it shorter, or turn the lamp down"
        )
    light = counts - camera.dark_counts
    bright = float(np.percentile(light, 95.0))
    if not bright > LEAST_LIGHT * camera.read_noise_counts:
        raise OpticalError(
            f"the image is dark: its brighter pixels are {bright:.3g} counts above the dark, "
            f"{LEAST_LIGHT * camera.read_noise_counts:.3g} are needed; is the lamp on, and the laser's "
            "shutter closed?"
        )
    return light


def white_of(
    images: Sequence[np.ndarray],
    monitor: Sequence[float],
    camera: OpticalCamera,
    reflectance: tuple[float, float, float] = SILICON_REFLECTANCE,
) -> White:
    """White reference, by images of an even face of known reflectance.

    Parameters
    ----------
    images
        Counts, shape (rows, columns, 3) each.
    monitor
        Counts of the lamp's monitor in each exposure.

    Raises
    ------
    OpticalError
        If an image is dark or saturated, the monitor has counted nothing, or the face is not even.
    """
    if not min(monitor, default=0.0) > 0:
        raise OpticalError("the lamp's monitor has counted nothing; is the lamp on?")
    light = np.array([light_of(one, camera) / count for one, count in zip(images, monitor)])
    mean = light.mean(axis=0)
    smooth = ndimage.gaussian_filter(mean, (4.0, 4.0, 0.0), mode="nearest")
    electrons = smooth * float(np.sum(monitor)) / camera.counts_per_electron
    read = camera.read_noise_counts * np.sqrt(len(images)) / camera.counts_per_electron
    expected = np.sqrt(np.maximum(electrons, 1.0) + read**2) / np.maximum(electrons, 1.0)
    uneven = float(np.std(mean / smooth - 1.0)) / float(np.sqrt(np.mean(expected**2)))
    if uneven > 2.0:
        raise OpticalError(
            f"the white face is not even: it differs from pixel to pixel {uneven:.1f} times as much as "
            "counting explains; go to a clean place of it"
        )
    # What is finer than the optics can make is noise.
    return White(smooth / np.array(reflectance), float(np.median(expected)) / (2.0 * np.sqrt(np.pi) * 4.0))


def reflectance_of(counts: np.ndarray, monitor: float, white: White, camera: OpticalCamera) -> np.ndarray:
    """Reflectance of every pixel in red, green and blue; raises as `light_of`.

    Raises
    ------
    OpticalError
        If the white reference is of another camera, or the monitor has counted nothing.
    """
    light = light_of(counts, camera)
    if white.per_count.shape != light.shape:
        raise OpticalError(
            f"the white reference has the shape {white.per_count.shape}, the image {light.shape}; run "
            "calibrate_colour again"
        )
    if not monitor > 0:
        raise OpticalError("the lamp's monitor has counted nothing; is the lamp on?")
    return light / (monitor * white.per_count)


def face_colours(reflectance: np.ndarray, pixel_um: float) -> FaceColours:
    """Sort the pixels of a face of graphite by colour.

    The errors of shares say by how much they change with shades that differ from the table, with the white of
    silicon, and with the focus; counting hardly matters.

    Parameters
    ----------
    reflectance
        Shape (rows, columns, 3).
    """
    # Noise of single pixels is no colour: particles are larger.
    smooth = ndimage.gaussian_filter(reflectance, (1.0, 1.0, 0.0), mode="nearest")
    colour = _sorted(smooth)
    names = [*GRAPHITE_COLOURS, "between", "other"]
    nominal = _shares(colour)
    squared = np.zeros(len(names))
    for channel in range(3):
        for sign in (-1.0, 1.0):
            factor = np.ones(3)
            factor[channel] += sign * float(np.hypot(BALANCE_SIGMA, SILICON_SIGMA))
            # Two signs of one error are not two errors.
            squared += 0.5 * (_shares(_sorted(smooth * factor)) - nominal) ** 2
    for sign in (-1.0, 1.0):
        squared += 0.5 * (_shares(_sorted(smooth * (1.0 + sign * BRIGHTNESS_SIGMA))) - nominal) ** 2
    blur_px = FOCUS_UM / pixel_um
    blurred = ndimage.gaussian_filter(smooth, (blur_px, blur_px, 0.0), mode="nearest")
    squared += (_shares(_sorted(blurred)) - nominal) ** 2
    noise = np.sqrt(nominal * (1.0 - nominal) / colour.size)
    shares = {
        name: Estimate(float(value), float(stat), float(np.sqrt(sys)))
        for name, value, stat, sys in zip(names, nominal, noise, squared)
    }
    return FaceColours(colour, shares)


def _sorted(reflectance: np.ndarray) -> np.ndarray:
    """Number of the colour of each pixel."""
    anchors = np.array([one.reflectance for one in GRAPHITE_COLOURS.values()])
    distance = np.linalg.norm(reflectance[..., None, :] - anchors, axis=-1)
    order = np.sort(distance, axis=-1)
    nearest = np.argmin(distance, axis=-1)
    colour = np.where(order[..., 0] < NEAR * order[..., 1], nearest, BETWEEN)
    return np.where(order[..., 0] > FARTHEST, OTHER, colour)


def _shares(colour: np.ndarray) -> np.ndarray:
    numbers = [*range(len(GRAPHITE_COLOURS)), BETWEEN, OTHER]
    return np.array([np.mean(colour == one) for one in numbers])
