"""The X-ray beam up to the sample, and the monitors on either side of it."""

from typing import Any

from ophyd import Component as Cpt
from ophyd import Device, EpicsSignal, EpicsSignalRO, Kind, Signal
from ophyd.areadetector import EpicsSignalWithRBV
from ophyd.status import DeviceStatus

from intercalate.beam_quality import BeamLimits, BeamQuality
from intercalate.devices.axis import Axis
from intercalate.devices.channel_access import CHANNEL_ACCESS_ERRORS, put_and_wait
from intercalate.devices.statuses import end_in_thread

NO_BEAM = "no beam"
"""State of an empty ring."""

COUNT_MARGIN_S = 20.0
"""Wall seconds that a count may take beyond its time."""


class MonitorError(RuntimeError):
    """The monitors did not count."""


class Optics(Device):
    """What is between a source of X-rays and the sample: slits, attenuator and safety shutter.

    Attributes
    ----------
    settable
        What a measurement may ask to be set; it stays so.
    attenuator
        Transmitted share, above 0 to 1; the readback is what the foils give.
    """

    settable = ("slit_h_mm", "slit_v_mm")

    attenuator = Cpt(EpicsSignalWithRBV, "Attenuator", kind=Kind.normal)
    safety_shutter = Cpt(
        EpicsSignalWithRBV, "SafetyShutter", string=True, auto_monitor=True, kind=Kind.normal
    )
    slit_h_mm = Cpt(Axis, "SlitH", kind=Kind.config)
    slit_v_mm = Cpt(Axis, "SlitV", kind=Kind.config)

    def unavailable(self) -> str:
        """Why there is no beam at the station; empty if there is, or if nothing can be known."""
        try:
            return self._obstacle()
        except CHANNEL_ACCESS_ERRORS:
            # The server went away between the question whether it is there and its answer.
            return ""

    def _obstacle(self) -> str:
        if self.safety_shutter.connected and self.safety_shutter.get() != "open":
            return "no beam: the safety shutter is closed"
        return ""


class Beam(Optics):
    """Storage ring and monochromator, with the optics behind them.

    Attributes
    ----------
    energy_kev
        As the monochromator's scale shows it; a calibration says what it is.
    """

    ring_current_ma = Cpt(EpicsSignalRO, "RingCurrent", auto_monitor=True, kind=Kind.normal)
    ring_state = Cpt(EpicsSignalRO, "RingState", string=True, auto_monitor=True, kind=Kind.normal)
    energy_kev = Cpt(EpicsSignalWithRBV, "Energy", kind=Kind.normal)

    def _obstacle(self) -> str:
        if self.ring_state.connected and self.safety_shutter.connected and self.ring_state.get() == NO_BEAM:
            return "no beam: the storage ring is empty"
        return super()._obstacle() if self.ring_state.connected else ""


class Tube(Optics):
    """A sealed X-ray tube, with the optics behind it.

    Attributes
    ----------
    energy_kev
        Of its line, which nobody can change.
    """

    tube_current_ma = Cpt(EpicsSignalRO, "TubeCurrent", kind=Kind.normal)
    energy_kev = Cpt(EpicsSignalRO, "Energy_RBV", kind=Kind.normal)


Source = Beam | Tube


class Monitors(Device):
    """Counts before the sample (I0).

    The detector gates them: after a frame they hold the counts of its exposure, and `frame_id` is its
    number. A trigger counts without a frame, for `count_time_s`.

    Parameters
    ----------
    rate
        Gives cell seconds per wall second, by which a timeout is reckoned; 1 at a beamline.
    limits
        By which `quality` judges; None judges nothing.

    Attributes
    ----------
    quality
        Of the beam during the count that was read last.
    """

    quality = Cpt(Signal, value=str(BeamQuality.UNKNOWN), kind=Kind.normal)
    i0_counts = Cpt(EpicsSignalRO, "I0", kind=Kind.hinted)
    live_time_s = Cpt(EpicsSignalRO, "LiveTime", kind=Kind.normal)
    frame_id = Cpt(EpicsSignalRO, "FrameId", kind=Kind.normal)
    count_time_s = Cpt(EpicsSignal, "CountTime", kind=Kind.config)
    counting = Cpt(EpicsSignal, "Count", kind=Kind.omitted)

    def __init__(
        self,
        prefix: str,
        *,
        name: str,
        rate: Any = lambda: 1.0,
        limits: BeamLimits | None = None,
        **kwargs: Any,
    ):
        super().__init__(prefix, name=name, **kwargs)
        self._rate = rate
        self._limits = limits

    @property
    def limits(self) -> BeamLimits | None:
        """By which counts are judged; None where they are not."""
        return self._limits

    def read(self) -> Any:
        """Counts, and what they say of the beam."""
        found: Any = super().read()
        limits = self.limits
        if limits is not None:
            i0, live_time_s = (found[f"{self.name}_{key}"]["value"] for key in ("i0_counts", "live_time_s"))
            self.quality.put(str(limits.quality(i0, live_time_s)))
            found.update(self.quality.read())
        return found

    def trigger(self) -> DeviceStatus:
        """Count once; done when the counts can be read.

        Returns
        -------
        DeviceStatus
            Fails with `MonitorError` where there is no answer, or nothing was counted.
        """
        status = DeviceStatus(self)
        end_in_thread(status, self._count)
        return status

    def _count(self) -> None:
        try:
            timeout_s = float(self.count_time_s.get()) / self._rate() + COUNT_MARGIN_S
            is_done = put_and_wait(self.counting, 1, timeout_s)
            live_time_s = float(self.live_time_s.get(use_monitor=False))
        except CHANNEL_ACCESS_ERRORS as error:
            raise MonitorError(f"{self.prefix} does not answer: {error}") from error
        if not is_done:
            raise MonitorError(f"{self.prefix} has not counted within {timeout_s:g} s; is its IOC up?")
        if not live_time_s > 0:
            raise MonitorError(f"{self.prefix} counted for {live_time_s:g} s; see the log of its IOC")


class BeamMonitors(Monitors):
    """Counts before (I0) and behind the sample (It)."""

    it_counts = Cpt(EpicsSignalRO, "It", kind=Kind.hinted)
