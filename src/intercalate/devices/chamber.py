"""The vacuum chamber of the microscopes."""

import logging
from typing import Any

from ophyd import Component as Cpt
from ophyd import Device, EpicsSignal, EpicsSignalRO, Kind
from ophyd.areadetector import EpicsSignalWithRBV
from ophyd.status import DeviceStatus

from intercalate.devices.channel_access import CHANNEL_ACCESS_ERRORS, READING_TIMEOUT_S, put_and_wait
from intercalate.devices.renewal import Renewal
from intercalate.devices.statuses import end

log = logging.getLogger(__name__)

PUMP_DOWN_S = 1800.0
"""Cell seconds within which the chamber must be pumped."""
STAGE_S = 3600.0
"""Cell seconds within which the stage must have its temperature."""
STAGE_WITHIN_K = 0.5
LEASE_S = 15.0
"""Wall seconds for which a stage stays hot without a word of the client that heated it."""


class StageTemperature(EpicsSignalWithRBV):
    """Of a stage that is heated and cooled; `set` is done when the stage is there.

    Above its temperature of rest it is kept there by this process: when that dies, the stage goes to rest.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._renewal = Renewal(f"{self.name}-lease", self._claim, LEASE_S)

    def _claim(self) -> None:
        chamber: Any = self.parent
        chamber.lease_s.put(LEASE_S, wait=False)

    def to_rest(self) -> None:
        """Let the stage go where it is when nobody asks for anything; does not wait for it."""
        self._go(self._rest_c())

    def let_go(self) -> None:
        """Send a stage to rest that this process keeps hotter; one that was set by hand, or is cold, stays.

        Where the server does not answer, the lease ends by itself.
        """
        if not self._renewal.goes_on:
            return
        self._renewal.stop()
        try:
            put_and_wait(self, self._rest_c(), READING_TIMEOUT_S)
        except CHANNEL_ACCESS_ERRORS as error:
            log.warning("%s is not sent to rest, but will be in %g s: %s", self.name, LEASE_S, error)

    def fall_silent(self) -> None:
        """Keep the stage no more: when the lease ends, it goes to rest."""
        self._renewal.stop()

    def _rest_c(self) -> float:
        chamber: Any = self.parent
        return float(chamber.rest_c.get())

    def _go(self, value_c: float) -> None:
        """Put a temperature, and keep it from now on where the stage must not be left there."""
        chamber: Any = self.parent
        if value_c > self._rest_c():
            self._claim()
            self._renewal.start()
        else:
            self._renewal.stop()
            chamber.lease_s.put(0.0, wait=False)
        self.put(value_c, wait=False)

    def set(self, value: float, *, timeout: float | None = None, settle_time: float | None = None) -> Any:
        """Bring the stage to a temperature; `timeout` in wall seconds, by the stage's own time if None."""
        chamber: Any = self.parent
        own_s = STAGE_S / chamber.rate() + 10.0
        status = DeviceStatus(chamber, timeout=timeout or own_s, settle_time=settle_time)

        def look(*, value: Any, wanted_c: float = float(value), **_: Any) -> None:
            if abs(float(value) - wanted_c) <= STAGE_WITHIN_K:
                end(status)

        status.add_callback(lambda _: self.clear_sub(look))
        self._go(float(value))
        self.subscribe(look)
        return status


class Chamber(Device):
    """Gauge, gate valve, and a stage that is heated and cooled.

    Parameters
    ----------
    highest_mbar
        Above, nothing is measured.
    vapour_limit_mbar
        Most that a sample may give off.
    rate
        Gives cell seconds per wall second, by which a timeout is reckoned; 1 at a beamline.

    Attributes
    ----------
    settable
        What a measurement may ask to be set.
    rest_c
        Where the stage goes when an experiment ends, or a client that keeps it hotter is gone.
    lease_s
        Wall seconds for which it stays hotter; 0 where nobody has to renew anything, as when set by hand.
    """

    settable = ("temperature_c",)

    pressure_mbar = Cpt(EpicsSignalRO, "Pressure", auto_monitor=True, kind=Kind.normal)
    gate_valve = Cpt(EpicsSignalWithRBV, "GateValve", string=True, auto_monitor=True, kind=Kind.normal)
    temperature_c = Cpt(StageTemperature, "Temperature", auto_monitor=True, kind=Kind.normal)
    rest_c = Cpt(EpicsSignal, "TemperatureRest", auto_monitor=True, kind=Kind.config)
    lease_s = Cpt(EpicsSignal, "TemperatureLease", kind=Kind.omitted)

    def __init__(
        self,
        prefix: str,
        *,
        name: str,
        highest_mbar: float,
        vapour_limit_mbar: float,
        rate: Any = lambda: 1.0,
        **kwargs: Any,
    ):
        super().__init__(prefix, name=name, **kwargs)
        self.highest_mbar = highest_mbar
        self.vapour_limit_mbar = vapour_limit_mbar
        self.rate = rate

    def unavailable(self) -> str:
        """Why nothing can be measured in it; empty if something can, or if nothing can be known."""
        try:
            if not (self.pressure_mbar.connected and self.gate_valve.connected):
                return ""
            if self.gate_valve.get() != "closed":
                return "the gate valve of the chamber is open"
            found = float(self.pressure_mbar.get())
        except CHANNEL_ACCESS_ERRORS:
            # The server went away between the question whether it is there and its answer.
            return ""
        if found > self.highest_mbar:
            return f"the chamber has {found:.1e} mbar, more than {self.highest_mbar:.1e}"
        return ""

    def pump(self) -> DeviceStatus:
        """Close the gate valve; done when it is closed and the pressure is below the limit."""
        status = DeviceStatus(self, timeout=PUMP_DOWN_S / self.rate() + 10.0)
        signals = (self.pressure_mbar, self.gate_valve)

        def look(**_: Any) -> None:
            # What a subscription is told first may be older than what the signals themselves know.
            if all(one.connected for one in signals) and not self.unavailable():
                end(status)

        def leave(_: Any) -> None:
            for one in signals:
                one.clear_sub(look)

        status.add_callback(leave)
        self.gate_valve.put("closed", wait=False)
        for one in signals:
            one.subscribe(look)
        return status

    def heat(self, temperature_c: float) -> Any:
        """Bring the stage to a temperature; done when it is there."""
        return self.temperature_c.set(temperature_c)

    def cool(self) -> None:
        """Send a stage that is hotter than at rest there, and leave a cold one cold; does not wait for it."""
        if self.temperature_c.get_setpoint() > self.rest_c.get():
            self.temperature_c.to_rest()
