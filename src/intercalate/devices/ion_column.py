"""Ion beams at the stage's position, blanked whatever dies: focused to mill, and wide to sputter."""

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
from intercalate.materials.constants import ELEMENTARY_CHARGE_C
from intercalate.materials.ion_milling import longest_s

log = logging.getLogger(__name__)

LEASE_S = 6.0
"""Wall seconds for which ions go on without a word of the client that lets them through."""
PUT_S = 5.0
"""Wall seconds within which the column must have confirmed."""
MARGIN = 3.0
"""Of the time that the hardest material takes."""
ALL_OF_IT = 0.999
"""Share of what was asked for that counts as all of it."""


class MillingError(RuntimeError):
    """A beam was blanked before all was done that was asked; what was done stays done."""


def _require_positive(request: Any, *names: str) -> None:
    for name in names:
        value = getattr(request, name)
        if not 0 < value < math.inf:
            raise ValueError(f"{name} is {value:g}; it must be above 0")


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
        _require_positive(self, "width_um", "height_um", "depth_um")

    @property
    def goal(self) -> float:
        """Depth to be reached."""
        return self.depth_um

    @property
    def volume_um3(self) -> float:
        """That is removed."""
        return self.width_um * self.height_um * self.depth_um


@dataclass(frozen=True)
class Raster:
    """A rectangle to be sputtered, its middle at the stage's position.

    Attributes
    ----------
    fluence_1e16_cm2
        Ions per area that it is to have received, with all that it had before.

    Raises
    ------
    ValueError
        If a number is not above 0.
    """

    width_um: float
    height_um: float
    fluence_1e16_cm2: float

    def __post_init__(self) -> None:
        _require_positive(self, "width_um", "height_um", "fluence_1e16_cm2")

    @property
    def goal(self) -> float:
        """Ions per area to be reached."""
        return self.fluence_1e16_cm2


class IonBeam(SteadySource):
    """An ion beam that is let through for one rectangle at a time: `set` asks for it, `stop` blanks the beam.

    Ions go through only while this process says so, and while the column's server and the chamber are well.
    A pause stops every device that was set, so it blanks the beam too.

    Parameters
    ----------
    field_um
        Side of the square in which a rectangle must lie.
    rate
        Gives cell seconds per wall second, by which a timeout is reckoned; 1 at a beamline.

    Attributes
    ----------
    voltage_kv, current_na
        Of the ions.
    width_um, height_um
        Of the rectangle.
    state, ended
        `IonBeamState`, and as `MillingEnd` why the last rectangle ended.
    number
        Of that rectangle: one that was refused has none.
    unit
        In which what is asked for is.
    """

    voltage_kv = Cpt(EpicsSignalWithRBV, "Voltage", auto_monitor=True, kind=Kind.normal)
    current_na = Cpt(EpicsSignalWithRBV, "Current", auto_monitor=True, kind=Kind.normal)
    width_um = Cpt(EpicsSignal, "Width", kind=Kind.normal)
    height_um = Cpt(EpicsSignal, "Height", kind=Kind.normal)
    mill = Cpt(EpicsSignal, "Mill", string=True, kind=Kind.omitted)
    state = Cpt(EpicsSignalRO, "State", string=True, auto_monitor=True, kind=Kind.normal)
    ended = Cpt(EpicsSignalRO, "Ended", string=True, kind=Kind.normal)
    number = Cpt(EpicsSignalRO, "Number", kind=Kind.normal)
    lease_s = Cpt(EpicsSignal, "Lease", kind=Kind.omitted)

    noun = "ions"
    unit = ""

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

    @property
    def asked(self) -> Any:
        """Signal of what is asked for."""
        raise NotImplementedError

    @property
    def reached(self) -> Any:
        """Signal of how far the last rectangle is."""
        raise NotImplementedError

    def cell_s(self, request: Any, voltage_kv: float, current_na: float) -> float:
        """Cell seconds that it may take, from the beginning."""
        raise NotImplementedError

    def _claim(self) -> None:
        self.lease_s.put(LEASE_S, wait=False)

    def particle_kev(self) -> float:
        """Energy of an ion."""
        return float(self.voltage_kv.get())

    def check_value(self, request: Any) -> None:
        """Refuse a rectangle that does not fit.

        Raises
        ------
        ValueError
            With its size and that of the field.
        """
        for name in ("width_um", "height_um"):
            value = getattr(request, name)
            if value > self.field_um:
                raise ValueError(
                    f"{name} is {value:g}; the ion beam of {self.name} reaches {self.field_um:g} um: ask for "
                    "less, or for several beside each other"
                )

    def set(self, request: Any) -> DeviceStatus:
        """Let ions through where the stage is, until all is done that is asked, with what was done before.

        Returns
        -------
        DeviceStatus
            Done when it is, or when this client has blanked the beam; fails with `MillingError` where
            something else has.

        Raises
        ------
        ValueError
            If it does not fit.
        """
        self.check_value(request)
        takes_s = self.cell_s(request, self.particle_kev(), float(self.current_na.get()))
        status = DeviceStatus(self, timeout=MARGIN * takes_s / self._rate() + 60.0)
        self._stopped = False
        end_in_thread(status, lambda: self._begin(request), go_on=lambda: self._watch(status, request))
        # Whatever the status ends by, the ions end with it.
        status.add_callback(lambda _: self.blank())
        return status

    def _begin(self, request: Any) -> None:
        sizes = ((self.width_um, request.width_um), (self.height_um, request.height_um))
        for signal, value in (*sizes, (self.asked, request.goal), (self.lease_s, LEASE_S), (self.mill, "on")):
            if self._stopped:
                return
            if not put_and_wait(signal, value, PUT_S):
                raise NoAnswer(f"{self.name} did not confirm {signal.pvname} within {PUT_S:g} s")
        self._renewal.start()
        if self._stopped:
            # Stopped while the command was under way.
            self.blank()

    def _watch(self, status: DeviceStatus, request: Any) -> None:
        end_when(status, lambda: self._has_ended(request.goal), self.state)

    def _has_ended(self, goal: float) -> bool:
        if self._stopped:
            return True
        if self.state.get(use_monitor=False) != IonBeamState.BLANKED:
            return False
        why, reached = self.ended.get(use_monitor=False), float(self.reached.get(use_monitor=False))
        if why == MillingEnd.DONE and reached >= ALL_OF_IT * goal:
            return True
        if self._stopped:
            return True
        reason = self.unavailable() or f"it says {why!r}"
        raise MillingError(
            f"{self.name} blanked the beam at {reached:.3g} of {goal:g} {self.unit}: {reason}; what was done "
            "stays done, and the same at the same place goes on from there"
        )

    def blank(self) -> None:
        """Let no more ions through; does not wait for it. A server that is away has blanked them itself."""
        self._renewal.stop()
        try:
            self.mill.put("off", wait=False)
        except CHANNEL_ACCESS_ERRORS as error:
            log.warning("%s does not answer, and blanks its beam by itself: %s", self.name, error)

    def stop(self, *, success: bool = False) -> None:
        """Blank the beam; what is under way ends without an error, as far as it is."""
        self._stopped = True
        self.blank()


