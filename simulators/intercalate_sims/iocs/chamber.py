"""Vacuum chamber: gauge, gate valve, heated and cooled stage."""

# caproto's handlers carry the name of the PV they belong to, and its types are narrower than its use.
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false

import asyncio
import contextlib
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
        Whose high voltage its interlock switches.
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
    leak = pvproperty(name="Knob:Leak", value=0.0, units="mbar", lower_ctrl_limit=0, upper_ctrl_limit=1.0)

    def __init__(self, *args: Any, link: InstrumentLink, sources: Sequence[InstrumentLink], **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._link = link
        self._sources = sources
        self.chamber = Chamber()

    @gate.putter
    async def gate(self, instance: Any, value: Any) -> Any:
        self.chamber.gate_is_open = value in (1, "open")
        await self.gate_readback.write(value, verify_value=False)
        return value

    @temperature.putter
    async def temperature(self, instance: Any, value: Any) -> Any:
        self.chamber.target_c = float(value)
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
                await self._show(self.temperature_readback, round(self.chamber.stage_c, 2))
                was_safe, is_safe = is_safe, self.chamber.pressure_mbar < INTERLOCK_MBAR
                if is_safe != was_safe:
                    for source in self._sources:
                        await source.beam(interlock=is_safe)
            await asyncio.sleep(REFRESH_S)

    async def _show(self, pv: Any, value: float) -> None:
        if abs(pv.value - value) > 1e-3 * abs(value):
            await pv.write(value, verify_value=False)
