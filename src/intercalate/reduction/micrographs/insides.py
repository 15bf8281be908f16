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

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from intercalate.reduction.micrographs.enclosed import FAINT_PX, Greys, Places, places_of
from intercalate.reduction.micrographs.pixels import (
    beside,
    depth_px,
    highest_around,
    largest,
    sizes_px,
    widened,
)

_GAPS_PX = (5, 10, 20)
"""Halves of the widest gaps of rims that are bridged, one after the other: of a deposit that is dim on one
side, or lies on another one, much of the rim may be missing."""
_LEAST_FACE_PX = 50
"""That say how bright the face is at some distance from rims."""
_ODD_SIZE = 0.6
"""Likelihood that a slit too narrow to look into belongs to a deposit: in between where rims are close
together."""
_SURE_FALL, _SURE_SIGMAS = 1.0, 2.0
"""Fall, in standard deviations of the face, from which nine of ten places are insides, and by how many
standard errors it must be more, lest noise make one sure."""
_LONE_FALL, _LONE_SOFT = 0.5, 0.25
"""Fall from which a place is an inside where none is sure to tell by more, and over how much of it that
is uncertain: places of an image without sure insides are face as a rule."""
_FALL_ODDS, _DEPTH_ODDS = 0.65, 0.65
"""Logarithm of the odds per unit of arsinh of twice the fall, and per unit of the logarithm of the depth: by
maximum likelihood, weighted by area, of 6000 places in images of 150 drawn worlds from 20000 on, in which
levels get the weight 1 that they should have (0.9 if it is left free)."""
_PAIRS = 200
"""Of images that are drawn to see what noise decides."""
_DRAWS, _ONE_SIGMA = 400, 0.683
"""Of all places at once, and the share within one standard error."""


@dataclass(frozen=True)
class _Face:
    """Grey of the face by the distance from rims, shape (distances,)."""

    at_px: np.ndarray
    grey: np.ndarray
    scatter: np.ndarray


@dataclass(frozen=True)
class _Alike:
    """What insides look like; arrays have the shape (images, 1).

    Attributes
    ----------
    is_known
        Whether an inside is sure.
    inside, scatter
        Grey of insides.
    depth_px
        Typical depth of insides.
    """

    is_known: np.ndarray
    inside: np.ndarray
    scatter: np.ndarray
    depth_px: np.ndarray


@dataclass(frozen=True)
class _Round:
    """Places that are enclosed if gaps of some width are closed; arrays have the shape (count,).

    Attributes
    ----------
    within
        Number of the place of the round before in which each of them lies.
    fills_px
        What filling it would add, gaps and all.
    """

    places: Places
    within: np.ndarray
    fills_px: np.ndarray


@dataclass(frozen=True)
class Filled:
    """Outlines with the insides of deposits.

    Attributes
    ----------
    covered
        Shape of the image.
    doubtful_px
        Standard uncertainty of the filled area, in pixels: each place is filled with a likelihood.
    """

    covered: np.ndarray
    doubtful_px: float
    _face: _Face | None = None
    _rounds: tuple[_Round, ...] = ()

    def turning_px(self) -> float:
        """What the filled area is off the mean of images by, where noise decides what is filled and does not
        redraw rims.

        Greys are truly what they are here but for the noise of this image; two others of the same truth
        differ in their own. In each the places that are sure say anew what all insides look like, which may
        turn many at once. The mean product of what this area is off both by is the square of what it is off
        their mean by; half of the mean square of what they differ by is the variance of all. The larger of
        both counts: far from their limits hardly any image is off, and then by far more than that.
        """
        if not self._rounds:
            return 0.0
        generator = np.random.Generator(np.random.SFC64(2))
        places = [one.places for one in self._rounds]
        here = self._areas([one.seen for one in places])
        true = [one.true(generator, _PAIRS) for one in places]
        off = [
            here - self._areas([one.drawn(generator, *grey) for one, grey in zip(places, true)])
            for _ in range(2)
        ]
        return float(np.sqrt(max(np.mean(off[0] * off[1]), 0.5 * np.mean((off[0] - off[1]) ** 2))))

    def _areas(self, greys: Sequence[Greys]) -> np.ndarray:
        """That are filled if places have these greys, in pixels; shape (images,).

        What a narrower gap has filled is not filled again by a wider one.
        """
        alike = _alike(self._rounds[0].places, greys[0])
        images = greys[0][0].shape[0]
        areas, is_filled = np.zeros(images), np.zeros((images, 1), bool)
        for number, (one, grey) in enumerate(zip(self._rounds, greys)):
            is_inside = _likely(one.places, grey, alike, self._face, 0.0 if number else _ODD_SIZE) > 0.5
            before = is_filled[:, one.within]
            areas += (is_inside & ~before) @ one.fills_px.astype(float)
            is_filled = is_inside | before
        return areas


