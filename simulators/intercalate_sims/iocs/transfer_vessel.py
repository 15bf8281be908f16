"""Simulated transfer vessel and glovebox: where the vessel is, its pressure, the glovebox's atmosphere."""

# caproto's handlers carry the name of the PV they belong to, and its types are narrower than its use.
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

from caproto import ChannelType
from caproto.server import PVGroup
from caproto.server import pvproperty as caproto_property

from intercalate.contract import Opened, VesselLocation, VesselSeal
from intercalate_sims.iocs.clock import LIVE_S, ClockPVs
from intercalate_sims.iocs.shutter import SWITCH
from intercalate_sims.link import InstrumentLink

# caproto's annotations know no putters of a subclass.
pvproperty: Any = caproto_property

REFRESH_S = 0.1
"""Wall seconds between two looks at the world; a reading asks it anew."""

LOCATIONS = {"dtype": ChannelType.ENUM, "enum_strings": [str(one) for one in VesselLocation]}
OPENED = {"dtype": ChannelType.ENUM, "enum_strings": [str(one) for one in Opened]}
SEALS = {"dtype": ChannelType.ENUM, "enum_strings": [str(one) for one in VesselSeal]}


def _shown(name: str, key: str, **keywords: Any) -> Any:
    """Read-only PV that shows one entry of the vessel's status."""

    async def get(group: "VesselPVs", instance: Any) -> Any:
        return shown(key, (await group.link.vessel())[key])

    return pvproperty(name=name, get=get, read_only=True, **keywords)


def shown(key: str, value: Any) -> Any:
    """Status entry as its PV holds it."""
    return _seal(value) if key == "sealed" else value


def _seal(is_sealed: bool) -> str:
    return str(VesselSeal.SEALED if is_sealed else VesselSeal.OPEN)


def _knob(name: str, value: float, units: str) -> Any:
    return pvproperty(name=f"Knob:{name}", value=value, units=units, lower_ctrl_limit=0, upper_ctrl_limit=1e6)


class VesselPVs(PVGroup):
    """What a person does with the vessel, what its gauge and the glovebox's sensors show, and its vices.

    Parameters
    ----------
    link
        To the world, which owns the vessel. What it refuses changes no readback.
    """

    location = pvproperty(name="Location", value=0, **LOCATIONS)
    location_readback = _shown("Location_RBV", "location", value=0, **LOCATIONS)
    holder = pvproperty(name="Holder", value="", dtype=ChannelType.STRING)
    holder_readback = _shown("Holder_RBV", "holder", value="", dtype=ChannelType.STRING)
    seal = pvproperty(name="Seal", value=0, **SEALS)
    seal_readback = _shown("Seal_RBV", "sealed", value=0, **SEALS)
    opened = pvproperty(name="Opened", value=0, **OPENED)
    opened_readback = _shown("Opened_RBV", "opened", value=0, **OPENED)
    pressure = _shown("Pressure", "pressure_mbar", value=0.0, units="mbar", precision=2)
    o2 = _shown("GloveboxO2", "o2_ppm", value=0.0, units="ppm", precision=3)
    h2o = _shown("GloveboxH2O", "h2o_ppm", value=0.0, units="ppm", precision=3)
    dew_point = _shown("GloveboxDewPoint", "dew_point_c", value=0.0, units="degC", precision=1)
    leak = _knob("Leak", 0.0, "mbar/h")
    foul_o2 = _knob("GloveboxO2", 0.0, "ppm")
    foul_h2o = _knob("GloveboxH2O", 0.0, "ppm")
    never_arrives = pvproperty(name="Knob:NeverArrives", **SWITCH)

    def __init__(self, *args: Any, link: InstrumentLink, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.link = link

    @location.putter
    async def location(self, instance: Any, value: Any) -> Any:
        words = LOCATIONS["enum_strings"]
        await self._change(location=words[value] if isinstance(value, int) else str(value))
        return value

    @holder.putter
    async def holder(self, instance: Any, value: Any) -> Any:
        await self._change(holder=str(value))
        return value

    @seal.putter
    async def seal(self, instance: Any, value: Any) -> Any:
        await self._change(sealed=value in (1, str(VesselSeal.SEALED)))
        return value

    @opened.putter
    async def opened(self, instance: Any, value: Any) -> Any:
        words = OPENED["enum_strings"]
        await self._change(opened=words[value] if isinstance(value, int) else str(value))
        return value

    @leak.putter
    async def leak(self, instance: Any, value: Any) -> Any:
        await self._change(leak_mbar_per_h=float(value))
        return value

    @foul_o2.putter
    async def foul_o2(self, instance: Any, value: Any) -> Any:
        await self._change(o2_ppm=float(value))
        return value

    @foul_h2o.putter
    async def foul_h2o(self, instance: Any, value: Any) -> Any:
        await self._change(h2o_ppm=float(value))
        return value

    @never_arrives.putter
    async def never_arrives(self, instance: Any, value: Any) -> Any:
        await self._change(never_arrives=value in (1, "on"))
        return value

    async def _change(self, **changes: Any) -> None:
        await self.refresh(await self.link.vessel(**changes))

    async def refresh(self, status: dict[str, Any]) -> None:
        """Publish what has changed."""
        for pv, key in (
            (self.location_readback, "location"),
            (self.holder_readback, "holder"),
            (self.seal_readback, "sealed"),
            (self.opened_readback, "opened"),
            (self.pressure, "pressure_mbar"),
            (self.o2, "o2_ppm"),
            (self.h2o, "h2o_ppm"),
            (self.dew_point, "dew_point_c"),
        ):
            value = shown(key, status[key])
            if pv.value != value:
                await pv.write(value, verify_value=False)


class SimulatedTransferVessel:
    """The PVs of the vessel, and what must run beside them."""

    def __init__(self, prefix: str, link: InstrumentLink, description: dict[str, Any]):
        self._link = link
        self._description = description
        self._pvs = VesselPVs(prefix=prefix, link=link)
        self._clock = ClockPVs(prefix=prefix, now=self._time)

    @property
    def pvdb(self) -> dict[str, Any]:
        """Every PV by its full name."""
        return {**self._pvs.pvdb, **self._clock.pvdb}

    def tasks(self) -> list[Coroutine[Any, Any, None]]:
        """What must run beside the PVs."""
        return [self._link.run(), self._live(), self._follow()]

    async def _time(self) -> float:
        return (await self._link.status())["unix_s"]

    async def _live(self) -> None:
        await self._clock.describe(self._description)
        while True:
            await self._clock.beat()
            await asyncio.sleep(LIVE_S)

    async def _follow(self) -> None:
        while True:
            if self._link.up:
                with contextlib.suppress(ConnectionError):
                    await self._pvs.refresh(await self._link.vessel())
            await asyncio.sleep(REFRESH_S)
