"""Places that bright rims enclose: the inside of a deposit, or face between deposits.

What tells them apart:

fall
    The grey of an inside falls from its rim inwards; a face is as bright as ever, or darker where the rim
    stands over it.
level
    Insides are of one material and lie as high as each other, so that they are alike in grey; so is the face
    beside rims. What both look like is seen in the image itself: insides are the places that fall most, face
    is what lies around all deposits.
depth
    Insides are as wide as deposits are. Face between deposits may be much wider.
others
    Between needles that cross most of what is enclosed is face, in a heap of lumps it is inside: what the
    other places of an image are is known before a place is looked at.

The logarithms of their odds add up. Grey has long tails, since neighbours throw their shadow: levels are
distributed as Lorentzians, and the odds of a fall grow with its logarithm.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit, owens_t

from intercalate.reduction.micrographs.pixels import (
    connected,
    depth_px,
    largest,
    sizes_px,
    widened,
)

_GAP_PX = 5
"""Half of the widest gap of a rim that is bridged."""
_FAINT_PX = 2
"""From a rim, where its own light is still seen."""
_LEAST_FACE_PX = 50
"""That say how bright the face is at some distance from rims."""
_LEAST_SEEN_PX = 10
_ODD_SIZE = 0.6
"""Likelihood that a slit too narrow to look into belongs to a deposit: in between where rims are close
together."""
_SURE_FALL, _LEAST_SURE = 1.0, 3
"""Fall, in standard deviations of the face, from which nine of ten places are insides; how many of them say
what insides look like."""
_LONE_FALL, _LONE_SOFT = 0.5, 0.25
"""Fall from which a place is an inside where too few are sure to tell by more, and over how much of it that
is uncertain: places of an image without sure insides are face as a rule."""
_FALL_ODDS, _DEPTH_ODDS = 0.65, 0.65
"""Logarithm of the odds per unit of arsinh of twice the fall, and per unit of the logarithm of the depth: by
maximum likelihood, weighted by area, of 6000 places in images of 150 drawn worlds from 20000 on, in which
levels get the weight 1 that they should have (0.9 if it is left free)."""
ROW_ERROR = 1.35 * float(np.sqrt(3.0))
"""Standard error of the level of a row by the lower third of every third pixel, in units of that of a pixel
over the root of their number."""
NOISE_LEFT = 0.5 / float(np.sqrt(np.pi))
"""Of that of a pixel, in grey that is smoothed over one."""
_DRAWS, _ONE_SIGMA = 400, 0.683
"""Of all places at once, and the share within one standard error."""


@dataclass(frozen=True)
class Filled:
    """Outlines with the insides of deposits.

    Attributes
    ----------
    covered
        Shape of the image.
    doubtful_px, flipping_px
        Standard uncertainty of the filled area, in pixels: each place is filled with a likelihood; and what
        noise alone makes of it.
    """

    covered: np.ndarray
    doubtful_px: float
    flipping_px: float


@dataclass(frozen=True)
class _Places:
    """Enclosed places; arrays have the shape (count,), `labels` that of the image.

    Attributes
    ----------
    fall, level
        How much brighter the outer half is than the middle, and the grey of the middle less that of the
        face, in standard deviations of the face.
    fall_noise, level_noise
        Their standard errors from one image to the next.
    level_weight
        What the level of one tells of that of all others: by the noise of its pixels.
    depth_px
        Largest distance from a rim.
    is_seen
        Whether there is enough of both halves.
    """

    labels: np.ndarray
    size_px: np.ndarray
    fall: np.ndarray
    fall_noise: np.ndarray
    level: np.ndarray
    level_noise: np.ndarray
    level_weight: np.ndarray
    depth_px: np.ndarray
    is_seen: np.ndarray

    @property
    def largest(self) -> int:
        """The face around all deposits."""
        return int(np.argmax(self.size_px))


@dataclass(frozen=True)
class _Alike:
    """What insides and the face of an image look like.

    Attributes
    ----------
    inside, inside_scatter
        Grey of insides.
    depth_px
        Typical depth of insides.
    face_at_px, face, face_scatter
        Grey of the face by the distance from rims, shape (distances,).
    """

    inside: float
    inside_scatter: float
    depth_px: float
    face_at_px: np.ndarray
    face: np.ndarray
    face_scatter: np.ndarray


def filled_outlines(outlines: np.ndarray, away: np.ndarray, noise: float) -> Filled:
    """Fill what rims enclose where it is the inside of a deposit. A second round takes rims with gaps.

    Parameters
    ----------
    outlines
        Rims of deposits, shape (rows, columns).
    away
        Grey, smoothed over a pixel, less that of the face, in standard deviations of the face.
    noise
        Of pixels that are not smoothed, in the same units.
    """
    depth = depth_px(~outlines)
    places = _places(depth, away, noise, 0)
    if places.size_px.size == 0:
        return Filled(outlines, 0.0, 0.0)
    alike = _alike(places, depth, away)
    enclosed, doubtful_px, flipping_px = _insides(places, alike, _ODD_SIZE)
    if alike is None:
        # What it looks like has to tell what is not even enclosed.
        return Filled(outlines | enclosed, doubtful_px, flipping_px)
    # What was looked into is decided: it is the face around all deposits that insides may be open to.
    depth = np.where(places.labels == places.largest + 1, depth, np.float32(0.0))
    behind = _places(depth, away, noise, _GAP_PX)
    if behind.size_px.size == 0:
        return Filled(outlines | enclosed, doubtful_px, flipping_px)
    behind_gaps, _, flipping = _insides(behind, alike, 0.0)
    if behind_gaps.any():
        behind_gaps = widened(behind_gaps, _GAP_PX) & (depth > 0)
    return Filled(outlines | enclosed | behind_gaps, doubtful_px, float(np.hypot(flipping_px, flipping)))


def _places(depth: np.ndarray, away: np.ndarray, noise: float, gap_px: int) -> _Places:
    """What is enclosed if rims are made so much wider that gaps in them close."""
    labels, count = connected(depth > gap_px)
    deepest = largest(depth, labels, count)
    first = gap_px + _FAINT_PX
    # Of the pixels that are far enough from rims, of which there are fewer than in the image.
    far = np.flatnonzero(depth > first)
    place, away_px, grey = (one.ravel()[far] for one in (labels, depth, away))
    half = np.concatenate([[0.0], 0.5 * (deepest + first)]).astype(np.float32)[place]
    is_outer = away_px <= half
    # Outlines are drawn in whole pixels, by noise in others each time: so are the ends of both halves.
    is_end = (np.abs(away_px - half) <= 1.0) | (away_px <= first + 1.0)
    (bright, of_bright, outer_px), (level, of_level, inner_px) = (
        _mean_and_ends(place[one], grey[one], is_end[one], count) for one in (is_outer, ~is_outer)
    )
    # Pixels of a row share the error of its level.
    of_rows = ROW_ERROR**2 / (away.shape[1] * 2.0 * np.maximum(deepest, 1.0))
    by_outer, by_inner = (noise**2 * (1.0 / np.maximum(one, 1) + of_rows) for one in (outer_px, inner_px))
    return _Places(
        labels,
        sizes_px(labels, count),
        bright - level,
        np.sqrt(by_outer + of_bright + by_inner + of_level),
        level,
        np.sqrt(by_inner + of_level),
        1.0 / np.sqrt(by_inner),
        deepest,
        np.minimum(outer_px, inner_px) >= _LEAST_SEEN_PX,
    )


def _mean_and_ends(
    place: np.ndarray, grey: np.ndarray, is_end: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean grey of the pixels of each place, its variance where noise chooses other pixels at the ends, which
    differ from each other, and how many there are.
    """
    number, sums, squares, ends = (
        np.bincount(place, weights, minlength=count + 1)[1:] for weights in (None, grey, grey**2, is_end)
    )
    pixels = np.maximum(number, 1)
    mean = sums / pixels
    return mean, np.maximum(squares / pixels - mean**2, 0.0) * ends / pixels**2, number


