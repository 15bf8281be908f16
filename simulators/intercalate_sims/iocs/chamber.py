"""Vacuum chamber: gauge, gate valve, heated and cooled stage."""

# caproto's handlers carry the name of the PV they belong to, and its types are narrower than its use.
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false

import asyncio
import contextlib
import math
import time
from collections.abc import Coroutine, Sequence
from typing import Any

from caproto import ChannelType
from caproto.server import PVGroup
from caproto.server import pvproperty as caproto_property

from intercalate_sims.chamber import STAGE_C, Chamber
from intercalate_sims.iocs.beam import REFRESH_S
from intercalate_sims.iocs.shutter import POSITIONS
from intercalate_sims.link import InstrumentLink

# caproto's annotations know no putters of a subclass.
pvproperty: Any = caproto_property

INTERLOCK_MBAR = 1e-5
"""Above, the high voltages of all sources are switched off."""


class ChamberPVs(PVGroup):
    """What can be set of the chamber, and what it shows.

    Parameters
    ----------
    link
        To the world, by whose clock gas is pumped.
    sources
        Whose high voltage its interlock switches; links to them.
    """

    pressure = pvproperty(name="Pressure", value=1e-9, units="mbar", precision=12, read_only=True)
    gate = pvproperty(name="GateValve", value=0, dtype=ChannelType.ENUM, enum_strings=POSITIONS)
    gate_readback = pvproperty(
        name="GateValve_RBV", value=0, dtype=ChannelType.ENUM, enum_strings=POSITIONS, read_only=True
    )
    temperature = pvproperty(
        name="Temperature",
        value=25.0,
        units="degC",
        precision=1,
        lower_ctrl_limit=STAGE_C[0],
        upper_ctrl_limit=STAGE_C[1],
    )
    temperature_readback = pvproperty(
        name="Temperature_RBV", value=25.0, units="degC", precision=2, read_only=True
    )
    temperature_rest = pvproperty(
        name="TemperatureRest",
        value=25.0,
        units="degC",
        precision=1,
        lower_ctrl_limit=STAGE_C[0],
        upper_ctrl_limit=STAGE_C[1],
    )
    temperature_lease = pvproperty(
        name="TemperatureLease", value=0.0, units="s", precision=1, lower_ctrl_limit=0, upper_ctrl_limit=3600
    )
    leak = pvproperty(name="Knob:Leak", value=0.0, units="mbar", lower_ctrl_limit=0, upper_ctrl_limit=1.0)

    def __init__(self, *args: Any, link: InstrumentLink, sources: Sequence[InstrumentLink], **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._link = link
        self._sources = sources
        self.chamber = Chamber()
        self._lease_ends_s = math.inf

    @gate.putter
    async def gate(self, instance: Any, value: Any) -> Any:
        self.chamber.gate_is_open = value in (1, "open")
        await self.gate_readback.write(value, verify_value=False)
        return value

    @temperature.putter
    async def temperature(self, instance: Any, value: Any) -> Any:
        self.chamber.target_c = float(value)
        return value

    @temperature_rest.putter
    async def temperature_rest(self, instance: Any, value: Any) -> Any:
        self.chamber.rest_c = float(value)
        return value

    @temperature_lease.putter
    async def temperature_lease(self, instance: Any, value: Any) -> Any:
        """Of a client that keeps the stage hot; 0 of one that does not, or of somebody at the panel."""
        self._lease_ends_s = time.monotonic() + float(value) if value > 0 else math.inf
        return value

    @leak.putter
    async def leak(self, instance: Any, value: Any) -> Any:
        self.chamber.leak_mbar = float(value)
        return value

    def tasks(self) -> list[Coroutine[Any, Any, None]]:
        """What must run beside the PVs."""
        return [self._link.run(), self._live()]

    async def _live(self) -> None:
        is_safe = True
        while True:
            with contextlib.suppress(ConnectionError, RuntimeError):
                self.chamber.live((await self._link.status())["time_s"])
                await self._show(self.pressure, self.chamber.pressure_mbar)
                await self._end_lease()
                await self._show(self.temperature_readback, round(self.chamber.stage_c, 2))
                was_safe, is_safe = is_safe, self.chamber.pressure_mbar < INTERLOCK_MBAR
                if is_safe != was_safe:
                    for source in self._sources:
                        await source.beam(interlock=is_safe)
            await asyncio.sleep(REFRESH_S)

    async def _end_lease(self) -> None:
        """Do not stay hot for a client that is gone."""
        if time.monotonic() > self._lease_ends_s and self.chamber.target_c > self.chamber.rest_c:
            await self.temperature.write(self.chamber.rest_c)

    async def _show(self, pv: Any, value: float) -> None:
        if abs(pv.value - value) > 1e-3 * abs(value):
            await pv.write(value, verify_value=False)
