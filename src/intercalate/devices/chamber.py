"""The vacuum chamber of the microscopes."""

from typing import Any

from ophyd import Component as Cpt
from ophyd import Device, EpicsSignalRO, Kind
from ophyd.areadetector import EpicsSignalWithRBV
from ophyd.status import DeviceStatus

from intercalate.devices.channel_access import CHANNEL_ACCESS_ERRORS
from intercalate.devices.statuses import end

PUMP_DOWN_S = 1800.0
"""Cell seconds within which the chamber must be pumped."""
STAGE_S = 3600.0
"""Cell seconds within which the stage must have its temperature."""
STAGE_WITHIN_K = 0.5


class StageTemperature(EpicsSignalWithRBV):
    """Of a stage that is heated and cooled; `set` is done when the stage is there."""

    def set(self, value: float, *, timeout: float | None = None, settle_time: float | None = None) -> Any:
        """Bring the stage to a temperature; `timeout` in wall seconds, by the stage's own time if None."""
        chamber: Any = self.parent
        own_s = STAGE_S / chamber.rate() + 10.0
        status = DeviceStatus(chamber, timeout=timeout or own_s, settle_time=settle_time)

        def look(*, value: Any, wanted_c: float = float(value), **_: Any) -> None:
            if abs(float(value) - wanted_c) <= STAGE_WITHIN_K:
                end(status)

        status.add_callback(lambda _: self.clear_sub(look))
        self.put(value, wait=False)
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
    """

    settable = ("temperature_c",)

    pressure_mbar = Cpt(EpicsSignalRO, "Pressure", auto_monitor=True, kind=Kind.normal)
    gate_valve = Cpt(EpicsSignalWithRBV, "GateValve", string=True, auto_monitor=True, kind=Kind.normal)
    temperature_c = Cpt(StageTemperature, "Temperature", auto_monitor=True, kind=Kind.normal)

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
        is_done = dict.fromkeys((one.name for one in signals), False)

        def look(*, value: Any, obj: Any, **_: Any) -> None:
            is_pressure = obj is self.pressure_mbar
            is_done[obj.name] = float(value) <= self.highest_mbar if is_pressure else value == "closed"
            if all(is_done.values()):
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
