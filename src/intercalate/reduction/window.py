"""Centre and edges of a sample's window, from transmission along one axis."""

from dataclasses import dataclass

import numpy as np

MIN_POINTS = 8
EDGE_SIGMA_STEPS = 0.15
"""Standard uncertainty of a centre in steps of the scan. Both crossings of half the transmission are exact
where steps are no longer than half the beam; with a beam much narrower than a step each is uniform within
one, and their mean has 0.2 steps."""


class WindowError(ValueError):
    """No window was found; the message says what to look at."""


@dataclass(frozen=True)
class Window:
    """A window along one axis, in mm.

    Attributes
    ----------
    centre_mm, centre_sigma_mm
        Middle of both edges.
    width_mm
        Between them.
    transmission
        Through its middle, in units of the scan.
    """

    centre_mm: float
    centre_sigma_mm: float
    width_mm: float
    transmission: float


def find_window(position_mm: np.ndarray, transmission: np.ndarray) -> Window:
    """Find a window between opaque frames, by where half its transmission gets through.

    Only what lies between the opaque parts on both sides counts: farther out, the beam may pass by.

    Parameters
    ----------
    position_mm, transmission
        Of the scan, ascending, shape (n,).

    Raises
    ------
    WindowError
        If there are too few points, no edges, or one of them is outside the scan.
    """
    if position_mm.size < MIN_POINTS:
        raise WindowError(f"{position_mm.size} points are too few; scan at least {MIN_POINTS}")
    if not np.all(np.isfinite(transmission)):
        raise WindowError("some points have no transmission: was there beam (I0) all the time?")
    middle = position_mm.size // 2
    inner = slice(middle - position_mm.size // 8, middle + position_mm.size // 8 + 1)
    level = float(np.median(transmission[inner]))
    opaque = transmission < 0.5 * level
    left, right = np.flatnonzero(opaque[:middle]), np.flatnonzero(opaque[middle:])
    if level <= 0 or not left.size or not right.size or opaque[middle]:
        raise WindowError(
            "no window with both edges lies in the scan: is the sample in the holder, is its position on "
            "paper right, and does the scan reach beyond the window on both sides?"
        )
    first, last = left[-1], middle + right[0]
    left_mm = _crossing(position_mm[first : first + 2], transmission[first : first + 2], level / 2)
    right_mm = _crossing(position_mm[last - 1 : last + 1], transmission[last - 1 : last + 1], level / 2)
    step_mm = float(np.diff(position_mm).max())
    return Window((left_mm + right_mm) / 2, EDGE_SIGMA_STEPS * step_mm, right_mm - left_mm, level)


def _crossing(x: np.ndarray, y: np.ndarray, level: float) -> float:
    """Where the line through two points has this level."""
    return float(x[0] + (level - y[0]) / (y[1] - y[0]) * (x[1] - x[0]))
