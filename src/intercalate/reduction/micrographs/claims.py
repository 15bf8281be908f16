"""What an analysis of images found: numbers with errors, and the claims that must all hold."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from intercalate.reduction.results import Estimate

SIGNIFICANCE = 3.0
"""Standard errors by which a claim must hold."""


@dataclass(frozen=True)
class Observation:
    """A number of a finding.

    Attributes
    ----------
    name, label, unit
        For programs, for people, and of the number.
    """

    name: str
    label: str
    estimate: Estimate
    unit: str


@dataclass(frozen=True)
class ImageClaim:
    """A statement and how far it holds.

    Attributes
    ----------
    sigmas
        Distance in standard errors of which `holds` is the judgement; NaN where nothing is known.
    """

    text: str
    sigmas: float
    holds: bool

    @classmethod
    def exceeds(cls, text: str, estimate: Estimate, bound: float = 0.0) -> Self:
        """The value is above a bound by more than its error explains."""
        sigmas = (estimate.value - bound) / estimate.sigma if estimate.sigma > 0 else math.nan
        return cls(text, sigmas, sigmas >= SIGNIFICANCE)

    @classmethod
    def stays_below(cls, text: str, estimate: Estimate, bound: float) -> Self:
        """The value is below a bound by more than its error explains."""
        sigmas = (bound - estimate.value) / estimate.sigma if estimate.sigma > 0 else math.nan
        return cls(text, sigmas, sigmas >= SIGNIFICANCE)

    @classmethod
    def seen(cls, text: str, holds: bool) -> Self:
        """Something was observed or not, without a number."""
        return cls(text, math.nan, holds)


@dataclass(frozen=True)
class ImageFinding:
    """What came out, in a sentence, whatever it is."""

    text: str
    observations: Sequence[Observation]
    claims: Sequence[ImageClaim]

    @property
    def recovered(self) -> bool:
        """Whether every claim of the published finding holds."""
        return bool(self.claims) and all(claim.holds for claim in self.claims)

    def observation(self, name: str) -> Observation:
        """By name.

        Raises
        ------
        KeyError
            If there is none.
        """
        for one in self.observations:
            if one.name == name:
                return one
        raise KeyError(
            f"no observation {name!r}; there are {', '.join(one.name for one in self.observations)}"
        )


def difference(first: Estimate, second: Estimate) -> Estimate:
    """Of two independent estimates."""
    return Estimate(
        first.value - second.value,
        math.hypot(first.sigma_stat, second.sigma_stat),
        math.hypot(first.sigma_sys, second.sigma_sys),
    )
