"""A potentiostat as the driver EPICS-ECLab shows it: techniques with limits, no pause, no counter of charge.

Names and meanings follow the driver of the ISIS Computing Group: parameters are written first, `LOADTECH:SP`
takes them, `START` starts what is loaded, once; after a stop it has to be loaded again.
"""

# caproto's handlers carry the name of the PV they belong to, and its types are narrower than its use.
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false

import asyncio
import logging
from typing import Any

from caproto import AlarmSeverity, AlarmStatus, ChannelType
from caproto.server import PVGroup, SubGroup
from caproto.server import pvproperty as caproto_property

from intercalate.contract import ControlMode, EndReason, StepType
from intercalate.cycler_server.channel import ImpedancePoint, Sample
from intercalate.protocol import Segment
from intercalate_sims.channel import SimulatedChannel

# caproto's annotations know no putters of a subclass.
pvproperty: Any = caproto_property

log = logging.getLogger(__name__)

STATES = ["Stopped", "Running", "Paused"]
TECHNIQUES = ("ocv", "cplimit", "calimit")
ACTIVE, AND, AT_LEAST, OF_CURRENT = 1, 2, 4, 96
LONGEST_STEPS = 20
PUBLISH_S = 0.05
"""Wall seconds between two looks for what is to be shown."""


def _array(name: str, kind: Any = ChannelType.DOUBLE) -> Any:
    return pvproperty(name=f"{name}:SP", value=[0], dtype=kind, max_length=LONGEST_STEPS)


class LimitPVs(PVGroup):
    """Parameters of a technique that ends at limits."""

    duration = _array("DURSTEP")
    initial = _array("VSINIT", ChannelType.LONG)
    exit = _array("EXITCOND", ChannelType.LONG)
    test1 = _array("TEST1CONF", ChannelType.LONG)
    test2 = _array("TEST2CONF", ChannelType.LONG)
    test3 = _array("TEST3CONF", ChannelType.LONG)
    value1 = _array("TEST1VAL")
    value2 = _array("TEST2VAL")
    value3 = _array("TEST3VAL")
    steps = pvproperty(name="STEPN:SP", value=0)
    cycles = pvproperty(name="NCYCLES:SP", value=0)
    range = pvproperty(name="IRANGE:SP", value=8)
    voltage_range = pvproperty(name="ERANGE:SP", value=3)
    bandwidth = pvproperty(name="BW:SP", value=5)
    every_s = pvproperty(name="REDT:SP", value=0.05)


class CurrentPVs(LimitPVs):
    """Chronopotentiometry: a current is driven."""

    driven = _array("ISTEP")


class VoltagePVs(LimitPVs):
    """Chronoamperometry: a voltage is held."""

    driven = _array("VSTEP")


class OpenCircuitPVs(PVGroup):
    """Rest."""

    duration = pvproperty(name="RTT:SP", value=1.0)
    every_s = pvproperty(name="REDT:SP", value=1.0)
    range = pvproperty(name="IRANGE:SP", value=8)
    bandwidth = pvproperty(name="BW:SP", value=5)


