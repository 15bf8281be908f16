"""How two clocks go together: offset and drift from paired readings, with what is known of their error."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

DRIFT_PRIOR = 1e-3
"""Relative; no clock of a computer or an instrument is worse. Keeps the drift finite for few pairs."""

SMALLEST_HALF_WIDTH_S = 1e-3
"""A pair read within less is no better: the clocks themselves are read in steps."""

_NUMBERS = ("reference_unix_s", "offset_s", "drift", "systematic_s")

HUBER = 1.345
"""In standard deviations: pairs further off count less (95 % efficient for normal errors)."""


@dataclass(frozen=True)
class ClockModel:
    """Brings times of an instrument's clock to the cycler's.

    `cycler = t + offset_s + drift * (t - reference_unix_s)`.

    Attributes
    ----------
    covariance
        Of offset and drift, shape (2, 2), in s² and s.
    systematic_s
        Standard error that all pairs may share.
    pairs
        Number of paired readings.
    note
        Where it comes from.
    """

    reference_unix_s: float
    offset_s: float
    drift: float
    covariance: np.ndarray = field(repr=False)
    systematic_s: float
    pairs: int
    note: str

    @classmethod
    def assumed(cls, offset_s: float, sigma_s: float, note: str) -> Self:
        """A model nobody measured: the offset and its standard error are given."""
        return cls(0.0, offset_s, 0.0, np.zeros((2, 2)), sigma_s, 0, note)

    @classmethod
    def unknown(cls, note: str) -> Self:
        """Clocks that were never compared: taken as equal, with an error nobody knows."""
        return cls.assumed(0.0, float("nan"), note)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Make of what `to_dict` gave, also after a catalog has kept it."""
        numbers = {key: float("nan") if content[key] is None else float(content[key]) for key in _NUMBERS}
        covariance = np.array([list(row) for row in content["covariance"]], dtype=float)
        return cls(**numbers, covariance=covariance, pairs=int(content["pairs"]), note=str(content["note"]))

    def to_dict(self) -> dict[str, Any]:
        """All of it, for a start document; what nobody knows is None."""
        numbers = {key: getattr(self, key) for key in _NUMBERS}
        known = {key: value if np.isfinite(value) else None for key, value in numbers.items()}
        return {**known, "covariance": self.covariance.tolist(), "pairs": self.pairs, "note": self.note}

    def to_cycler(self, unix_s: ArrayLike) -> np.ndarray:
        """Times of the cycler's clock."""
        times = np.asarray(unix_s, float)
        return times + self.offset_s + self.drift * (times - self.reference_unix_s)

    def sigma_s(self, unix_s: ArrayLike) -> np.ndarray:
        """Standard error of `to_cycler`, grows away from the pairs."""
        since = np.asarray(unix_s, float) - self.reference_unix_s
        (a, b), (_, d) = self.covariance
        return np.sqrt(a + 2 * b * since + d * since**2 + self.systematic_s**2)


def fit_clock(cycler_unix_s: ArrayLike, instrument_unix_s: ArrayLike, half_width_s: ArrayLike) -> ClockModel:
    """Offset and drift from readings of both clocks.

    Weighted least squares with Huber's weights for pairs that are off. Within its half width the error
    of a pair is taken as uniform. Readings of one clock always come after those of the other, so their
    errors may share a sign: averaging many pairs does not reduce the error below that of a typical one.

    Parameters
    ----------
    cycler_unix_s, instrument_unix_s
        Readings, shape (n,).
    half_width_s
        Half the time within which both were read, shape (n,).

    Raises
    ------
    ValueError
        If no pair is finite, or a half width is negative.
    """
    cycler, instrument, half = (
        np.atleast_1d(np.asarray(values, float))
        for values in (cycler_unix_s, instrument_unix_s, half_width_s)
    )
    good = np.isfinite(cycler) & np.isfinite(instrument) & np.isfinite(half)
    if not good.any():
        raise ValueError(f"none of {len(cycler)} paired clock readings is finite")
    if (half[good] < 0).any():
        raise ValueError(f"half widths must not be negative; the smallest is {half[good].min():g} s")
    cycler, instrument = cycler[good], instrument[good]
    half = np.maximum(half[good], SMALLEST_HALF_WIDTH_S)
    sigma = half / np.sqrt(3.0)
    reference = float(np.average(instrument, weights=1 / sigma**2))
    difference = cycler - instrument
    design = np.column_stack([np.ones_like(instrument), instrument - reference])
    prior = np.diag([0.0, DRIFT_PRIOR**-2])
    parameters, covariance = _huber(design, difference, sigma, prior)
    systematic = float(np.average(half, weights=1 / sigma**2) / np.sqrt(3.0))
    note = f"fit of {len(half)} paired readings over {np.ptp(instrument):.0f} s"
    offset, drift = (float(value) for value in parameters)
    return ClockModel(reference, offset, drift, covariance, systematic, len(half), note)


def _huber(
    design: np.ndarray, values: np.ndarray, sigma: np.ndarray, prior: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Iteratively reweighted least squares; the covariance is scaled by the scatter where that is larger."""
    weights = np.ones_like(values)
    parameters, normal, scale = np.zeros(design.shape[1]), prior, 1.0
    parameters[0] = np.median(values)
    for _ in range(50):
        residuals = np.abs(values - design @ parameters) / sigma
        scale = max(1.0, 1.4826 * float(np.median(residuals)))
        weights = np.minimum(1.0, HUBER * scale / np.maximum(residuals, 1e-12))
        weighted = design * (weights / sigma**2)[:, None]
        normal = weighted.T @ design + prior
        previous, parameters = parameters, np.linalg.solve(normal, weighted.T @ values)
        if np.allclose(previous, parameters, rtol=1e-10, atol=1e-12):
            break
    return parameters, np.linalg.inv(normal) * scale**2
