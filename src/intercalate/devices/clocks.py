"""Paired readings of two clocks, from which the alignment of their data is reckoned."""

import math
from typing import Any

from ophyd import Component as Cpt
from ophyd import Device, Kind, Signal
from ophyd.status import DeviceStatus

from intercalate.devices.channel_access import CHANNEL_ACCESS_ERRORS, READING_TIMEOUT_S
from intercalate.devices.statuses import end_in_thread


class ClockComparison(Device):
    """Reads the cycler's clock, an instrument's clock, and the cycler's again.

    A pair that could not be read is NaN and no failure: a frame is worth more than one comparison.

    Attributes
    ----------
    cycler_unix_s
        Middle of the two readings of the cycler's clock.
    instrument_unix_s
        Reading of the instrument's clock between them.
    half_width_s
        Half the time between the two readings: the pair is certain to so much.
    """

    cycler_unix_s = Cpt(Signal, value=0.0, kind=Kind.normal)
    instrument_unix_s = Cpt(Signal, value=0.0, kind=Kind.normal)
    half_width_s = Cpt(Signal, value=0.0, kind=Kind.normal)

    def __init__(self, *, name: str, cycler_clock: Any, instrument_clock: Any, **kwargs: Any):
        super().__init__("", name=name, **kwargs)
        self._cycler_clock = cycler_clock
        self._instrument_clock = instrument_clock

    def trigger(self) -> DeviceStatus:
        """Take one pair of readings, in a thread: an instrument that is gone delays nobody else."""
        status = DeviceStatus(self)
        end_in_thread(status, self._compare)
        return status

    def _compare(self) -> None:
        clocks = (self._cycler_clock, self._instrument_clock, self._cycler_clock)
        try:
            before, instrument, after = (
                float(clock.get(timeout=READING_TIMEOUT_S, connection_timeout=READING_TIMEOUT_S))
                for clock in clocks
            )
        except CHANNEL_ACCESS_ERRORS:
            before = instrument = after = math.nan
        self.cycler_unix_s.put((before + after) / 2)
        self.instrument_unix_s.put(instrument)
        self.half_width_s.put((after - before) / 2)
