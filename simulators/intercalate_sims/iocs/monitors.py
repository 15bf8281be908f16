"""Monitors, gated by the detector or counting for themselves."""

# caproto's handlers carry the name of the PV they belong to, and its types are narrower than its use.
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from caproto import ChannelType
from caproto.server import PVGroup, pvproperty

from intercalate_sims.probes.monitors import MonitorCounts, SpecimenCounts, SteadyCounts

log = logging.getLogger(__name__)

NO_FRAME = -1
"""`FrameId` of a count without a frame."""


class CounterPVs(PVGroup):
    """I0 before the sample, integrated over the last exposure or count.

    Parameters
    ----------
    count
        Counts for so many seconds of cell time and calls `show`; a put to `Count` waits for it. A count
        that fails leaves a `LiveTime` of 0.
    """

    i0 = pvproperty(name="I0", value=0, dtype=ChannelType.DOUBLE, units="counts", read_only=True)
    live_time = pvproperty(name="LiveTime", value=0.0, units="s", precision=3, read_only=True)
    frame_id = pvproperty(name="FrameId", value=NO_FRAME, dtype=ChannelType.LONG, read_only=True)
    count_time = pvproperty(
        name="CountTime",
        value=1.0,
        units="s",
        precision=3,
        lower_ctrl_limit=0.001,
        upper_ctrl_limit=1e5,
    )
    count_busy = pvproperty(name="Count", value=0, dtype=ChannelType.ENUM, enum_strings=["Done", "Count"])

    def __init__(self, *args: Any, count: Callable[[float], Awaitable[None]], **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._count = count
        self._counting: asyncio.Task[None] | None = None

    @count_busy.putter
    async def count_busy(self, instance: Any, value: Any) -> Any:
        if value not in (1, "Count"):
            if self._counting is not None:
                self._counting.cancel()
            return "Done"
        if self._counting is None or self._counting.done():
            self._counting = asyncio.ensure_future(self._count(float(self.count_time.value)))
            await instance.write("Count", verify_value=False)
        try:
            await asyncio.shield(self._counting)
        except asyncio.CancelledError:
            log.info("a count was stopped")
        except (ConnectionError, RuntimeError) as error:
            log.error("no count: %s", error)
            await self.live_time.write(0.0, verify_value=False)
        return "Done"

    async def publish(self, counts: Any) -> None:
        """Show the counts."""
        raise NotImplementedError

    async def show(self, counts: Any, live_time_s: float, frame_id: int = NO_FRAME) -> None:
        """Publish counts; `FrameId` comes last, so that it vouches for the others."""
        await self.publish(counts)
        await self.live_time.write(live_time_s, verify_value=False)
        await self.frame_id.write(frame_id, verify_value=False)


class MonitorPVs(CounterPVs):
    """Two ion chambers: I0 before the sample, It behind it."""

    it = pvproperty(name="It", value=0, dtype=ChannelType.DOUBLE, units="counts", read_only=True)

    async def publish(self, counts: MonitorCounts) -> None:
        """Show the counts."""
        await self.i0.write(counts.i0, verify_value=False)
        await self.it.write(counts.it, verify_value=False)


class SteadyMonitorPVs(CounterPVs):
    """I0 of a steady source."""

    async def publish(self, counts: SteadyCounts) -> None:
        """Show the counts."""
        await self.i0.write(counts.i0, verify_value=False)


class SpecimenMonitorPVs(CounterPVs):
    """I0 of an electron beam, and the current that the sample takes up."""

    specimen = pvproperty(name="Specimen", value=0, dtype=ChannelType.DOUBLE, units="counts", read_only=True)

    async def publish(self, counts: SpecimenCounts) -> None:
        """Show the counts."""
        await self.i0.write(counts.i0, verify_value=False)
        await self.specimen.write(counts.specimen, verify_value=False)