def _alike(places: _Places, depth: np.ndarray, away: np.ndarray) -> _Alike | None:
    """What insides and the face look like in this image; None where too few insides are sure."""
    sure = places.is_seen & (places.fall > _SURE_FALL)
    sure[places.largest] = False
    if sure.sum() < _LEAST_SURE:
        return None
    weight = places.level_weight[sure]
    inside = float(np.average(places.level[sure], weights=weight))
    scatter = float(np.sqrt(np.average((places.level[sure] - inside) ** 2, weights=weight)))
    of_face = places.labels == places.largest + 1
    far, grey = depth[of_face], away[of_face]
    at, courses = [], []
    for near_px in _FAINT_PX * 2.0 ** np.arange(6):
        here = grey[(far > near_px) & (far <= 2.0 * near_px)]
        if here.size >= _LEAST_FACE_PX:
            at.append(np.sqrt(2.0) * near_px)
            courses.append(np.percentile(here, [16, 50, 84]))
    if not courses:
        return None
    low, face, high = np.transpose(courses)
    # The face itself varies by 1.
    return _Alike(
        inside,
        float(np.hypot(scatter, 1.0)),
        float(np.average(places.depth_px[sure], weights=weight)),
        np.array(at),
        face,
        np.hypot(0.5 * (high - low), 1.0),
    )


