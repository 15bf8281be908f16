"""What an analysis found: quantities with their errors, and the claims that decide."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

SIGNIFICANCE = 3.0
"""Standard errors by which a claim must hold, or within which two values agree."""


@dataclass(frozen=True)
class Quantity:
    """A number of the finding.

    Attributes
    ----------
    value, sigma
        In `unit`; NaN where it could not be determined.
    """

    name: str
    label: str
    value: float
    sigma: float
    unit: str

    def __str__(self) -> str:
        if not math.isfinite(self.value):
            return f"{self.label}: undetermined"
        # Two digits of the error, and as many of the value.
        digits = max(0, 1 - math.floor(math.log10(self.sigma))) if self.sigma > 0 else 3
        return f"{self.label}: {self.value:.{digits}f} ± {self.sigma:.{digits}f} {self.unit}".rstrip()

    def given(self) -> dict[str, Any]:
        """JSON-able; None for what is not a number."""
        finite = math.isfinite(self.value)
        return {
            "name": self.name,
            "label": self.label,
            "value": self.value if finite else None,
            "sigma": self.sigma if finite else None,
            "unit": self.unit,
        }


@dataclass(frozen=True)
class Published:
    """A published number: the middle and half the width of its range, taken as a standard error."""

    name: str
    value: float
    half_width: float


@dataclass(frozen=True)
class Claim:
    """One of the statements that must all hold.

    Attributes
    ----------
    sigmas
        Distance in standard errors, of which `holds` is the judgement; NaN where nothing is known.
    """

    text: str
    sigmas: float
    holds: bool

    @classmethod
    def exceeds(cls, text: str, value: float, sigma: float, bound: float = 0.0) -> Self:
        """`value` is above `bound`, by more than its error explains."""
        sigmas = (value - bound) / sigma if sigma > 0 else math.nan
        return cls(text, sigmas, sigmas >= SIGNIFICANCE)

    @classmethod
    def agrees(cls, text: str, quantity: Quantity, published: Published) -> Self:
        """A quantity and a published number differ by no more than both errors explain."""
        sigmas = abs(quantity.value - published.value) / math.hypot(quantity.sigma, published.half_width)
        return cls(text, sigmas, sigmas <= SIGNIFICANCE)

    @classmethod
    def undetermined(cls, text: str) -> Self:
        """Nothing was measured that could tell."""
        return cls(text, math.nan, False)

    def __str__(self) -> str:
        known = f"{self.sigmas:.1f} sigma" if math.isfinite(self.sigmas) else "undetermined"
        return f"{'yes' if self.holds else 'no '}  {self.text} ({known})"

    def given(self) -> dict[str, Any]:
        """JSON-able."""
        sigmas = self.sigmas if math.isfinite(self.sigmas) else None
        return {"text": self.text, "sigmas": sigmas, "holds": self.holds}


@dataclass(frozen=True)
class Finding:
    """What came out.

    Attributes
    ----------
    text
        In a sentence, whatever it is.
    """

    text: str
    quantities: Sequence[Quantity]
    claims: Sequence[Claim]

    @property
    def recovered(self) -> bool:
        """Whether every claim of the published finding holds."""
        return bool(self.claims) and all(claim.holds for claim in self.claims)

    def quantity(self, name: str) -> Quantity:
        """One of the quantities.

        Raises
        ------
        KeyError
            If there is none of this name.
        """
        for one in self.quantities:
            if one.name == name:
                return one
        raise KeyError(f"no quantity {name!r}; there are {', '.join(one.name for one in self.quantities)}")
