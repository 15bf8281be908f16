"""What both studies of graphite look at: the mean lattice of the electrode, and its course with charge."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

PHASES = ("graphite", "LiC6")
"""All stages but the first, and stage 1."""

SAME_STAGES = 0.04
"""Change of lithium content within which a phase grows from nothing to a share that is always found."""


@dataclass(frozen=True)
class Series:
    """Values with standard errors along an axis; ascending, and without what was not determined.

    Attributes
    ----------
    at, value, stat, systematic
        Shape (n,). Counting errors are independent, systematic ones common to all.
    """

    at: np.ndarray
    value: np.ndarray
    stat: np.ndarray
    systematic: np.ndarray

    @property
    def sigma(self) -> np.ndarray:
        """Both errors together."""
        return np.hypot(self.stat, self.systematic)


def _series(
    frames: xr.Dataset, at: np.ndarray, value: np.ndarray, stat: np.ndarray, systematic: np.ndarray
) -> Series:
    """Order by the axis and leave out frames without value or records."""
    kept = np.isfinite(at) & np.isfinite(value) & np.isfinite(stat) & np.isfinite(systematic)
    if "in_gap" in frames:
        kept &= ~np.asarray(frames["in_gap"], bool)
    order = np.flatnonzero(kept)[np.argsort(at[kept], kind="stable")]
    return Series(at[order], value[order], stat[order], systematic[order])


def fitted(frames: xr.Dataset, at: np.ndarray, name: str) -> Series:
    """A fitted quantity along an axis; determined nowhere if the fit knows nothing of it."""
    nothing = np.full(at.size, np.nan)
    parts = (name, f"{name}_sigma_stat", f"{name}_sigma_sys")
    columns = [np.asarray(frames[one], float) if one in frames else nothing for one in parts]
    return _series(frames, at, *columns)


def mean_over_stages(frames: xr.Dataset, at: np.ndarray, powers: Mapping[str, int]) -> Series:
    """Mean over the carbon of a product of powers of lattice parameters, such as `{"d": 1, "a": 2}`.

    Both phases count by their share; where one is absent the other stands for all. Right before both are
    found, and right after, some of the absent one may be there all the same: the error of its share is one of
    that frame alone.
    """
    share = np.asarray(frames["stage_1_fraction"], float)
    values, errors = [], {"stat": [], "sys": []}
    for phase in PHASES:
        value, relative = np.ones(share.size), {kind: np.zeros(share.size) for kind in errors}
        for parameter, power in powers.items():
            one = np.asarray(frames[f"{phase}.{parameter}"], float)
            value = value * one**power
            for kind in errors:
                own = power * np.asarray(frames[f"{phase}.{parameter}_sigma_{kind}"], float) / one
                relative[kind] = np.hypot(relative[kind], own)
        values.append(value)
        for kind, found in errors.items():
            found.append(value * relative[kind])
    weights = (1 - share, share)
    mean = sum(np.where(weight > 0, weight * one, 0.0) for weight, one in zip(weights, values))
    both = (share > 0) & (share < 1)
    between = np.where(both, values[1] - values[0], 0.0)
    total = {}
    for kind, found in errors.items():
        own = sum(np.where(weight > 0, (weight * one) ** 2, 0.0) for weight, one in zip(weights, found))
        of_share = np.asarray(frames[f"stage_1_fraction_sigma_{kind}"], float)
        total[kind] = np.sqrt(own + (between * of_share) ** 2)
    hidden = _near_both(np.asarray(frames["x_positive"], float), both, values[1] - values[0])
    total["stat"] = np.hypot(total["stat"], hidden * np.asarray(frames["stage_1_fraction_sigma_sys"], float))
    return _series(frames, at, np.asarray(mean), total["stat"], total["sys"])


def _near_both(x: np.ndarray, both: np.ndarray, difference: np.ndarray) -> np.ndarray:
    """For frames of one phase: difference between the phases in the closest frame that has both, shape (n,);
    zero where none is close.
    """
    found = np.zeros(x.size)
    known = np.flatnonzero(both & np.isfinite(x) & np.isfinite(difference))
    if not known.size:
        return found
    for one in np.flatnonzero(~both & np.isfinite(x)):
        closest = known[np.argmin(abs(x[known] - x[one]))]
        if abs(x[closest] - x[one]) <= SAME_STAGES:
            found[one] = difference[closest]
    return found