def _insides(places: _Places, alike: _Alike | None, odd_size: float) -> tuple[np.ndarray, float, float]:
    """Pixels of places that are insides, and what is doubtful.

    Parameters
    ----------
    odd_size
        Likelihood of places that are not seen.
    """
    if alike is None:
        odds = (places.fall - _LONE_FALL) / _LONE_SOFT
        by_noise = places.fall_noise / _LONE_SOFT
    else:
        odds = _FALL_ODDS * np.arcsinh(2.0 * places.fall)
        fall_slope = 2.0 * _FALL_ODDS / np.sqrt(1.0 + 4.0 * places.fall**2)
        of_inside, inside_slope = _lorentzian(places.level, alike.inside, alike.inside_scatter)
        # The middle of a place begins at half of its depth.
        as_far = 0.75 * places.depth_px
        face, scatter = (np.interp(as_far, alike.face_at_px, one) for one in (alike.face, alike.face_scatter))
        of_face, face_slope = _lorentzian(places.level, face, scatter)
        odds += of_inside - of_face - _DEPTH_ODDS * np.log(places.depth_px / alike.depth_px)
        level_slope = inside_slope - face_slope
        # A middle that is brighter by noise falls less as well.
        by_middle = level_slope * (level_slope - 2.0 * fall_slope) * places.level_noise**2
        by_noise = np.sqrt((fall_slope * places.fall_noise) ** 2 + by_middle)
    asked = places.is_seen.copy()
    asked[places.largest] = False
    alone = expit(odds)
    inside = 1.0 + float(np.sum(alone[asked]))
    outside = 2.0 + asked.sum() - inside
    # A place is one of those that tell what most places are: where it turns, it counts among them as well.
    limit = logit((outside + alone) / (inside + outside + 1.0))
    flips = np.where(asked, flipping((odds - limit) / by_noise), 0.0)
    likely = np.where(asked, expit(odds + np.log(inside / outside)), odd_size)
    likely[places.largest] = 0.0
    size = places.size_px.astype(float)
    flipping_px = float(np.sqrt(np.sum(flips * size**2)))
    is_inside = likely > 0.5
    doubtful_px = _wrong_px(likely, np.where(is_inside, -size, size))
    return np.concatenate([[False], is_inside])[places.labels], doubtful_px, flipping_px


def _wrong_px(likely: np.ndarray, change_px: np.ndarray) -> float:
    """What the area is wrong by at most in two of three cases, where places are what they were not taken for
    as often as that is likely.

    A few large places that are hardly in doubt make a standard deviation which is exceeded in one case of
    ten: the distribution has long tails.
    """
    wrong = np.where(change_px < 0.0, 1.0 - likely, likely)
    drawn = np.random.Generator(np.random.SFC64(1)).random((_DRAWS, wrong.size)) < wrong
    return float(np.quantile(np.abs(drawn @ change_px), _ONE_SIGMA))


def _lorentzian(
    values: np.ndarray, middle: float | np.ndarray, width: float | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Logarithm of its density but for a constant, and the slope of that."""
    off = (values - middle) / width
    return -np.log1p(off**2) - np.log(width), -2.0 * off / (1.0 + off**2) / width


def flipping(distance: np.ndarray) -> np.ndarray:
    """Variance of what is 1 above a limit and 0 below, seen so many standard deviations of noise from it.

    The same noise has moved it, so that its mean may be as far from there: the variance of one image after
    the other is p (1 - p), and p depends on the mean. The average over means is a bivariate normal integral,
    twice the function of D. B. Owen, Ann. Math. Statist. 27 (1956) 1075.
    """
    return 2.0 * owens_t(np.abs(distance) / np.sqrt(2.0), 1.0 / np.sqrt(3.0))
