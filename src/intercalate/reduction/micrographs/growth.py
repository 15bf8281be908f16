"""Deposits against current density: mossy at low, needles at high, then a short circuit (S35, S37)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from intercalate.reduction.micrographs.claims import ImageClaim, ImageFinding, Observation, difference
from intercalate.reduction.micrographs.deposits import DepositClass
from intercalate.reduction.micrographs.image import MicrographError
from intercalate.reduction.results import UNDETERMINED, Estimate

_CONFUSION = 0.05
"""Standard uncertainty of a share of area, from deposits that are given a wrong class (one in twenty)."""


class Classed(Protocol):
    """An image, in so far as the classes of what has grown are known."""

    @property
    def coverage_of(self) -> Mapping[DepositClass, Estimate]:
        """Share of the field of each class."""
        ...


@dataclass(frozen=True)
class GrowthAt:
    """What was seen at one current density.

    Attributes
    ----------
    current_density_ma_cm2
        Of plating.
    fields
        Last images of several fields of the face.
    needles_from_s
        Test time of the first image that shows needles, None where there was none.
    short_at_s
        Test time of a short circuit in the voltage, None where there was none.
    """

    current_density_ma_cm2: float
    fields: Sequence[Classed]
    needles_from_s: float | None = None
    short_at_s: float | None = None


def needle_share(fields: Sequence[Classed]) -> Estimate:
    """Share of needles in all that has grown, with its scatter between fields."""
    grown = np.array([sum(one.coverage_of[kind].value for kind in one.coverage_of) for one in fields])
    needles = np.array([one.coverage_of[DepositClass.NEEDLE].value for one in fields])
    if len(fields) == 0 or grown.sum() <= 0.002 * len(fields):
        return UNDETERMINED
    share = float(needles.sum() / grown.sum())
    left = needles - share * grown
    count = len(fields)
    stat = float(np.sqrt(np.sum(left**2) * count / max(count - 1, 1))) / float(grown.sum())
    return Estimate(share, max(stat, 0.5 / count / 10), _CONFUSION)


def growth_against_current(series: Sequence[GrowthAt]) -> ImageFinding:
    """Judge whether moss gives way to needles with rising current density, and needles to a short circuit.

    Raises
    ------
    MicrographError
        If there are fewer than two current densities.
    """
    ordered = sorted(series, key=lambda one: one.current_density_ma_cm2)
    if len(ordered) < 2 or ordered[0].current_density_ma_cm2 == ordered[-1].current_density_ma_cm2:
        raise MicrographError(f"{len(ordered)} current densities are given; two different ones are the least")
    shares = [needle_share(one.fields) for one in ordered]
    low, high = shares[0], shares[-1]
    change = difference(high, low)
    last = ordered[-1]
    shorted = (
        last.short_at_s is not None
        and last.needles_from_s is not None
        and last.needles_from_s < last.short_at_s
        and ordered[0].short_at_s is None
    )
    observations = [
        Observation("needle_share_low", f"needles at {ordered[0].current_density_ma_cm2:g} mA/cm2", low, ""),
        Observation("needle_share_high", f"needles at {last.current_density_ma_cm2:g} mA/cm2", high, ""),
        Observation("needle_share_change", "high less low", change, ""),
        Observation(
            "turn_over", "current density at which needles prevail", _turn_over(ordered, shares), "mA/cm2"
        ),
    ]
    claims = [
        ImageClaim.stays_below(
            "at the lowest current density less than half of the deposits are needles", low, 0.5
        ),
        ImageClaim.exceeds("at the highest more than half are", high, 0.5),
        ImageClaim.exceeds("needles gain with current density", change),
        ImageClaim.seen(
            "a short circuit follows the needles, and none comes at the lowest current density", shorted
        ),
    ]
    return ImageFinding(
        f"needles make up {100 * low.value:.0f} % of the deposits at {ordered[0].current_density_ma_cm2:g} "
        f"and "
        f"{100 * high.value:.0f} % at {last.current_density_ma_cm2:g} mA/cm2; "
        + (
            f"short circuit at {last.short_at_s:.0f} s" if last.short_at_s is not None else "no short circuit"
        ),
        observations,
        claims,
    )


def _turn_over(ordered: Sequence[GrowthAt], shares: Sequence[Estimate]) -> Estimate:
    """Middle between the last current density with moss and the first with needles, if each has its side."""
    moss = [number for number, share in enumerate(shares) if share.value < 0.5]
    needles = [number for number, share in enumerate(shares) if share.value >= 0.5]
    if not moss or not needles or max(moss) > min(needles):
        return UNDETERMINED
    below, above = ordered[max(moss)].current_density_ma_cm2, ordered[min(needles)].current_density_ma_cm2
    # Anywhere between both alike.
    return Estimate(0.5 * (below + above), 0.0, (above - below) / np.sqrt(12.0))
