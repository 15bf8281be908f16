"""What another image of the same place would show otherwise, from this one with its noise once more."""

from dataclasses import replace
from itertools import combinations, pairwise

import numpy as np
from scipy import ndimage
from scipy.special import ndtr, owens_t
from scipy.stats import norm

from intercalate.reduction.micrographs.enclosed import ROW_ERROR
from intercalate.reduction.micrographs.image import Micrograph, bends, noise_of
from intercalate.reduction.micrographs.pixels import connected
from intercalate.reduction.micrographs.segments import Segments, covered_at_limits, row_jumps, segments

_REPEATS = 5
_LIMITS = (-4.0, -1.5, 0.0, 1.5, 4.0)
"""Standard errors by which the limits of rims are moved: noise turns one in 16,000 that is farther away."""
_GREYS, _SMOOTH_SHARE = 8, 0.3
"""Steps of grey for which noise is taken apart, and the share of their pixels that have no edge beside
them."""


def scatter_px(image: Micrograph, found: Segments) -> float:
    """Standard deviation of the covered area by noise, in pixels.

    Rims join or part, and places are taken for face or inside, where they were near the limit: no law of
    small errors tells how much area goes with that. Noise as strong as that of the image is therefore put on
    it anew, some times, and deposits are looked for again. Repeats are compared with each other, since all
    of them are noisier than the image. What differs between two of them are places far apart, which change
    independently: the variance is half of the sum of the squares of their net areas. So a few repeats tell as
    much as many, of which only the sums were used.

    How much the face varies is told by the image itself: if noise that is put on it made limits wider, all
    places would move to one side of them.

    Noise has put a place at some distance from its limit in this image, and at another one in the next. Few
    repeats of an image in which it is far away show nothing, be the place as large as it may. What turns is
    therefore looked for as well: of rims by moving their limits by some standard errors of what is held
    against them, of places that they enclose by drawing their grey anew (`Filled.turning_px`). To each
    distance belongs a variance. Repeats know the same in another way, and the larger of both is taken.
    """
    generator = np.random.Generator(np.random.SFC64(1))
    of_pixels = _noise_by_grey(image.grey)
    jumps = row_jumps(image.grey)
    # The level of a row has the noise of its pixels.
    by_pixels = ROW_ERROR * noise_of(image.grey) / np.sqrt(image.grey.shape[1])
    of_rows = np.sqrt(max((1.4826 * float(np.median(np.abs(jumps)))) ** 2 - by_pixels**2, 0.0))

    def drawn() -> np.ndarray:
        pixels = of_pixels * generator.standard_normal(image.grey.shape, dtype=np.float32)
        # It is the face whose grey jumps: metal leads its charge away.
        rows = of_rows * generator.standard_normal((image.grey.shape[0], 1), dtype=np.float32)
        return pixels + rows * ~found.covered

    repeated = [
        segments(replace(image, grey=image.grey + drawn()), like=found).covered for _ in range(_REPEATS)
    ]
    by_repeats = 0.5 * float(np.mean([_changed(*pair) for pair in combinations(repeated, 2)]))
    moved = covered_at_limits(image, found, [one for one in _LIMITS if one])
    moved.insert(_LIMITS.index(0.0), found.covered)
    by_limits = sum(
        float(np.mean(square_off(np.linspace(*between, 9)))) * _changed(*pair)
        for between, pair in zip(pairwise(_LIMITS), pairwise(moved))
    )
    return float(np.sqrt(max(by_repeats, by_limits + found.filled.turning_px() ** 2)))


def square_off(distance: np.ndarray) -> np.ndarray:
    """Square of what an image is off the mean of images by, of what is 1 above a limit and 0 below, where
    this one lies so many standard deviations of noise from the limit.

    Noise has moved it. With p the share of images on its side, that is (1 - p)^2, averaged over all places of
    the mean that may have led here: an integral over two normal variates with a correlation of a half, by the
    function of D. B. Owen, Ann. Math. Statist. 27 (1956) 1075. Far from the limit hardly any image is off by
    much, and then by far more than that; there the variance p (1 - p) of all images counts, which is larger.
    """
    away = np.abs(distance) / np.sqrt(2.0)
    of_all = 2.0 * owens_t(away, 1.0 / np.sqrt(3.0))
    return np.maximum(ndtr(-away) - of_all, of_all)


def _changed(one: np.ndarray, other: np.ndarray) -> float:
    """Sum of the squares of the net areas of all connected places that differ."""
    labels, count = connected(one ^ other, corners=True)
    net = np.bincount(labels.ravel(), (one.astype(float) - other).ravel(), minlength=count + 1)[1:]
    return float(np.sum(net**2))


def _noise_by_grey(grey: np.ndarray) -> np.ndarray:
    """Standard deviation of each pixel: that of pixels as bright as it is, since electrons are counted."""
    smooth = ndimage.gaussian_filter(grey, 1.5)
    both = np.abs(bends(grey)).ravel()
    level = smooth[1:-1, 1:-1][::2, ::2].ravel()
    parts = np.array_split(np.argsort(level), _GREYS)
    one_sigma = 6.0 * norm.ppf(0.5 + 0.5 * _SMOOTH_SHARE)
    variance = [(np.quantile(both[one], _SMOOTH_SHARE) / one_sigma) ** 2 for one in parts]
    middle = [float(np.median(level[one])) for one in parts]
    return np.sqrt(np.interp(smooth, middle, variance)).astype(np.float32)
