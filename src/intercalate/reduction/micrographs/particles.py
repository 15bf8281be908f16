"""By how much particles have grown between two images of the same place."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from intercalate.reduction.micrographs.deposits import DepositMap
from intercalate.reduction.micrographs.image import Micrograph
from intercalate.reduction.micrographs.registration import Shift
from intercalate.reduction.results import UNDETERMINED, Estimate

_EDGE_PX = 0.3
"""Standard uncertainty of what an edge's place differs by between two images of one particle."""


@dataclass(frozen=True)
class ParticleGrowth:
    """Particles that both images show.

    Attributes
    ----------
    diameter_um
        In the first image, shape (particles,).
    volume_ratio, volume_ratio_sigma
        Of each, as if it grew alike in all directions.
    mean_ratio
        Over all.
    by_size
        Slope of the ratio over the logarithm (to base 10) of the diameter.
    """

    diameter_um: np.ndarray
    volume_ratio: np.ndarray
    volume_ratio_sigma: np.ndarray
    mean_ratio: Estimate
    by_size: Estimate


def particle_growth(first: Micrograph, before: DepositMap, after: DepositMap, shift: Shift) -> ParticleGrowth:
    """Pair particles by their middle and compare their areas; those at the side or in touch are left out.

    Parameters
    ----------
    before, after
        Of both images.
    shift
        Of the second one.
    """
    places, areas = _whole(before)
    later, grown = _whole(after)
    later = later - [shift.rows, shift.columns]
    if not (areas.size and grown.size):
        nothing = np.zeros(0)
        return ParticleGrowth(nothing, nothing, nothing, UNDETERMINED, UNDETERMINED)
    away = np.hypot(*(places[:, None, :] - later[None, :, :]).transpose(2, 0, 1))
    nearest = np.argmin(away, axis=1)
    radius = np.sqrt(areas / np.pi)
    mutual = np.argmin(away, axis=0)[nearest] == np.arange(areas.size)
    paired = mutual & (away[np.arange(areas.size), nearest] < 0.5 * radius)
    first_area, second_area = areas[paired], grown[nearest[paired]]
    ratio = (second_area / first_area) ** 1.5
    # A relative change of the radius counts threefold in the volume.
    sigma = ratio * 3.0 * _EDGE_PX * np.sqrt(np.pi / first_area)
    diameter = 2.0 * np.sqrt(first_area / np.pi) * first.pixel_um
    if ratio.size < 3:
        return ParticleGrowth(diameter, ratio, sigma, UNDETERMINED, UNDETERMINED)
    mean = Estimate(
        float(ratio.mean()), float(ratio.std(ddof=1) / np.sqrt(ratio.size)), float(np.mean(sigma))
    )
    return ParticleGrowth(diameter, ratio, sigma, mean, _slope(np.log10(diameter), ratio))


def _whole(found: DepositMap) -> tuple[np.ndarray, np.ndarray]:
    """Middles (row, column) and areas in pixels of round particles that do not touch the side."""
    labels, count = found.segments.labels, found.segments.count
    sides = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    shapes = found.shapes
    lone = shapes.area_px < 1.35 * np.pi * shapes.inscribed_px**2
    keep = np.flatnonzero(lone & ~np.isin(np.arange(1, count + 1), sides))
    middles = np.array(ndimage.center_of_mass(labels > 0, labels, keep + 1)).reshape(-1, 2)
    return middles, shapes.area_px[keep]


def _slope(x: np.ndarray, y: np.ndarray) -> Estimate:
    """Of a straight line, with the error that the scatter about it tells."""
    if x.size < 4 or np.ptp(x) < 0.05:
        return UNDETERMINED
    centred = x - x.mean()
    slope = float(centred @ y / (centred @ centred))
    left = y - y.mean() - slope * centred
    stat = float(np.sqrt(left @ left / (x.size - 2) / (centred @ centred)))
    return Estimate(slope, stat, 0.0)
