"""Paired readings of two clocks, from which the alignment of their data is reckoned."""

from typing import Any

from ophyd import Component as Cpt
from ophyd import Device, Kind, Signal
from ophyd.status import DeviceStatus

from intercalate.devices.statuses import end


class ClockComparison(Device):
    """Reads the cycler's clock, an instrument's clock, and the cycler's again.

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
        """Take one pair of readings."""
        status = DeviceStatus(self)
        before, instrument, after = (
            float(clock.get()) for clock in (self._cycler_clock, self._instrument_clock, self._cycler_clock)
        )
        self.cycler_unix_s.put((before + after) / 2)
        self.instrument_unix_s.put(instrument)
        self.half_width_s.put((after - before) / 2)
        end(status)
        return status