class IonColumn(IonBeam):
    """A focused ion beam beside an electron column, which mills a `Cut`.

    Attributes
    ----------
    depth_um, milled_um
        Of the cut, and the depth that the last one has reached.
    """

    depth_um = Cpt(EpicsSignal, "Depth", kind=Kind.normal)
    milled_um = Cpt(EpicsSignalRO, "Milled", kind=Kind.hinted)

    unit = "um"

    @property
    def asked(self) -> Any:
        """Signal of the depth asked for."""
        return self.depth_um

    @property
    def reached(self) -> Any:
        """Signal of the depth."""
        return self.milled_um

    def cell_s(self, request: Cut, voltage_kv: float, current_na: float) -> float:
        """Cell seconds that it takes of the material that withstands longest."""
        return longest_s(request.volume_um3, voltage_kv, current_na)


class SputterGun(IonBeam):
    """A wide beam of argon ions at a photoelectron spectrometer, which sputters a `Raster`.

    Attributes
    ----------
    fluence_1e16_cm2, sputtered_1e16_cm2
        Ions per area that are asked for, and that the last place has received.
    """

    fluence_1e16_cm2 = Cpt(EpicsSignal, "Fluence", kind=Kind.normal)
    sputtered_1e16_cm2 = Cpt(EpicsSignalRO, "Sputtered", kind=Kind.hinted)

    unit = "1e16/cm2"

    @property
    def asked(self) -> Any:
        """Signal of the ions per area asked for."""
        return self.fluence_1e16_cm2

    @property
    def reached(self) -> Any:
        """Signal of the ions per area."""
        return self.sputtered_1e16_cm2

    def cell_s(self, request: Raster, voltage_kv: float, current_na: float) -> float:
        """Cell seconds that it takes."""
        ions = request.fluence_1e16_cm2 * 1e16 * request.width_um * request.height_um * 1e-8
        return ions * ELEMENTARY_CHARGE_C / (current_na * 1e-9)
