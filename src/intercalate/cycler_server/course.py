"""Where a segment stands, from the samples of a channel that has no cut-offs of its own."""

import math

from intercalate.cycler_server.channel import Sample
from intercalate.protocol import CutOff, Segment, SegmentProgress

SLOPE_WINDOW_S = 60.0
"""Over which the change of the voltage is taken."""
_ROUNDING_S = 1e-6
"""Differences of unix times are certain to this."""


class SegmentCourse:
    """Follows a segment from its first sample.

    Attributes
    ----------
    elapsed_s
        Since then.
    """

    def __init__(self, segment: Segment, start: Sample):
        self._segment = segment
        self._start = start
        self._slope_from: tuple[float, float] | None = None
        self._slope = math.nan
        self.elapsed_s = 0.0

    def see(self, sample: Sample) -> CutOff | None:
        """Take in a sample; the cut-off that it meets, if it meets one."""
        start = self._start
        self.elapsed_s = self.elapsed_at(sample.unix_time_s)
        self._follow_slope(sample.voltage_v)
        progress = SegmentProgress(
            elapsed_s=self.elapsed_s + _ROUNDING_S,
            voltage_v=sample.voltage_v,
            current_a=sample.current_a,
            capacity_ah=sample.charge_ah - start.charge_ah,
            voltage_slope_v_per_s=self._slope,
        )
        return self._segment.ended_by(progress)

    def elapsed_at(self, unix_time_s: float) -> float:
        """Seconds since the start."""
        return unix_time_s - self._start.unix_time_s

    def _follow_slope(self, voltage_v: float) -> None:
        if self._slope_from is None:
            self._slope_from = (self.elapsed_s, voltage_v)
            return
        since_s, before_v = self._slope_from
        if self.elapsed_s - since_s >= SLOPE_WINDOW_S:
            self._slope = (voltage_v - before_v) / (self.elapsed_s - since_s)
            self._slope_from = (self.elapsed_s, voltage_v)
