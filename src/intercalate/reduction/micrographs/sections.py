"""Thickness of layers and bodies within them from images of cross-sections."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import ndimage

from intercalate.reduction.micrographs.image import (
    Micrograph,
    MicrographError,
    counting_noise,
    require_usable,
)
from intercalate.reduction.results import UNDETERMINED, Estimate

_STRIPS = 64
_LEAST_STEP = 8.0
"""Of the grey at a face, in standard errors of the mean of a row: of pure noise, the best steps that can be
found have about 3."""
_LEAST_OF_WANDER = 4.0
"""Thickness of a layer in standard deviations of the course of its faces."""
_ALIKE_ROWS = float(np.sqrt(4.0 * np.pi))
"""Rows that smoothing over one row leaves alike: of so many, one tells something new."""
_FACE_PX = 0.7
"""Standard uncertainty of the place of a face between two materials, from the spot and the edge effect."""
_LEAST_LAYER_PX = 6
_NEARBY_STRIPS = 15
"""Of which the median says how thick a layer is without bodies: they are narrower than half of that."""
_BODY, _LEAST_BODY_PX = 4.0, 3.0
"""By which a strip must differ from that to hold one: in standard deviations, and in pixels."""
_TAPER = (0.7, 1.3)
"""Parts of that, below which a strip counts and above which it does not."""
_REPLICAS, _PART_AGAIN = 24, 0.5
"""Times that noise is added once more, and which part of it: with all of it, a face that is sure in every
image would be lost in some."""
_LEAST_STRIPS = 8
_LEAST_NOISE_PX = 0.02
"""Grey values are whole numbers: what noise cannot show less of."""


@dataclass(frozen=True)
class Layer:
    """A layer of a cross-section.

    Attributes
    ----------
    thickness_um
        Mean along the image.
    roughness_um
        Standard deviation of the thickness along the image, without what noise adds.
    sampling_sigma_um
        By which the mean along another piece of the layer may differ.
    along_um
        Thickness at each strip, shape (strips,), NaN where it was not seen.
    """

    name: str
    thickness_um: Estimate
    roughness_um: Estimate
    sampling_sigma_um: float
    along_um: np.ndarray
    grey: float


@dataclass(frozen=True)
class Section:
    """What a cross-section shows.

    Attributes
    ----------
    faces_px
        Rows of the faces at each strip, shape (layers + 1, strips).
    """

    layers: tuple[Layer, ...]
    faces_px: np.ndarray
    columns_px: np.ndarray

    def layer(self, name: str) -> Layer:
        """By name.

        Raises
        ------
        KeyError
            If there is none.
        """
        for one in self.layers:
            if one.name == name:
                return one
        raise KeyError(f"no layer {name!r}; there are {', '.join(one.name for one in self.layers)}")


def section(image: Micrograph, names: Sequence[str], tilt_sigma_deg: float = 2.0) -> Section:
    """Measure the thickness of layers that lie along the rows of an image.

    Parameters
    ----------
    names
        Of the layers from the top; above and below them the image shows something else.
    tilt_sigma_deg
        Standard uncertainty of the cut against the normal of the layers.

    Raises
    ------
    MicrographError
        If a face cannot be told in the image.
    """
    if not names:
        raise MicrographError("no layers are named; name them from the top")
    require_usable(image)
    strips = _strips(image.grey)
    # Smoothing leaves neighbours alike: their differences show half of the noise.
    noise = 2.0 * float(np.median(np.abs(np.diff(strips, axis=0)))) / 0.6745 / np.sqrt(2)
    mean = strips.mean(axis=1)
    places = _steps(mean, len(names) + 1)
    level = [float(np.median(mean[a:b])) for a, b in zip([0, *places], [*places, mean.size])]
    for number, (upper, lower) in enumerate(pairwise(level)):
        if abs(lower - upper) < _LEAST_STEP * max(noise / np.sqrt(strips.shape[1]), 1e-6):
            above = names[number - 1] if number else "the top"
            raise MicrographError(
                f"the face below {above} shows a step of {abs(lower - upper):.2g} in grey, noise is "
                f"{noise:.2g}; "
                "choose backscattered electrons or a longer dwell"
            )
    faces = np.array([_follow(strips, place, places) for place in places])
    _check_apart(names, faces)
    columns = (np.arange(strips.shape[1]) + 0.5) * (image.grey.shape[1] / strips.shape[1])
    again = [
        np.array([_follow(one, place, places) for place in places])
        for one in _with_noise_again(strips, image.grey, places)
    ]
    layers = tuple(
        _layer(
            name,
            faces[number + 1] - faces[number],
            [one[number + 1] - one[number] for one in again],
            image,
            tilt_sigma_deg,
            level[number + 1],
        )
        for number, name in enumerate(names)
    )
    return Section(layers, faces, columns)


def _strips(grey: np.ndarray) -> np.ndarray:
    """Means over groups of columns, smoothed a little down the rows."""
    count = min(_STRIPS, grey.shape[1] // 4)
    width = grey.shape[1] // count
    means = grey[:, : count * width].reshape(grey.shape[0], count, width).mean(axis=2)
    return ndimage.gaussian_filter1d(means, 1.0, axis=0)


def _with_noise_again(strips: np.ndarray, grey: np.ndarray, places: Sequence[int]) -> Iterator[np.ndarray]:
    """Strips with a part of the noise that they have once more: of electrons, which are fewer where it is
    dark, and of whole rows, whose grey jumps where a sample charges.
    """
    generator = np.random.Generator(np.random.SFC64(1))
    bands = list(pairwise([0, *places, grey.shape[0]]))
    of_pixels = _by_row(bands, counting_noise([grey[first:last] for first, last in bands]))
    of_rows = _by_row(bands, [_row_noise(grey[first:last]) for first, last in bands])
    of_pixels = of_pixels / np.sqrt(grey.shape[1] // strips.shape[1])
    for _ in range(_REPLICAS):
        drawn = of_pixels * generator.standard_normal(strips.shape)
        drawn += of_rows * generator.standard_normal((strips.shape[0], 1))
        yield strips + _PART_AGAIN * ndimage.gaussian_filter1d(drawn, 1.0, axis=0)


def _by_row(bands: Sequence[tuple[int, int]], values: Sequence[float]) -> np.ndarray:
    """Shape (rows, 1)."""
    return np.repeat(values, [last - first for first, last in bands])[:, None]


def _row_noise(grey: np.ndarray) -> float:
    """Standard deviation of the grey of rows from one to the next, in so far as both halves of a row share
    it by more than chance: particles, and electrons, differ between them.
    """
    means = np.stack([half.mean(axis=1) for half in np.array_split(grey, 2, axis=1)])
    second = means[:, :-2] - 2 * means[:, 1:-1] + means[:, 2:]
    # Medians, since rows at a face differ much from the next.
    alike, apart = (
        1.4826 * float(np.median(np.abs(one))) for one in (second.sum(axis=0), np.ptp(second, axis=0))
    )
    # Standard error of the difference of two such variances; about half of the rows tell something new.
    chance = 3.3 / np.sqrt(second.shape[1]) * apart**2
    return float(np.sqrt(alike**2 - apart**2) / np.sqrt(24.0)) if alike**2 - apart**2 > chance else 0.0


def _steps(mean: np.ndarray, count: int) -> list[int]:
    """Rows at which a piecewise constant course changes, by least squares (dynamic programming)."""
    coarse = max(1, mean.size // 400)
    values = mean[: mean.size // coarse * coarse].reshape(-1, coarse).mean(axis=1)
    size = values.size
    total, squares = (np.concatenate([[0.0], np.cumsum(values**power)]) for power in (1, 2))
    least = max(1, _LEAST_LAYER_PX // coarse)
    first, last = np.arange(size + 1)[:, None], np.arange(size + 1)[None, :]
    length = np.maximum(last - first, 1)
    cost = squares[None, :] - squares[:, None] - (total[None, :] - total[:, None]) ** 2 / length
    cost = np.where(last - first >= least, cost, np.inf)
    best, came = cost[0].copy(), []
    for _ in range(count):
        through = best[:, None] + cost
        came.append(np.argmin(through, axis=0))
        best = np.min(through, axis=0)
    if not np.isfinite(best[size]):
        raise MicrographError(f"{count - 1} layers do not fit into {mean.size} rows; magnify less")
    places, at = [], size
    for step in reversed(came):
        at = int(step[at])
        places.append(at * coarse)
    return places[::-1]


def _check_apart(names: Sequence[str], faces: np.ndarray) -> None:
    """Refuse a layer that is thinner than its faces wander: it may be the way from one level to the next.

    Raises
    ------
    MicrographError
        Naming the layer.
    """
    for name, (upper, lower) in zip(names, pairwise(faces)):
        wander = max(float(np.nanstd(one)) for one in (upper, lower))
        thick = float(np.nanmedian(lower - upper))
        if thick < _LEAST_OF_WANDER * wander:
            raise MicrographError(
                f"what was taken for {name} is {thick:.0f} pixels thick, its faces wander by "
                f"{wander:.0f}: it "
                "may be a face between two others; choose backscattered electrons, or magnify more"
            )


def _follow(strips: np.ndarray, place: int, places: list[int]) -> np.ndarray:
    """Row of one face in each strip: the step between the levels above and below, halfway to the next
    faces.

    A grain or a pore at a face offers two places for the step. The mean over all places is taken, each as
    likely as what is left of grey beside the two levels makes it: the best one alone would jump by a grain
    when noise tips the balance.
    """
    at = places.index(place)
    low = (places[at - 1] + place) // 2 if at else max(0, place - (places[1] - place) // 2)
    high = (
        (place + places[at + 1]) // 2
        if at + 1 < len(places)
        else min(strips.shape[0], place + (place - places[at - 1]) // 2)
    )
    part = strips[low:high]
    size = part.shape[0]
    total = np.concatenate([np.zeros((1, part.shape[1])), np.cumsum(part, axis=0)])
    cut = np.arange(1, size)[:, None]
    gain = total[cut[:, 0]] ** 2 / cut + (total[-1] - total[cut[:, 0]]) ** 2 / (size - cut)
    best = np.argmax(gain, axis=0)
    # From each row to where a parabola through its neighbours culminates.
    before, here, after = gain[:-2], gain[1:-1], gain[2:]
    curve = before - 2 * here + after
    shift = np.where(curve < 0, 0.5 * (before - after) / np.minimum(curve, -1e-9), 0.0)
    rest = np.maximum(np.sum(part**2, axis=0) - gain.max(axis=0), 1e-9) / (size - 2)
    likely = np.exp((here - here.max(axis=0)) / (2.0 * _ALIKE_ROWS * rest))
    place_of = np.arange(2, size - 1)[:, None] + np.clip(shift, -0.5, 0.5)
    rows = low + np.average(place_of, axis=0, weights=likely)
    # A step at the end of the window is none.
    return np.where((best < 1) | (best > gain.shape[0] - 2), np.nan, rows)


def _mean_of(thick_px: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean over strips, and the weight of each: 0 where a body stands on a face or reaches through it. One
    at the limit counts in part: it would otherwise count in this image and not in the next.
    """
    seen = np.isfinite(thick_px)
    usual = float(np.median(thick_px[seen]))
    nearby = ndimage.median_filter(np.where(seen, thick_px, usual), size=_NEARBY_STRIPS, mode="mirror")
    off = np.where(seen, thick_px - nearby, np.inf)
    spread = 1.4826 * float(np.median(np.abs(off[seen])))
    part = np.abs(off) / max(_BODY * spread, _LEAST_BODY_PX)
    weight = np.clip(_TAPER[1] - part, 0.0, np.ptp(_TAPER)) / np.ptp(_TAPER)
    return float(np.average(np.where(seen, thick_px, 0.0), weights=weight)), weight


