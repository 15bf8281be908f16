"""Lithium that thins unevenly, what grows where it has thinned, and elements unevenly spread in the section
(S38).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from intercalate.reduction.micrographs.claims import ImageClaim, ImageFinding, Observation
from intercalate.reduction.micrographs.image import MicrographError
from intercalate.reduction.micrographs.pixels import connected
from intercalate.reduction.results import UNDETERMINED, Estimate

_LEAST_PLACES = 16
_THINNED = 0.7
"""Standard deviations of the smoothed loss over its mean, from which a place counts as thinned."""
_CERTAIN = 4.0
"""Standard errors of the smoothed loss, by which it must be over the mean as well."""
_LEAST_REGION = 3
"""Places of a region; fewer may be noise."""


@dataclass(frozen=True)
class ThinningField:
    """A face, place by place.

    Attributes
    ----------
    loss_um, loss_sigma_um
        By which lithium has become thinner, with its statistical error, shape (rows, columns); NaN where
        unknown.
    starts
        Whether something began to grow at a place, shape (rows, columns).
    place_um
        Distance of two places.
    """

    loss_um: np.ndarray
    loss_sigma_um: np.ndarray
    starts: np.ndarray
    place_um: float


@dataclass(frozen=True)
class LineMap:
    """Counts of an element's lines over a section, shape (rows, columns), with their statistical error;
    places that belong to something else are NaN.
    """

    counts: np.ndarray
    sigma: np.ndarray


def excess_spread(values: np.ndarray, sigma: np.ndarray) -> Estimate:
    """Standard deviation over places, without what counting adds, relative to the mean.

    Its error is that of a variance of independent deviates, on top of noise known to 3 %.
    """
    known = np.isfinite(values) & np.isfinite(sigma)
    count = int(known.sum())
    if count < _LEAST_PLACES:
        raise MicrographError(
            f"{count} places are known, {_LEAST_PLACES} are needed; map more of the section"
        )
    mean, noise2 = float(values[known].mean()), float(np.mean(sigma[known] ** 2))
    variance = float(values[known].var(ddof=1))
    excess = variance - noise2
    # As a signed variance in units of the mean squared: that of an even map is 0 within its error.
    scale = mean**2
    return Estimate(excess / scale, variance * np.sqrt(2.0 / (count - 1)) / scale, 0.06 * noise2 / scale)


@dataclass(frozen=True)
class ThinnedRegions:
    """Connected places that have lost more than most, those that noise alone would make left out.

    Attributes
    ----------
    area_um2, sigma_um2
        Of each, with the error of its outline, shape (n,).
    """

    area_um2: np.ndarray
    sigma_um2: np.ndarray

    def diameter_um(self, number: int) -> Estimate:
        """Of a disc of the same area."""
        diameter = 2.0 * float(np.sqrt(self.area_um2[number] / np.pi))
        return Estimate(diameter, 0.5 * diameter * float(self.sigma_um2[number] / self.area_um2[number]), 0.0)


def uneven_thinning(field: ThinningField, elements: Mapping[str, LineMap]) -> ImageFinding:
    """Judge whether lithium has thinned unevenly, growth starts where it has, and elements are spread
    unevenly.

    Raises
    ------
    MicrographError
        If shapes differ or too few places are known.
    """
    if not field.loss_um.shape == field.loss_sigma_um.shape == field.starts.shape:
        raise MicrographError(
            f"losses of shape {field.loss_um.shape}, errors {field.loss_sigma_um.shape}, starts "
            f"{field.starts.shape}: one "
            "shape is expected"
        )
    uneven = excess_spread(field.loss_um, field.loss_sigma_um)
    regions = thinned_regions(field)
    nearer, rank = nearer_than_chance(field)
    count, spread = regions.area_um2.size, _size_spread(regions)
    observations = [
        Observation("uneven_loss", "relative variance of the loss of thickness", uneven, ""),
        Observation("regions", "thinned regions", _counted(count), ""),
        Observation("size_spread", "standard deviation of the logarithm of their areas", spread, ""),
        Observation(
            "preference",
            "share of starts in thinned places, less their share of the face",
            _preference(field),
            "",
        ),
        Observation(
            "nearer", "by which starts are nearer to thinned places than places at random", nearer, "um"
        ),
        Observation(
            "rank", "share of places that are farther from thinned ones than a start, less a half", rank, ""
        ),
    ]
    if count:
        ends = (("smallest", int(np.argmin(regions.area_um2))), ("largest", int(np.argmax(regions.area_um2))))
        observations += [
            Observation(name, f"diameter of the {name} region", regions.diameter_um(at), "um")
            for name, at in ends
        ]
    claims = [
        ImageClaim.exceeds("lithium thins unevenly", uneven),
        ImageClaim.exceeds("the regions differ in size", _differ(regions)),
        ImageClaim.exceeds(
            "growth starts where lithium has thinned, or nearer to there than by chance", rank
        ),
    ]
    for name, one in elements.items():
        spread = excess_spread(one.counts, one.sigma)
        observations.append(
            Observation(f"uneven_{name}", f"relative variance of {name} in the section", spread, "")
        )
        claims.append(ImageClaim.exceeds(f"{name} is spread unevenly in the section", spread))
    return ImageFinding(
        f"the loss of thickness varies by {100 * np.sqrt(max(uneven.value, 0)):.0f} %, with {count} thinned "
        f"regions{_said(nearer)}",
        observations,
        claims,
    )


def thinned_places(field: ThinningField) -> np.ndarray:
    """Places that have lost more than most, by 0.7 standard deviations of the loss smoothed over three
    places and by what noise cannot make; shape (rows, columns).
    """
    known = np.isfinite(field.loss_um) & np.isfinite(field.loss_sigma_um)
    weight = np.maximum(ndimage.uniform_filter(known.astype(float), 3), 1e-9)
    smooth = ndimage.uniform_filter(np.where(known, field.loss_um, 0.0), 3) / weight
    # The mean of n places has the root of the sum of their variances over n, of which some are not known.
    variance = ndimage.uniform_filter(np.where(known, field.loss_sigma_um, 0.0) ** 2, 3)
    variance = np.maximum(variance, 0.0) / weight
    sigma = np.sqrt(variance / (9.0 * weight))
    over = smooth - float(np.median(smooth[known]))
    return known & (over > _THINNED * float(np.std(smooth[known]))) & (over > _CERTAIN * sigma)


def thinned_regions(field: ThinningField) -> ThinnedRegions:
    """Connected thinned places."""
    labels, count = connected(thinned_places(field))
    index = np.arange(1, count + 1)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    inside = ndimage.minimum_filter(labels, footprint=np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]])) == labels
    rims = np.asarray(ndimage.sum(~inside & (labels > 0), labels, index)).reshape(-1)
    kept = sizes >= _LEAST_REGION
    # Each place of the outline is in or out by chance, as far as its half.
    return ThinnedRegions(
        sizes[kept] * field.place_um**2, 0.5 * np.sqrt(np.maximum(rims[kept], 1.0)) * field.place_um**2
    )


def _counted(count: int) -> Estimate:
    return Estimate(float(count), float(np.sqrt(max(count, 1))), 0.0)


def _said(nearer: Estimate) -> str:
    """Of the distance of starts, if it is known."""
    if not np.isfinite(nearer.value):
        return ""
    return f"; starts of growth are {nearer.value:.1f} um nearer to them than places at random"


def _size_spread(regions: ThinnedRegions) -> Estimate:
    if regions.area_um2.size < 3:
        return UNDETERMINED
    spread = float(np.log(regions.area_um2).std(ddof=1))
    return Estimate(spread, spread / float(np.sqrt(2.0 * (regions.area_um2.size - 1))), 0.0)


def _differ(regions: ThinnedRegions) -> Estimate:
    """Variance of areas in units of what their outlines explain, less 1; its error is that of regions which
    are alike.
    """
    count = regions.area_um2.size
    if count < 3:
        return UNDETERMINED
    weight = 1.0 / regions.sigma_um2**2
    mean = float(np.average(regions.area_um2, weights=weight))
    chi2 = float(np.sum(weight * (regions.area_um2 - mean) ** 2)) / (count - 1)
    return Estimate(chi2 - 1.0, float(np.sqrt(2.0 / (count - 1))), 0.0)


def distances_um(field: ThinningField) -> np.ndarray:
    """Of each place to the nearest thinned one, 0 for those; NaN where a place is not known or none is
    thinned.
    """
    thin = thinned_places(field)
    if not thin.any():
        return np.full(thin.shape, np.nan)
    away = np.asarray(ndimage.distance_transform_edt(~thin)) * field.place_um
    return np.where(np.isfinite(field.loss_um), away, np.nan)


def nearer_than_chance(field: ThinningField) -> tuple[Estimate, Estimate]:
    """By how much starts are nearer to thinned places than as many places at random would be.

    Returns
    -------
    nearer_um, rank
        Of the mean distance; and of the share of all places that are farther away, less a half, which a few
        distant ones do not rule. The errors are those of a random placement; several starts in one place
        count once.
    """
    away = distances_um(field)
    known = np.isfinite(away)
    count = int(np.sum(field.starts & known))
    if count < 2:
        return UNDETERMINED, UNDETERMINED
    chance, seen = np.sort(away[known]), away[field.starts & known]
    nearer = Estimate(float(chance.mean() - seen.mean()), float(chance.std()) / float(np.sqrt(count)), 0.0)
    # Places as near as a start count as half.
    below, upto = np.searchsorted(chance, seen, "left"), np.searchsorted(chance, seen, "right")
    farther = 1.0 - 0.5 * (below + upto) / chance.size
    return nearer, Estimate(float(farther.mean()) - 0.5, float(np.sqrt(1.0 / 12.0 / count)), 0.0)


def _preference(field: ThinningField) -> Estimate:
    thin = thinned_places(field)
    known = np.isfinite(field.loss_um)
    starts = field.starts & known
    count = int(starts.sum())
    share = float(thin.sum() / max(known.sum(), 1))
    if count == 0:
        return UNDETERMINED
    inside = float(np.sum(starts & thin)) / count
    # By chance, with as many starts, the share inside would scatter as a binomial.
    return Estimate(inside - share, float(np.sqrt(max(share * (1 - share), 0.25 / count) / count)), 0.0)
