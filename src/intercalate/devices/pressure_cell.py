"""A diamond-anvil cell, whose anvils a membrane presses together."""

from typing import Any

from ophyd import Component as Cpt
from ophyd import Device, EpicsSignal, EpicsSignalRO, Kind
from ophyd.areadetector import EpicsSignalWithRBV
from ophyd.status import DeviceStatus
from ophyd.utils.errors import LimitError

from intercalate.contract import PressureState
from intercalate.devices.statuses import end_in_thread, end_when

WITHIN_GPA = 0.005
"""Of its set point, within which the membrane is there."""
ANSWER_S = 10.0
"""Wall seconds within which the controller takes a set point."""
SLOWNESS = 1.5
"""Of the time that an approach takes by its rate, after which it has failed."""


class MembranePressure(EpicsSignalWithRBV):
    """Pressure by the table of the membrane: what is set, and never what the sample has.

    `set` approaches slowly, and is done when the membrane is there. Stopped, the cell holds what it has.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._stopped = False

    def check_value(self, value: Any, **_: Any) -> None:
        """Refuse a pressure that the anvils do not bear.

        Raises
        ------
        LimitError
            With the limit.
        """
        cell: Any = self.parent
        if not 0.0 <= float(value) <= cell.highest_gpa:
            raise LimitError(
                f"{self.name} cannot be {float(value):g} GPa: the anvils bear 0 to {cell.highest_gpa:g} GPa"
            )

    def set(self, value: float, *, timeout: float | None = None, settle_time: float | None = None) -> Any:
        """Approach a pressure; `timeout` in wall seconds, by the controller's own rate if None.

        The status fails where another than this client has stopped it.
        """
        cell: Any = self.parent
        wanted = float(value)
        self.check_value(wanted)
        self._stopped = False
        status = DeviceStatus(cell, timeout=timeout or cell.approach_s(wanted), settle_time=settle_time)

        def begin() -> None:
            self.put(wanted, wait=True, timeout=ANSWER_S)

        def is_there() -> bool:
            if self._stopped:
                return True
            if abs(float(self.get_setpoint(use_monitor=False)) - wanted) > WITHIN_GPA:
                raise RuntimeError(
                    f"{self.name} was sent to {wanted:g} GPa and is held at {float(self.get()):.3f} GPa: see "
                    "who has stopped it"
                )
            is_holding = cell.state.get(use_monitor=False) == PressureState.HOLDING
            return is_holding and abs(float(self.get(use_monitor=False)) - wanted) <= WITHIN_GPA

        end_in_thread(status, begin, go_on=lambda: end_when(status, is_there, self, cell.state))
        return status

    def stop(self, *, success: bool = False) -> None:
        """Hold what there is, without waiting for it; an approach under way ends without an error."""
        cell: Any = self.parent
        self._stopped = True
        cell.hold_now.put(1, wait=False)


class PressureCell(Device):
    """Controller of the membrane of a diamond-anvil cell.

    The pressure holds whatever dies: with the valve shut nothing moves the membrane.

    Parameters
    ----------
    highest_gpa
        That the anvils bear.
    rate
        Gives cell seconds per wall second, by which a timeout is reckoned; 1 at a beamline.

    Attributes
    ----------
    pressure_gpa
        By the table of the membrane. What the sample has is read in the lines of its marker.
    rate_gpa_min
        At which it is approached.
    """

    pressure_gpa = Cpt(MembranePressure, "Pressure", auto_monitor=True, kind=Kind.normal)
    rate_gpa_min = Cpt(EpicsSignalWithRBV, "Rate", auto_monitor=True, kind=Kind.config)
    state = Cpt(EpicsSignalRO, "State", string=True, auto_monitor=True, kind=Kind.omitted)
    hold_now = Cpt(EpicsSignal, "Hold", kind=Kind.omitted)

    def __init__(self, prefix: str, *, name: str, highest_gpa: float, rate: Any = lambda: 1.0, **kwargs: Any):
        super().__init__(prefix, name=name, **kwargs)
        self.highest_gpa = highest_gpa
        self.rate = rate

    def approach_s(self, pressure_gpa: float) -> float:
        """Wall seconds after which an approach from where it is has failed."""
        away_gpa = abs(pressure_gpa - float(self.pressure_gpa.get()))
        return SLOWNESS * 60.0 * away_gpa / float(self.rate_gpa_min.get()) / self.rate() + 30.0
