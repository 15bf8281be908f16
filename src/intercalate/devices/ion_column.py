"""A focused ion beam that mills a rectangle at the stage's position, and is blanked whatever dies."""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ophyd import Component as Cpt
from ophyd import EpicsSignal, EpicsSignalRO, Kind
from ophyd.areadetector import EpicsSignalWithRBV
from ophyd.status import DeviceStatus

from intercalate.contract import IonBeamState, MillingEnd
from intercalate.devices.channel_access import CHANNEL_ACCESS_ERRORS, put_and_wait
from intercalate.devices.renewal import Renewal
from intercalate.devices.sources import SteadySource
from intercalate.devices.statuses import NoAnswer, end_in_thread, end_when
from intercalate.materials.ion_milling import longest_s

log = logging.getLogger(__name__)

LEASE_S = 6.0
"""Wall seconds for which ions go on without a word of the client that lets them through."""
PUT_S = 5.0
"""Wall seconds within which the column must have confirmed."""
MARGIN = 3.0
"""Of the time that the hardest material takes."""
DEEP_ENOUGH = 0.999
"""Share of the depth asked for that counts as all of it."""


class MillingError(RuntimeError):
    """A cut ended before it was as deep as asked; what was milled stays milled."""


@dataclass(frozen=True)
class Cut:
    """A rectangle to be milled, its middle at the stage's position.

    Raises
    ------
    ValueError
        If a size is not above 0.
    """

    width_um: float
    height_um: float
    depth_um: float

    def __post_init__(self) -> None:
        for name in ("width_um", "height_um", "depth_um"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise ValueError(f"{name} is {value:g}; it must be above 0")

    @property
    def volume_um3(self) -> float:
        """That is removed."""
        return self.width_um * self.height_um * self.depth_um


class IonColumn(SteadySource):
    """A focused ion beam beside an electron column; `set` mills a `Cut`, `stop` blanks the beam.

    Ions go through only while this process says so, and while the column's server and the chamber are well.
    A pause stops every device that was set, so it blanks the beam too.

    Parameters
    ----------
    field_um
        Side of the square in which a cut must lie.
    rate
        Gives cell seconds per wall second, by which a timeout is reckoned; 1 at a beamline.

    Attributes
    ----------
    voltage_kv, current_na
        Of the ions.
    width_um, height_um, depth_um
        Of the cut.
    state, ended
        `IonBeamState`, and as `MillingEnd` why the last cut ended.
    milled_um
        Depth that the last cut has reached.
    number
        Of that cut: one that was refused has none.
    """

    voltage_kv = Cpt(EpicsSignalWithRBV, "Voltage", auto_monitor=True, kind=Kind.normal)
    current_na = Cpt(EpicsSignalWithRBV, "Current", auto_monitor=True, kind=Kind.normal)
    width_um = Cpt(EpicsSignal, "Width", kind=Kind.normal)
    height_um = Cpt(EpicsSignal, "Height", kind=Kind.normal)
    depth_um = Cpt(EpicsSignal, "Depth", kind=Kind.normal)
    mill = Cpt(EpicsSignal, "Mill", string=True, kind=Kind.omitted)
    state = Cpt(EpicsSignalRO, "State", string=True, auto_monitor=True, kind=Kind.normal)
    ended = Cpt(EpicsSignalRO, "Ended", string=True, kind=Kind.normal)
    milled_um = Cpt(EpicsSignalRO, "Milled", kind=Kind.hinted)
    number = Cpt(EpicsSignalRO, "Number", kind=Kind.normal)
    lease_s = Cpt(EpicsSignal, "Lease", kind=Kind.omitted)

    noun = "ions"

    def __init__(
        self,
        prefix: str,
        *,
        name: str,
        field_um: float,
        rate: Callable[[], float] = lambda: 1.0,
        **kwargs: Any,
    ):
        super().__init__(prefix, name=name, **kwargs)
        self.field_um = field_um
        self._rate = rate
        self._stopped = False
        self._renewal = Renewal(f"{name}-lease", self._claim, LEASE_S)

    def _claim(self) -> None:
        self.lease_s.put(LEASE_S, wait=False)

    def particle_kev(self) -> float:
        """Energy of an ion."""
        return float(self.voltage_kv.get())

    def check_value(self, cut: Cut) -> None:
        """Refuse a cut that does not fit.

        Raises
        ------
        ValueError
            With its size and that of the field.
        """
        for name in ("width_um", "height_um"):
            value = getattr(cut, name)
            if value > self.field_um:
                raise ValueError(
                    f"{name} is {value:g}; the ion beam of {self.name} reaches {self.field_um:g} um: mill "
                    "less, or several cuts beside each other"
                )

    def set(self, cut: Cut) -> DeviceStatus:
        """Mill a cut where the stage is, from the depth that it has there already.

        Returns
        -------
        DeviceStatus
            Done when it is as deep as asked, or when this client has blanked the beam; fails with
            `MillingError` where something else has.

        Raises
        ------
        ValueError
            If it does not fit.
        """
        self.check_value(cut)
        cell_s = longest_s(cut.volume_um3, self.particle_kev(), float(self.current_na.get()))
        status = DeviceStatus(self, timeout=MARGIN * cell_s / self._rate() + 60.0)
        self._stopped = False
        end_in_thread(status, lambda: self._begin(cut), go_on=lambda: self._watch(status, cut))
        # Whatever the status ends by, the ions end with it.
        status.add_callback(lambda _: self.blank())
        return status

    def _begin(self, cut: Cut) -> None:
        sizes = (
            (self.width_um, cut.width_um),
            (self.height_um, cut.height_um),
            (self.depth_um, cut.depth_um),
        )
        for signal, value in (*sizes, (self.lease_s, LEASE_S), (self.mill, "on")):
            if self._stopped:
                return
            if not put_and_wait(signal, value, PUT_S):
                raise NoAnswer(f"{self.name} did not confirm {signal.pvname} within {PUT_S:g} s")
        self._renewal.start()
        if self._stopped:
            # Stopped while the command was under way.
            self.blank()

    def _watch(self, status: DeviceStatus, cut: Cut) -> None:
        end_when(status, lambda: self._has_ended(cut), self.state)

    def _has_ended(self, cut: Cut) -> bool:
        if self._stopped:
            return True
        if self.state.get(use_monitor=False) != IonBeamState.BLANKED:
            return False
        why, deep_um = self.ended.get(use_monitor=False), float(self.milled_um.get(use_monitor=False))
        if why == MillingEnd.DONE and deep_um >= DEEP_ENOUGH * cut.depth_um:
            return True
        if self._stopped:
            return True
        reason = self.unavailable() or f"it says {why!r}"
        raise MillingError(
            f"{self.name} blanked the beam at {deep_um:.3g} of {cut.depth_um:g} um: {reason}; what was "
            "milled is gone, and a further cut at the same place goes on from there"
        )

    def blank(self) -> None:
        """Let no more ions through; does not wait for it. A server that is away has blanked them itself."""
        self._renewal.stop()
        try:
            self.mill.put("off", wait=False)
        except CHANNEL_ACCESS_ERRORS as error:
            log.warning("%s does not answer, and blanks its beam by itself: %s", self.name, error)

    def stop(self, *, success: bool = False) -> None:
        """Blank the beam; a cut under way ends without an error, as deep as it is."""
        self._stopped = True
        self.blank()