class EclabPVs(PVGroup):
    """One channel, `C0:`, on a cell of the simulated world."""

    ewe = pvproperty(name="EWE", value=0.0, units="V", read_only=True)
    ece = pvproperty(name="ECE", value=0.0, units="V", read_only=True)
    current = pvproperty(name="I", value=0.0, units="A", read_only=True)
    elapsed = pvproperty(name="TIME", value=0.0, units="s", read_only=True)
    state = pvproperty(name="STATE", value=0, dtype=ChannelType.ENUM, enum_strings=STATES, read_only=True)
    temperature = pvproperty(name="Surface:Temperature", value=25.0, units="degC", read_only=True)
    start = pvproperty(name="START", value=0)
    stop = pvproperty(name="STOP", value=0)
    load = pvproperty(name="LOADTECH:SP", value="", dtype=ChannelType.STRING)
    deaf = pvproperty(name="Knob:InstrumentAway", value=0, dtype=ChannelType.ENUM, enum_strings=["off", "on"])

    ocv = SubGroup(OpenCircuitPVs, prefix="T:OCV:0:")
    cplimit = SubGroup(CurrentPVs, prefix="T:CPLIMIT:0:")
    calimit = SubGroup(VoltagePVs, prefix="T:CALIMIT:0:")

    def __init__(self, *args: Any, channel: SimulatedChannel, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._channel = channel
        self._loaded = ""
        self._runs = ""
        self._from: Sample | None = None
        self._sample: Sample | None = None
        channel.attach(self)

    # What a client asks for

    @load.putter
    async def load(self, instance: Any, value: Any) -> Any:
        """Take the parameters of one technique."""
        if value not in TECHNIQUES:
            raise ValueError(f"no technique file {value!r}")
        self._loaded = value
        return value

    @start.putter
    async def start(self, instance: Any, value: Any) -> Any:
        """Start what is loaded."""
        if not value:
            return 0
        if not self._loaded or self._runs:
            raise ValueError("nothing is loaded, or something runs")
        self._runs, self._loaded, self._from = self._loaded, "", None
        self._channel.start_segment(self._segment())
        return 0

    @stop.putter
    async def stop(self, instance: Any, value: Any) -> Any:
        """Stop at once."""
        if value:
            log.info("%s: stopped by a client", self.prefix)
            self._end()
        return 0

    def _end(self) -> None:
        self._runs, self._loaded, self._from = "", "", None
        self._channel.open_circuit()

    def _set(self, part: str) -> Any:
        """First entry of a parameter of the technique that runs."""
        value = getattr(getattr(self, self._runs), part).value
        return value[0] if hasattr(value, "__len__") else value

    def _segment(self) -> Segment:
        """What the cell gets; all limits are watched here."""
        if self._runs == "ocv":
            return Segment(step_id=1, step_type=StepType.REST)
        if self._runs == "cplimit":
            return Segment(
                step_id=1,
                step_type=StepType.CONSTANT_CURRENT,
                mode=ControlMode.CURRENT,
                setpoint=float(self._set("driven")),
            )
        return Segment(
            step_id=1,
            step_type=StepType.CONSTANT_VOLTAGE,
            mode=ControlMode.VOLTAGE,
            setpoint=float(self._set("driven")),
        )

    # What the cell tells

    def on_started(self, segment: Segment) -> None:
        """See `ChannelListener`; what was read before is not of the technique."""
        self._from = self._sample

    def on_sample(self, sample: Sample) -> None:
        """Watch the limits of what runs, as the instrument does."""
        self._sample = sample
        if self._from is None:
            return
        elapsed_s = sample.unix_time_s - self._from.unix_time_s
        if elapsed_s >= float(self._set("duration")) or (elapsed_s > 0 and self._test_met(sample)):
            log.info("%s: %s ends after %g s at %r", self.prefix, self._runs, elapsed_s, sample)
            self._end()

    def _test_met(self, sample: Sample) -> bool:
        if self._runs == "ocv":
            return False
        met: bool | None = None
        for number in (1, 2, 3):
            bits, value = int(self._set(f"test{number}")), float(self._set(f"value{number}"))
            if not bits & ACTIVE:
                continue
            measured = sample.current_a if bits & OF_CURRENT == OF_CURRENT else sample.voltage_v
            now = measured >= value if bits & AT_LEAST else measured <= value
            met = now if met is None else (met and now) if bits & AND else (met or now)
        return bool(met)

    def on_impedance(self, segment: Segment, point: ImpedancePoint) -> None:
        """See `ChannelListener`."""

    def on_ended(self, segment: Segment, reason: EndReason) -> None:
        """See `ChannelListener`; no segment has a limit of its own."""

    def on_lost(self, why: str) -> None:
        """See `ChannelListener`."""
        self._runs = ""

    def on_found(self) -> None:
        """See `ChannelListener`."""

    async def publish(self) -> None:
        """Show readings as they come, invalid where the instrument is away."""
        shown: Sample | None = None
        while True:
            await asyncio.sleep(PUBLISH_S)
            away = self.deaf.value in (1, "on")
            if self._sample is None or (self._sample is shown and not away):
                await self._show_state(away)
                continue
            shown = self._sample
            # The time stays at the end of a technique, until the next one has a reading.
            elapsed_s = (
                self.elapsed.value if self._from is None else shown.unix_time_s - self._from.unix_time_s
            )
            for pv, value in (
                (self.ewe, shown.voltage_v),
                (self.current, shown.current_a),
                (self.temperature, shown.temperature_c),
                (self.elapsed, elapsed_s),
            ):
                await _show(pv, value, away)
            await self._show_state(away)

    async def _show_state(self, away: bool) -> None:
        wanted = STATES[1 if self._runs else 0]
        if self.state.value != wanted or away:
            await _show(self.state, wanted, away)


async def _show(pv: Any, value: Any, away: bool) -> None:
    severity = AlarmSeverity.INVALID_ALARM if away else AlarmSeverity.NO_ALARM
    status = AlarmStatus.READ if away else AlarmStatus.NO_ALARM
    await pv.write(value, severity=severity, status=status)
