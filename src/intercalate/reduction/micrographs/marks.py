"""Cracks and isles of a face: how long, how many, how large."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from intercalate.reduction.micrographs.deposits import DepositMap
from intercalate.reduction.micrographs.image import Micrograph, require_usable
from intercalate.reduction.micrographs.pixels import connected
from intercalate.reduction.results import UNDETERMINED, Estimate

_SURE, _LIKELY = 8.0, 4.0
_LONG = 5.0
"""Length by width from which on something dark is a crack."""
_LEAST_LENGTH_PX = 15.0
_MISSED = 0.1
"""Part of a crack's length that is hidden below deposits, or too narrow to be seen."""


@dataclass(frozen=True)
class CrackMap:
    """Cracks of a face.

    Attributes
    ----------
    count
        With the error of counting.
    length_um
        Of all together.
    density_per_mm
        Length per area, um per um2 times 1000.
    width_um
        Mean.
    dark
        Pixels of cracks, shape of the image.
    """

    count: Estimate
    length_um: Estimate
    density_per_mm: Estimate
    width_um: Estimate
    dark: np.ndarray


def cracks(image: Micrograph) -> CrackMap:
    """Find dark lines that are longer than wide.

    Raises
    ------
    MicrographError
        If the image is of no use.
    """
    quality = require_usable(image)
    smooth = ndimage.gaussian_filter(image.grey, 1.0)
    rows, columns = image.grey.shape
    coarse = ndimage.median_filter(smooth[::2, ::2], 15)
    fine = smooth - np.repeat(np.repeat(coarse, 2, axis=0), 2, axis=1)[:rows, :columns]
    # Smoothing over one pixel leaves 0.28 of the noise; the face's own relief adds to it.
    sigma = max(0.28 * quality.noise, 1.4826 * float(np.median(np.abs(fine[::3, ::3]))), 1e-3)
    labels, count = connected(fine < -_LIKELY * sigma, corners=True)
    index = np.arange(1, count + 1)
    area = np.bincount(labels.ravel(), minlength=count + 1)[1:].astype(float)
    deepest = np.asarray(ndimage.minimum(fine, labels, index)) if count else np.zeros(0)
    length = np.array(
        [_extent(labels, box, number) for number, box in enumerate(ndimage.find_objects(labels), 1)]
    )
    width = area / np.maximum(length, 1.0)
    chosen = (deepest < -_SURE * sigma) & (length > _LONG * width) & (length > _LEAST_LENGTH_PX)
    dark = np.concatenate([[False], chosen])[labels]
    number = int(chosen.sum())
    pixel, scale = image.pixel_um, image.pixel_sigma_um / image.pixel_um
    total = float(length[chosen].sum()) * pixel
    # Each crack is long by its own accident: counting says how well a sample knows the sum.
    stat = float(np.sqrt(np.sum(length[chosen] ** 2))) * pixel if number else pixel * _LEAST_LENGTH_PX
    systematic = total * float(np.hypot(_MISSED, scale))
    area_um2 = image.area_um2
    mean_width = float(np.average(width[chosen], weights=length[chosen])) * pixel if number else float("nan")
    return CrackMap(
        Estimate(float(number), float(np.sqrt(max(number, 1))), _MISSED * number),
        Estimate(total, stat, systematic),
        Estimate(1e3 * total / area_um2, 1e3 * stat / area_um2, 1e3 * systematic / area_um2),
        Estimate(mean_width, float(width[chosen].std()) / np.sqrt(number) * pixel, pixel)
        if number
        else UNDETERMINED,
        dark,
    )


def _extent(labels: np.ndarray, box: tuple[slice, slice], number: int) -> float:
    """Length of a thin shape: half of its outline, counted along pixels and their diagonals."""
    mask = np.pad(labels[box] == number, 1)
    straight = sum(
        int(np.sum(mask[1:-1, 1:-1] & ~np.roll(mask, step, axis)[1:-1, 1:-1]))
        for step, axis in ((1, 0), (-1, 0), (1, 1), (-1, 1))
    )
    # pi/4: the mean over directions of a line's true length by its length along the axes of the pixels.
    return 0.5 * np.pi / 4.0 * straight


@dataclass(frozen=True)
class IsleCount:
    """Isles of a face.

    Attributes
    ----------
    per_mm2
        The statistical error is that of counting.
    diameter_um
        Mean of discs of the same area, of isles that lie wholly within the image.
    diameters_um
        Of each of those.
    """

    count: int
    per_mm2: Estimate
    diameter_um: Estimate
    diameters_um: np.ndarray


def isles(image: Micrograph, found: DepositMap, least_um: float = 0.0) -> IsleCount:
    """Count and size what stands on a face; isles at the side count half.

    Parameters
    ----------
    least_um
        Diameter from which on something is an isle.
    """
    labels, count = found.segments.labels, found.segments.count
    diameters = 2.0 * np.sqrt(found.shapes.area_px / np.pi) * image.pixel_um
    at_side = np.zeros(count + 1, dtype=bool)
    for side in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        at_side[side] = True
    at_side = at_side[1:]
    large = diameters >= least_um
    number = float(np.sum(large & ~at_side) + 0.5 * np.sum(large & at_side))
    area_mm2 = image.area_um2 * 1e-6
    scale = image.pixel_sigma_um / image.pixel_um
    per_mm2 = Estimate(number / area_mm2, np.sqrt(max(number, 1.0)) / area_mm2, 2 * scale * number / area_mm2)
    whole = diameters[large & ~at_side]
    if whole.size < 2:
        return IsleCount(round(number), per_mm2, UNDETERMINED, whole)
    mean = float(whole.mean())
    stat, systematic = (
        float(whole.std(ddof=1) / np.sqrt(whole.size)),
        float(np.hypot(image.pixel_um, mean * scale)),
    )
    return IsleCount(round(number), per_mm2, Estimate(mean, stat, systematic), whole)
