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
from intercalate.reduction.results import Estimate

_LEAST_PLACES = 16


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
    sizes = _region_sizes(field)
    ratio = _size_spread(sizes)
    preference = _preference(field)
    observations = [
        Observation("uneven_loss", "relative variance of the loss of thickness", uneven, ""),
        Observation(
            "regions", "thinned regions", Estimate(float(sizes.size), np.sqrt(max(sizes.size, 1)), 0.0), ""
        ),
        Observation("size_spread", "standard deviation of the logarithm of their areas", ratio, ""),
        Observation(
            "preference", "share of starts in thinned places, less their share of the face", preference, ""
        ),
    ]
    claims = [
        ImageClaim.exceeds("lithium thins unevenly", uneven),
        ImageClaim.exceeds("the regions differ in size", ratio),
        ImageClaim.exceeds("growth starts where lithium has thinned", preference),
    ]
    for name, one in elements.items():
        spread = excess_spread(one.counts, one.sigma)
        observations.append(
            Observation(f"uneven_{name}", f"relative variance of {name} in the section", spread, "")
        )
        claims.append(ImageClaim.exceeds(f"{name} is spread unevenly in the section", spread))
    return ImageFinding(
        f"the loss of thickness varies by {100 * np.sqrt(max(uneven.value, 0)):.0f} % in {sizes.size} "
        f"regions; "
        f"{100 * preference.value:+.0f} % more starts than by chance lie where lithium has thinned",
        observations,
        claims,
    )


def thinned_places(field: ThinningField) -> np.ndarray:
    """Places that have lost more than most, by 0.7 standard deviations of the loss smoothed over three
    places; shape (rows, columns).
    """
    known = np.isfinite(field.loss_um)
    loss = np.where(known, field.loss_um, 0.0)
    weight = ndimage.uniform_filter(known.astype(float), 3)
    smooth = ndimage.uniform_filter(loss, 3) / np.maximum(weight, 1e-9)
    return known & (smooth > float(np.mean(smooth[known])) + 0.7 * float(np.std(smooth[known])))


def _region_sizes(field: ThinningField) -> np.ndarray:
    """Areas in um2 of connected thinned regions of more than two places."""
    labels, count = connected(thinned_places(field))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    return sizes[sizes > 2] * field.place_um**2


def _size_spread(sizes_um2: np.ndarray) -> Estimate:
    if sizes_um2.size < 3:
        return Estimate(0.0, 1.0, 0.0)
    logarithm = np.log(sizes_um2)
    spread = float(logarithm.std(ddof=1))
    return Estimate(spread, spread / np.sqrt(2.0 * (sizes_um2.size - 1)), 0.0)


def _preference(field: ThinningField) -> Estimate:
    thin = thinned_places(field)
    known = np.isfinite(field.loss_um)
    starts = field.starts & known
    count = int(starts.sum())
    share = float(thin.sum() / max(known.sum(), 1))
    if count == 0:
        return Estimate(0.0, 1.0, 0.0)
    inside = float(np.sum(starts & thin)) / count
    # By chance, with as many starts, the share inside would scatter as a binomial.
    return Estimate(inside - share, float(np.sqrt(max(share * (1 - share), 0.25 / count) / count)), 0.0)
