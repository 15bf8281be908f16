"""What the monitor before the sample says of an exposure."""

from dataclasses import dataclass
from enum import StrEnum


class BeamQuality(StrEnum):
    """Of one exposure: as it should be, too little, none, or not known."""

    VALID = "valid"
    WEAK = "weak"
    NONE = "none"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class BeamLimits:
    """By which exposures are judged.

    Attributes
    ----------
    full_i0_per_s
        Counts per second of I0 with all the beam there should be.
    weak_below, none_below
        Shares of it.
    """

    full_i0_per_s: float
    weak_below: float
    none_below: float

    def quality(self, i0_counts: float, live_time_s: float) -> BeamQuality:
        """Judge an exposure by its I0 counts; without live time nothing is known."""
        if not live_time_s > 0 or not i0_counts >= 0:
            return BeamQuality.UNKNOWN
        share = i0_counts / live_time_s / self.full_i0_per_s
        if share < self.none_below:
            return BeamQuality.NONE
        return BeamQuality.WEAK if share < self.weak_below else BeamQuality.VALID