def _layer(
    name: str,
    thick_px: np.ndarray,
    again_px: Sequence[np.ndarray],
    image: Micrograph,
    tilt_sigma_deg: float,
    grey: float,
) -> Layer:
    """Statistics over the strips. `again_px` is the same with a part of the noise once more."""
    pixel, scale = image.pixel_um, image.pixel_sigma_um / image.pixel_um
    seen = np.isfinite(thick_px)
    if seen.sum() < _LEAST_STRIPS:
        return Layer(name, UNDETERMINED, UNDETERMINED, float("nan"), thick_px * pixel, grey)
    mean, weight = _mean_of(thick_px)
    used, off = float(weight.sum()), np.where(seen, thick_px - mean, 0.0)
    deviation = float(np.sqrt(np.average(off**2, weights=weight)))
    repeated = [_mean_of(one)[0] for one in again_px if np.isfinite(one).sum() >= _LEAST_STRIPS]
    apart = np.array(again_px) - thick_px
    noise = 1.4826 * float(np.nanmedian(np.abs(apart))) / _PART_AGAIN
    by_noise = float(np.std(repeated, ddof=1)) / _PART_AGAIN if len(repeated) > 1 else 0.0
    # A cut that is not normal to the layers makes them thicker by half the square of its angle. Of bodies,
    # about as much is not seen as is left out within the usual range.
    tilt = 0.5 * np.radians(tilt_sigma_deg) ** 2 * mean
    near = np.abs(off) < 5.0 * max(deviation, _LEAST_BODY_PX)
    bodies = float(np.abs(np.sum((1.0 - weight) * near * off))) / seen.sum()
    systematic = float(np.sqrt(2 * _FACE_PX**2 + (mean * scale) ** 2 + tilt**2 + bodies**2))
    stat = max(by_noise, _LEAST_NOISE_PX / np.sqrt(used))
    rough = float(np.sqrt(max(deviation**2 - noise**2, 0.0)))
    # Neighbouring strips are alike: about every fourth tells something new.
    independent = max(used / 4.0, 2.0)
    return Layer(
        name,
        Estimate(mean * pixel, float(stat) * pixel, systematic * pixel),
        Estimate(rough * pixel, float(deviation / np.sqrt(2.0 * (independent - 1.0))) * pixel, 0.3 * pixel),
        float(deviation / np.sqrt(independent)) * pixel,
        thick_px * pixel,
        grey,
    )