def filled_outlines(outlines: np.ndarray, away: np.ndarray, noise: float) -> Filled:
    """Fill what rims enclose where it is the inside of a deposit; then, round by round, what rims with wider
    and wider gaps do. Where a gap is filled, the edge may run anywhere in it.

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
    places = places_of(depth, away, noise, 0)
    if places.size_px.size == 0:
        return Filled(outlines, 0.0)
    face = _face(places, depth, away)
    alike = _alike(places, places.seen)
    likely = _likely(places, places.seen, alike, face, _ODD_SIZE)[0]
    is_inside = likely > 0.5
    doubtful_px = _wrong_px(likely, np.where(is_inside, -places.size_px, places.size_px))
    filled = outlines | np.concatenate([[False], is_inside])[places.labels]
    rounds = [_Round(places, np.zeros(places.size_px.size, int), places.size_px)]
    for gap_px in _GAPS_PX:
        left = np.where(filled, np.float32(0.0), depth)
        behind = places_of(left, away, noise, gap_px)
        if behind.size_px.size == 0:
            break
        rounds.append(_behind(rounds[-1].places, behind, gap_px, left > 0))
        is_inside = _likely(behind, behind.seen, alike, face, 0.0)[0] > 0.5
        if is_inside.any():
            more = widened(np.concatenate([[False], is_inside])[behind.labels], gap_px) & (left > 0)
            open_px = np.count_nonzero(beside(more) & (left > 0) & ~more)
            doubtful_px = float(np.hypot(doubtful_px, open_px * gap_px / np.sqrt(12.0)))
            filled |= more
    return Filled(filled, doubtful_px, face, tuple(rounds))


def _behind(before: Places, places: Places, gap_px: int, is_left: np.ndarray) -> _Round:
    """Places behind gaps, within those of the round before."""
    count = places.size_px.size
    own = np.where(places.labels == places.largest + 1, 0, places.labels)
    reached = np.where(is_left, highest_around(own, gap_px), 0)
    within = largest(before.labels, places.labels, count).astype(int) - 1
    return _Round(places, within, sizes_px(reached, count))


def _face(places: Places, depth: np.ndarray, away: np.ndarray) -> _Face | None:
    """What the face looks like in this image; None where there is too little of it."""
    of_face = places.labels == places.largest + 1
    far, grey = depth[of_face], away[of_face]
    at, courses = [], []
    for near_px in FAINT_PX * 2.0 ** np.arange(6):
        here = grey[(far > near_px) & (far <= 2.0 * near_px)]
        if here.size >= _LEAST_FACE_PX:
            at.append(np.sqrt(2.0) * near_px)
            courses.append(np.percentile(here, [16, 50, 84]))
    if not courses:
        return None
    low, face, high = np.transpose(courses)
    # The face itself varies by 1.
    return _Face(np.array(at), face, np.hypot(0.5 * (high - low), 1.0))


def _alike(places: Places, greys: Greys) -> _Alike:
    """What insides look like by those that are sure."""
    bright, level = greys
    least = _SURE_FALL + _SURE_SIGMAS * np.hypot(places.bright_noise, places.level_noise)
    sure = places.is_asked & (bright - level > least)
    weight = np.where(sure, places.level_weight, 0.0)
    whole = np.maximum(weight.sum(axis=1, keepdims=True), 1e-12)
    inside = np.sum(weight * level, axis=1, keepdims=True) / whole
    square = np.sum(weight * (level - inside) ** 2, axis=1, keepdims=True) / whole
    # The face itself varies by 1.
    return _Alike(
        sure.sum(axis=1, keepdims=True) > 0,
        inside,
        np.sqrt(square + 1.0),
        np.maximum(weight @ places.depth_px[:, None] / whole, 1.0),
    )


def _likely(places: Places, greys: Greys, alike: _Alike, face: _Face | None, odd_size: float) -> np.ndarray:
    """Likelihood that places are insides, shape (images, count).

    Parameters
    ----------
    odd_size
        Likelihood of places that are not seen. Where it is none, rims have gaps: what insides look like has
        to tell what is not even enclosed.
    """
    bright, level = greys
    fall = bright - level
    odds = (fall - _LONE_FALL) / _LONE_SOFT
    is_known = alike.is_known if face is not None else np.zeros_like(alike.is_known)
    if face is not None and is_known.any():
        # The middle of a place begins at half of its depth.
        grey, scatter = (
            np.interp(0.75 * places.depth_px, face.at_px, one) for one in (face.grey, face.scatter)
        )
        of_both = _FALL_ODDS * np.arcsinh(2.0 * fall)
        of_both += _lorentzian(level, alike.inside, alike.scatter) - _lorentzian(level, grey, scatter)
        of_both -= _DEPTH_ODDS * np.log(places.depth_px / alike.depth_px)
        odds = np.where(is_known, of_both, odds)
    asked = places.is_asked
    inside = 1.0 + np.sum(expit(odds) * asked, axis=1, keepdims=True)
    outside = 2.0 + asked.sum() - inside
    likely = np.where(asked, expit(odds + np.log(inside / outside)), odd_size)
    likely[:, places.largest] = 0.0
    return likely if odd_size > 0.0 else np.where(is_known, likely, 0.0)


def _wrong_px(likely: np.ndarray, change_px: np.ndarray) -> float:
    """What the area is wrong by at most in two of three cases, where places are what they were not taken for
    as often as that is likely.

    A few large places that are hardly in doubt make a standard deviation which is exceeded in one case of
    ten: the distribution has long tails.
    """
    wrong = np.where(change_px < 0.0, 1.0 - likely, likely)
    drawn = np.random.Generator(np.random.SFC64(1)).random((_DRAWS, wrong.size)) < wrong
    return float(np.quantile(np.abs(drawn @ change_px), _ONE_SIGMA))


def _lorentzian(values: np.ndarray, middle: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Logarithm of its density but for a constant."""
    return -np.log1p(((values - middle) / width) ** 2) - np.log(width)
