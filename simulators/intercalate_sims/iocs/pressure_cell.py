"""The controller of a diamond-anvil cell: set point, rate, and the pressure by the table of its membrane."""

# caproto's handlers carry the name of the PV they belong to.
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

from caproto import ChannelType
from caproto.server import PVGroup
from caproto.server import pvproperty as caproto_property

from intercalate.contract import ABSOLUTE_MAX_PRESSURE_GPA, PressureState
from intercalate_sims.iocs.beam import REFRESH_S
from intercalate_sims.link import InstrumentLink

# caproto's annotations know no putters of a subclass.
pvproperty: Any = caproto_property


class PressureCellPVs(PVGroup):
    """What can be set of the cell, and what it shows.

    Parameters
    ----------
    link
        To the world, whose the cell is.
    highest_gpa
        That the anvils bear.
    """

    pressure = pvproperty(
        name="Pressure",
        value=0.0,
        units="GPa",
        precision=3,
        lower_ctrl_limit=0.0,
        upper_ctrl_limit=ABSOLUTE_MAX_PRESSURE_GPA,
    )
    pressure_readback = pvproperty(name="Pressure_RBV", value=0.0, units="GPa", precision=3, read_only=True)
    rate = pvproperty(
        name="Rate", value=0.5, units="GPa/min", precision=3, lower_ctrl_limit=0.01, upper_ctrl_limit=5.0
    )
    rate_readback = pvproperty(name="Rate_RBV", value=0.5, units="GPa/min", precision=3, read_only=True)
    state = pvproperty(
        name="State",
        value=0,
        dtype=ChannelType.ENUM,
        enum_strings=[str(one) for one in PressureState],
        read_only=True,
    )
    hold = pvproperty(name="Hold", value=0)

    def __init__(self, *args: Any, link: InstrumentLink, highest_gpa: float, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._link = link
        # caproto sets limits of a property for all instances alike, or while it serves.
        self.pressure._data["upper_ctrl_limit"] = highest_gpa

    @pressure.putter
    async def pressure(self, instance: Any, value: Any) -> Any:
        await self._change(target_gpa=float(value))
        return value

    @rate.putter
    async def rate(self, instance: Any, value: Any) -> Any:
        await self._change(rate_gpa_min=float(value))
        return value

    @hold.putter
    async def hold(self, instance: Any, value: Any) -> Any:
        await self._change(hold=1)
        # Whoever waits for the old set point sees that it is no more.
        await self.pressure.write(self.pressure_readback.value, verify_value=False)
        return value

    async def _change(self, **changes: Any) -> None:
        """Change the cell, and publish how it is."""
        await self._show(await self._link.pressure(**changes))

    async def _show(self, status: dict[str, Any]) -> None:
        for pv, value in (
            (self.pressure_readback, round(status["membrane_gpa"], 4)),
            (self.rate_readback, status["rate_gpa_min"]),
            (self.state, status["state"]),
        ):
            if pv.value != value:
                await pv.write(value, verify_value=False)

    def tasks(self) -> list[Coroutine[Any, Any, None]]:
        """What must run beside the PVs; the link is the diffractometer's."""
        return [self._follow()]

    async def _follow(self) -> None:
        """Show the cell as it is; after a restart of either side, take over the set point that it holds."""
        is_known = False
        while True:
            try:
                status = await self._link.pressure()
                if not is_known:
                    await self._take_over(status)
                    is_known = True
                await self._show(status)
            except ConnectionError:
                is_known = False
            await asyncio.sleep(REFRESH_S)

    async def _take_over(self, status: dict[str, Any]) -> None:
        """As those that were put last, without putting them."""
        for pv, key in ((self.pressure, "target_gpa"), (self.rate, "rate_gpa_min")):
            with contextlib.suppress(ConnectionError, RuntimeError):
                await pv.write(status[key], verify_value=False)
