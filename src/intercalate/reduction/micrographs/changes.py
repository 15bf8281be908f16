"""By how much a layer of a cross-section has changed since an image of the same place."""

from dataclasses import dataclass

import numpy as np

from intercalate.reduction.micrographs.sections import Layer
from intercalate.reduction.results import UNDETERMINED, Estimate

_LEAST_STRIPS = 16
_ROUNDS = 8
_OUTSIDE = 3.0
"""Standard errors of a strip, from which on it belongs to a body."""


@dataclass(frozen=True)
class Gained:
    """What a layer has gained.

    Attributes
    ----------
    even_um
        Where no body has come or gone.
    bodies_um
        What came and went of bodies on its faces, as a mean thickness; below 0 where they reach into it.
    """

    even_um: Estimate
    bodies_um: Estimate


def gained(first: Layer, now: Layer, pixel_um: float, scale_sigma: float) -> Gained:
    """Compare a layer with the same place before, strip by strip.

    The course of its faces is in both images and cancels: a body that has come stands out by more than the
    noise of a strip. The errors are those of both images; what all images of a place share of them, that of
    the first one, does not count in a slope.

    Parameters
    ----------
    scale_sigma
        Relative standard uncertainty of the size of a pixel.
    """
    change = (now.along_um - first.along_um)[np.isfinite(now.along_um) & np.isfinite(first.along_um)]
    if change.size < _LEAST_STRIPS:
        return Gained(UNDETERMINED, UNDETERMINED)
    # Neighbours differ by noise alone, but for those at the ends of bodies. Between grains a face is known no
    # better than to a tenth of a pixel.
    noise = max(1.4826 * float(np.median(np.abs(np.diff(change)))) / np.sqrt(2.0), 0.1 * pixel_um)
    even, kept = float(np.median(change)), np.ones(change.size, dtype=bool)
    for _ in range(_ROUNDS):
        kept = np.abs(change - even) < _OUTSIDE * noise
        if not kept.any():
            return Gained(UNDETERMINED, UNDETERMINED)
        even = float(np.mean(change[kept]))
    bodies = float(np.mean(change)) - even
    of_even = noise / np.sqrt(kept.sum())
    # Strips at the limit are of a body or not by their noise, so that all of them tell of bodies.
    of_bodies = noise / np.sqrt(change.size)
    return Gained(
        Estimate(even, float(of_even), scale_sigma * abs(even)),
        Estimate(bodies, float(of_bodies), scale_sigma * abs(bodies)),
    )
