"""State of charge by counting, and how uncertain it has become."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from intercalate.reduction.electrochemistry.records import DEFAULT_ACCURACY, Accuracy


@dataclass(frozen=True, slots=True)
class Anchor:
    """A state of charge known otherwise than by counting: a full charge, a rest, a phase boundary.

    Attributes
    ----------
    index
        Of the record at which it holds.
    soc, sigma
        0 to 1, and its standard uncertainty.
    """

    index: int
    soc: float
    sigma: float


def state_of_charge(
    time_s: np.ndarray,
    charging_ah: np.ndarray,
    discharging_ah: np.ndarray,
    anchors: Sequence[Anchor],
    *,
    capacity_ah: float,
    capacity_sigma_ah: float = 0.0,
    accuracy: Accuracy = DEFAULT_ACCURACY,
) -> tuple[np.ndarray, np.ndarray]:
    """Count the state of charge from anchor to anchor.

    Since an anchor, the error of gain grows with the net charge, its mismatch with the charge in both
    directions, that of offset with the time under current, that of the capacity with the change of the
    state of charge. An anchor replaces the count where it is the more certain of the two.

    Parameters
    ----------
    time_s, charging_ah, discharging_ah
        Columns of the records, shape (n,).
    anchors
        At least one. Before the first, the count goes backwards from it.
    capacity_ah, capacity_sigma_ah
        Charge from 0 to 1, with its standard uncertainty.

    Returns
    -------
    soc, sigma
        Shape (n,).

    Raises
    ------
    ValueError
        If there is no anchor, or one is not at a record, or the capacity is not above 0.
    """
    time_s, up, down = (np.asarray(a, dtype=float) for a in (time_s, charging_ah, discharging_ah))
    if not capacity_ah > 0:
        raise ValueError(f"capacity_ah is {capacity_ah}; it must be above 0")
    if not anchors:
        raise ValueError("no anchor: give one state of charge that is known otherwise than by counting")
    for anchor in anchors:
        if not (0 <= anchor.index < time_s.size and anchor.sigma >= 0):
            raise ValueError(f"{anchor} is not at one of {time_s.size} records, or its sigma is negative")
    flowing_s = np.concatenate([[0.0], np.cumsum(np.diff(time_s) * ((np.diff(up) + np.diff(down)) > 0))])

    def count(anchor: Anchor) -> tuple[np.ndarray, np.ndarray]:
        charged, discharged = up - up[anchor.index], down - down[anchor.index]
        net_ah = charged - discharged
        errors_ah = (
            anchor.sigma * capacity_ah,
            accuracy.current_gain * net_ah,
            accuracy.current_gain_mismatch * discharged,
            accuracy.current_offset_a * (flowing_s - flowing_s[anchor.index]) / 3600.0,
            capacity_sigma_ah * net_ah / capacity_ah,
        )
        sigma = np.sqrt(np.sum(np.square(np.broadcast_arrays(*errors_ah)), axis=0)) / capacity_ah
        return anchor.soc + net_ah / capacity_ah, sigma

    first, *later = sorted(anchors, key=lambda anchor: anchor.index)
    soc, sigma = count(first)
    for anchor in later:
        if anchor.sigma <= sigma[anchor.index]:
            since = slice(anchor.index, None)
            new_soc, new_sigma = count(anchor)
            soc[since], sigma[since] = new_soc[since], new_sigma[since]
    return soc, sigma
